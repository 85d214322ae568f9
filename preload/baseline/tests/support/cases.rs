//! IR that executes each supported instruction with edge values: one function for each instruction and type, and one that
//! calls it with all pairs of values from a table.

use std::fmt::Write;

/// Widths of integers: those of the machine, and odd ones.
const WIDTHS: [u32; 9] = [1, 7, 8, 16, 24, 32, 37, 64, 128];
/// Shapes of vectors of integers and of floats: within one register, of several, and odd ones.
const INT_VECTORS: [(u32, u32); 13] = [
    (16, 8),
    (8, 16),
    (4, 32),
    (2, 64),
    (2, 32),
    (4, 8),
    (8, 32),
    (4, 64),
    (32, 8),
    (3, 32),
    (2, 8),
    (7, 16),
    (1, 64),
];
const FLOAT_VECTORS: [(u32, &str); 7] =
    [(4, "float"), (2, "double"), (2, "float"), (8, "float"), (4, "double"), (3, "float"), (1, "double")];

/// A module whose function `run` writes results, and which case each of them is of.
#[derive(Default)]
pub struct Cases {
    tables: String,
    functions: String,
    calls: String,
    /// Beyond the base, as in `target-features`.
    features: &'static str,
    count: usize,
    /// The name of a case, and the index of its first result.
    pub names: Vec<(String, usize)>,
    results: usize,
}

impl Cases {
    /// The module's text.
    pub fn text(&self) -> String {
        format!(
            "target triple = \"x86_64-unknown-linux-gnu\"\n{}{}define i64 @run(ptr %out) {{\n{}  ret i64 {}\n}}\n",
            self.tables, self.functions, self.calls, self.results
        )
    }

    /// What a result is of.
    pub fn name_of(&self, result: usize) -> &str {
        let after = self.names.partition_point(|(_, first)| *first <= result);
        after.checked_sub(1).map_or("nothing", |index| &self.names[index].0)
    }

    fn table(&mut self, ty: &str, values: &[String]) -> String {
        let name = format!("@t_{}", ty.replace(|other: char| !other.is_ascii_alphanumeric(), "_"));
        if !self.tables.contains(&format!("{name} =")) {
            let list: Vec<_> = values.iter().map(|value| format!("{ty} {value}")).collect();
            let _ =
                writeln!(self.tables, "{name} = constant [{} x {ty}] [{}]", values.len(), list.join(", "));
        }
        name
    }

    /// A case: `body` computes `%r` of type `result` from `%a` and `%b`, each of all values of `ty`.
    pub fn binary(&mut self, name: &str, ty: &str, values: &[String], result: &str, body: &str) {
        let table = self.table(ty, values);
        let (count, number) = (values.len(), self.count);
        self.count += 1;
        let words = words(result);
        let _ = write!(
            self.functions,
            "define void @c{number}(ptr %pa, ptr %pb, ptr %out) \"target-features\"=\"{}\" {{\n  \
             %a = load {ty}, ptr %pa, align 1\n  %b = load {ty}, ptr %pb, align 1\n{body}\n{}  ret void\n}}\n\
             define void @l{number}(ptr %out) {{\nentry:\n  br label %outer\nouter:\n  \
             %i = phi i64 [ 0, %entry ], [ %i2, %next ]\n  br label %inner\ninner:\n  \
             %j = phi i64 [ 0, %outer ], [ %j2, %inner ]\n  \
             %pa = getelementptr [{count} x {ty}], ptr {table}, i64 0, i64 %i\n  \
             %pb = getelementptr [{count} x {ty}], ptr {table}, i64 0, i64 %j\n  \
             %n = mul i64 %i, {count}\n  %k = add i64 %n, %j\n  %w = mul i64 %k, {words}\n  \
             %to = getelementptr i64, ptr %out, i64 %w\n  \
             call void @c{number}(ptr %pa, ptr %pb, ptr %to)\n  \
             %j2 = add i64 %j, 1\n  %more = icmp ult i64 %j2, {count}\n  \
             br i1 %more, label %inner, label %next\nnext:\n  \
             %i2 = add i64 %i, 1\n  %rows = icmp ult i64 %i2, {count}\n  \
             br i1 %rows, label %outer, label %end\nend:\n  ret void\n}}\n",
            self.features,
            store(result),
        );
        let at = self.results;
        let _ = write!(
            self.calls,
            "  %o{number} = getelementptr i64, ptr %out, i64 {at}\n  call void @l{number}(ptr %o{number})\n"
        );
        self.names.push((format!("{name} {ty} -> {result}"), at));
        self.results += count * count * words;
    }
}

/// Words of 8 bytes that a result takes.
fn words(result: &str) -> usize {
    match result {
        "x86_fp80" => 2,
        _ => bytes_of(result).div_ceil(8).max(1),
    }
}

fn bytes_of(ty: &str) -> usize {
    if let Some(inner) = ty.strip_prefix('<').and_then(|ty| ty.strip_suffix('>'))
        && let Some((count, element)) = inner.split_once(" x ")
    {
        let count: usize = count.parse().expect("a number of elements");
        return if element == "i1" { count.div_ceil(8) } else { count * bytes_of(element) };
    }
    match ty {
        "float" => 4,
        "double" | "ptr" => 8,
        "x86_fp80" => 10,
        int => int[1..].parse::<usize>().expect("an integer").div_ceil(8),
    }
}

/// Writes `%r`; of NaN only that it is one, as its bits depend on the order of operands.
fn store(result: &str) -> String {
    let (element, is_vector) = match result.strip_prefix('<').and_then(|ty| ty.split_once(" x ")) {
        Some((_, element)) => (element.trim_end_matches('>'), true),
        None => (result, false),
    };
    if !matches!(element, "float" | "double" | "x86_fp80") {
        return format!("  store {result} %r, ptr %out, align 1\n");
    }
    let condition = if is_vector { result.replace(element, "i1") } else { "i1".to_owned() };
    format!(
        "  %nan = fcmp uno {result} %r, %r\n  \
         %clean = select {condition} %nan, {result} zeroinitializer, {result} %r\n  \
         store {result} %clean, ptr %out, align 1\n  \
         %marked = getelementptr i8, ptr %out, i64 {}\n",
        bytes_of(result) - 1
    ) + &if is_vector {
        String::new()
    } else {
        "  br i1 %nan, label %mark, label %done\nmark:\n  store i8 127, ptr %marked\n  br label %done\ndone:\n"
            .to_owned()
    }
}

/// Edge values of integers of so many bits.
fn ints(bits: u32) -> Vec<String> {
    let all = u128::MAX >> (128 - bits);
    let mut values = vec![0, 1, all, all >> 1, (all >> 1) + 1, 0x5a & all, (all / 3) & all, 1 << (bits / 2)];
    values.dedup();
    let signed = |value: u128| (value << (128 - bits)) as i128 >> (128 - bits);
    values
        .into_iter()
        .map(|value| if bits == 1 { (value & 1 == 1).to_string() } else { signed(value).to_string() })
        .collect()
}

/// Edge values of floats: zeros, infinities, NaN, the smallest and largest, subnormal ones, what does not fit integers.
fn floats(ty: &str) -> Vec<String> {
    let bits: &[u64] = &[
        0,
        1 << 63,
        0x3ff0_0000_0000_0000,
        0xbff8_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0x41ef_ffff_e000_0000,
        0xc3e0_0000_0000_0000,
        0x3fdf_ffff_c000_0000,
        // Subnormal as a float, and its largest.
        0x36a0_0000_0000_0000,
        0x47ef_ffff_e000_0000,
    ];
    let doubles: &[u64] = &[1, 0x7fef_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x4340_0000_0000_0001];
    let extended = |bits: u64| {
        let (sign, exponent, fraction) = (bits >> 63, bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let exponent = match exponent {
            0 => 0,
            0x7ff => 0x7fff,
            exponent => exponent + 16383 - 1023,
        };
        let integer = u64::from(exponent != 0) << 63;
        format!("0xK{:04X}{:016X}", sign << 15 | exponent, integer | fraction << 11)
    };
    match ty {
        "float" => bits.iter().map(|bits| format!("0x{bits:016X}")).collect(),
        "double" => bits.iter().chain(doubles).map(|bits| format!("0x{bits:016X}")).collect(),
        _ => bits.iter().map(|bits| extended(*bits)).collect(),
    }
}

/// All scalars of integer types.
pub fn integers() -> Cases {
    let mut cases = Cases::default();
    for bits in WIDTHS {
        let (ty, values) = (format!("i{bits}"), ints(bits));
        let mut add = |name: &str, result: &str, body: &str| {
            cases.binary(name, &ty, &values, result, &body.replace('T', &ty));
        };
        for op in ["add", "sub", "mul", "and", "or", "xor"] {
            add(op, &ty, &format!("  %r = {op} T %a, %b"));
        }
        if bits > 1 {
            for op in ["shl", "lshr", "ashr"] {
                let body = format!("  %by = urem T %b, {bits}\n  %r = {op} T %a, %by");
                // 7 and 24 bits hold their own widths.
                add(op, &ty, &body);
            }
            // The library divides whole words.
            for op in ["udiv", "urem", "sdiv", "srem"] {
                let body = "  %zero = icmp eq T %b, 0\n  %minus = icmp eq T %b, -1\n  %bad = or i1 %zero, %minus\n  \
                            %by = select i1 %bad, T 3, T %b\n";
                add(op, &ty, &format!("{body}  %r = {op} T %a, %by"));
            }
        }
        for predicate in ["eq", "ne", "ugt", "uge", "ult", "ule", "sgt", "sge", "slt", "sle"] {
            add(predicate, "i1", &format!("  %r = icmp {predicate} T %a, %b"));
            add("select", &ty, &format!("  %c = icmp {predicate} T %a, %b\n  %r = select i1 %c, T %a, T %b"));
        }
        for to in WIDTHS {
            let name = format!("i{to}");
            if to < bits {
                add("trunc", &name, &format!("  %r = trunc T %a to i{to}"));
            } else if to > bits {
                add("zext", &name, &format!("  %r = zext T %a to i{to}"));
                add("sext", &name, &format!("  %r = sext T %a to i{to}"));
            }
        }
        for to in ["float", "double", "x86_fp80"] {
            for op in ["sitofp", "uitofp"] {
                add(op, to, &format!("  %r = {op} T %a to {to}"));
            }
        }
        for checked in ["sadd", "uadd", "ssub", "usub", "smul", "umul"] {
            if !matches!(bits, 8 | 16 | 32 | 64 | 128) {
                continue;
            }
            let call = format!("  %p = call {{ T, i1 }} @llvm.{checked}.with.overflow.T(T %a, T %b)\n");
            add(checked, &ty, &format!("{call}  %r = extractvalue {{ T, i1 }} %p, 0"));
            add(checked, "i1", &format!("{call}  %r = extractvalue {{ T, i1 }} %p, 1"));
        }
        if matches!(bits, 8 | 16 | 32 | 64) {
            for name in ["sadd.sat", "uadd.sat", "ssub.sat", "usub.sat", "smin", "smax", "umin", "umax"] {
                add(name, &ty, &format!("  %r = call T @llvm.{name}.T(T %a, T %b)"));
            }
            for name in ["scmp", "ucmp"] {
                add(name, "i8", &format!("  %r = call i8 @llvm.{name}.i8.T(T %a, T %b)"));
            }
            for name in ["fshl", "fshr"] {
                add(name, &ty, &format!("  %r = call T @llvm.{name}.T(T %a, T %b, T %b)"));
            }
            for name in ["ctpop", "bitreverse"] {
                add(name, &ty, &format!("  %r = call T @llvm.{name}.T(T %a)"));
            }
            for name in ["ctlz", "cttz", "abs"] {
                add(name, &ty, &format!("  %r = call T @llvm.{name}.T(T %a, i1 false)"));
            }
            for op in ["xchg", "add", "sub", "and", "or", "xor", "nand", "max", "min", "umax", "umin"] {
                let body = format!(
                    "  %m = alloca T, align 16\n  store T %a, ptr %m\n  \
                     %o = atomicrmw {op} ptr %m, T %b seq_cst\n  %n = load atomic T, ptr %m acquire, align 16\n  \
                     %x = mul T %n, 3\n  %r = xor T %o, %x"
                );
                add(op, &ty, &body);
                // What was there is not looked at.
                let unused = format!(
                    "  %m = alloca T, align 16\n  store atomic T %a, ptr %m seq_cst, align 16\n  \
                     %o = atomicrmw {op} ptr %m, T %b monotonic\n  %r = load atomic T, ptr %m seq_cst, align 16"
                );
                add(op, &ty, &unused);
            }
            let exchange = "  %m = alloca T, align 16\n  store T %a, ptr %m\n  \
                            %p = cmpxchg ptr %m, T %b, T 3 seq_cst seq_cst\n  %o = extractvalue { T, i1 } %p, 0\n  \
                            %f = extractvalue { T, i1 } %p, 1\n  %g = zext i1 %f to T\n  %n = load T, ptr %m\n  \
                            %x = mul T %n, 5\n  %y = xor T %x, %g\n  %r = add T %y, %o";
            add("cmpxchg", &ty, exchange);
        }
        if matches!(bits, 16 | 32 | 64) {
            add("bswap", &ty, "  %r = call T @llvm.bswap.T(T %a)");
        }
    }
    cases
}

/// Scalars of floating-point types.
pub fn floating_point() -> Cases {
    let mut cases = Cases::default();
    for (ty, suffix) in [("float", "f32"), ("double", "f64"), ("x86_fp80", "f80")] {
        let values = floats(ty);
        let mut add = |name: &str, result: &str, body: &str| {
            cases.binary(name, ty, &values, result, &body.replace("TY", ty).replace("SUF", suffix));
        };
        for op in ["fadd", "fsub", "fmul", "fdiv", "frem"] {
            add(op, ty, &format!("  %r = {op} TY %a, %b"));
        }
        add("fneg", ty, "  %r = fneg TY %a");
        for name in [
            "fabs",
            "sqrt",
            "floor",
            "ceil",
            "trunc",
            "rint",
            "nearbyint",
            "round",
            "roundeven",
            "exp2",
            "sin",
        ] {
            add(name, ty, &format!("  %r = call TY @llvm.{name}.SUF(TY %a)"));
        }
        add("copysign", ty, "  %r = call TY @llvm.copysign.SUF(TY %a, TY %b)");
        add("fmuladd", ty, "  %r = call TY @llvm.fmuladd.SUF(TY %a, TY %b, TY %a)");
        if ty != "x86_fp80" {
            for name in ["minnum", "maxnum"] {
                // Of zeros, either is right.
                let body = format!("  %q = call TY @llvm.{name}.SUF(TY %a, TY %b)\n  %r = fadd TY %q, 0.0");
                add(name, ty, &body);
            }
            for mask in [1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 264, 504, 1020] {
                add("is.fpclass", "i1", &format!("  %r = call i1 @llvm.is.fpclass.SUF(TY %a, i32 {mask})"));
            }
            for bits in [8, 16, 32, 64] {
                for kind in ["si", "ui"] {
                    let body = format!("  %r = call i{bits} @llvm.fpto{kind}.sat.i{bits}.SUF(TY %a)");
                    add("saturating", &format!("i{bits}"), &body);
                }
            }
        }
        for predicate in
            ["oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"]
        {
            add(predicate, "i1", &format!("  %r = fcmp {predicate} TY %a, %b"));
            add(
                "select",
                ty,
                &format!("  %c = fcmp {predicate} TY %a, %b\n  %r = select i1 %c, TY %a, TY %b"),
            );
        }
        // What fits all integers: others are undefined.
        for bits in [8, 16, 32, 64, 128] {
            for op in ["fptosi", "fptoui"] {
                let small = "  %p = call TY @llvm.fabs.SUF(TY %a)\n  %c = fcmp olt TY %p, L\n  \
                             %s = select i1 %c, TY %p, TY O\n";
                let (limit, other) = match ty {
                    "x86_fp80" => ("0xK4005C800000000000000", "0xK3FFFC000000000000000"),
                    _ => ("1.0e2", "1.5"),
                };
                let small =
                    small.replace(" L\n", &format!(" {limit}\n")).replace(" O\n", &format!(" {other}\n"));
                add(op, &format!("i{bits}"), &format!("{small}  %r = {op} TY %s to i{bits}"));
            }
        }
        for to in ["float", "double", "x86_fp80"] {
            let op = if bytes_of(to) > bytes_of(ty) { "fpext" } else { "fptrunc" };
            if to != ty {
                add(op, to, &format!("  %r = {op} TY %a to {to}"));
            }
        }
        if ty != "x86_fp80" {
            let bits = bytes_of(ty) * 8;
            add("bitcast", &format!("i{bits}"), &format!("  %r = bitcast TY %a to i{bits}"));
        }
    }
    cases
}

/// Vectors, in one register or not.
pub fn vectors() -> Cases {
    let mut cases = Cases::default();
    for (count, bits) in INT_VECTORS {
        let ty = format!("<{count} x i{bits}>");
        let values = splat(count, &format!("i{bits}"), &ints(bits));
        let mut add = |name: &str, result: &str, body: &str| {
            cases.binary(
                name,
                &ty,
                &values,
                result,
                &body.replace('T', &ty).replace('N', &count.to_string()),
            );
        };
        for op in ["add", "sub", "mul", "and", "or", "xor"] {
            add(op, &ty, &format!("  %r = {op} T %a, %b"));
        }
        let all = |value: u32| format!("<{}>", vec![format!("i{bits} {value}"); count as usize].join(", "));
        for op in ["shl", "lshr", "ashr"] {
            add(op, &ty, &format!("  %by = and T %b, {}\n  %r = {op} T %a, %by", all(bits - 1)));
            add(op, &ty, &format!("  %r = {op} T %a, {}", all(3)));
        }
        for op in ["udiv", "srem"] {
            let by = format!("  %half = lshr T %b, {}\n  %by = or T %half, {}\n", all(1), all(2));
            add(op, &ty, &format!("{by}  %r = {op} T %a, %by"));
        }
        for predicate in ["eq", "ne", "ugt", "ule", "sgt", "sge", "slt", "sle"] {
            add(predicate, &ty, &format!("  %c = icmp {predicate} T %a, %b\n  %r = sext <N x i1> %c to T"));
            add(
                "select",
                &ty,
                &format!("  %c = icmp {predicate} T %a, %b\n  %r = select <N x i1> %c, T %a, T %b"),
            );
            add(
                "mask",
                &format!("i{count}"),
                &format!("  %c = icmp {predicate} T %a, %b\n  %r = bitcast <N x i1> %c to iN"),
            );
            add(
                "masks",
                &format!("i{count}"),
                &format!(
                    "  %c = icmp {predicate} T %a, %b\n  %d = icmp eq T %a, %b\n  %e = xor <N x i1> %c, %d\n  \
                     %r = bitcast <N x i1> %e to iN"
                ),
            );
        }
        for name in ["add", "mul", "and", "or", "xor", "smin", "smax", "umin", "umax"] {
            let suffix = format!("v{count}i{bits}");
            let body =
                format!("  %x = xor T %a, %b\n  %r = call i{bits} @llvm.vector.reduce.{name}.{suffix}(T %x)");
            add(name, &format!("i{bits}"), &body);
            if name.len() == 4 {
                add(name, &ty, &format!("  %r = call T @llvm.{name}.{suffix}(T %a, T %b)"));
            }
        }
        for to in [8, 16, 32, 64] {
            let name = format!("<{count} x i{to}>");
            if to < bits {
                add("trunc", &name, &format!("  %r = trunc T %a to {name}"));
            } else if to > bits {
                add("zext", &name, &format!("  %r = zext T %a to {name}"));
                add("sext", &name, &format!("  %r = sext T %a to {name}"));
            }
        }
        for to in ["float", "double"] {
            let name = format!("<{count} x {to}>");
            add("sitofp", &name, &format!("  %r = sitofp T %a to {name}"));
            add("uitofp", &name, &format!("  %r = uitofp T %a to {name}"));
        }
        if count * bits <= 128 {
            let to = format!("i{}", count * bits);
            add("bitcast", &to, &format!("  %r = bitcast T %a to {to}"));
        }
        let element = format!("i{bits}");
        let index = format!("  %e = extractelement T %a, i64 0\n  %i = zext {element} %e to i64\n");
        let index = if bits == 64 { index.replace("zext i64 %e to", "add i64 %e, 0 ;") } else { index };
        let index = index + &format!("  %j = urem i64 %i, {count}\n");
        add("extract", &element, &format!("{index}  %r = extractelement T %b, i64 %j"));
        add("insert", &ty, &format!("{index}  %r = insertelement T %b, {element} 7, i64 %j"));
        add("insert", &ty, &format!("  %r = insertelement T %b, {element} 7, i32 {}", count - 1));
        let mask: Vec<_> = (0..count).map(|lane| format!("i32 {}", (lane * 5 + 1) % (2 * count))).collect();
        let mask = format!("<{}>", mask.join(", "));
        add("shuffle", &ty, &format!("  %r = shufflevector T %a, T %b, <N x i32> {mask}"));
    }
    float_vectors(&mut cases);
    cases
}

/// Multiplications and additions that the processor rounds once.
pub fn fused() -> Cases {
    let mut cases = Cases { features: "+avx,+fma", ..Cases::default() };
    for (ty, suffix) in [("float", "f32"), ("double", "f64")] {
        for name in ["fmuladd", "fma"] {
            let body = format!("  %r = call {ty} @llvm.{name}.{suffix}({ty} %a, {ty} %b, {ty} %a)");
            cases.binary(name, ty, &floats(ty), ty, &body);
        }
    }
    for (count, element) in [(4, "float"), (2, "double"), (8, "float"), (4, "double")] {
        let ty = format!("<{count} x {element}>");
        let suffix = format!("v{count}{}", if element == "float" { "f32" } else { "f64" });
        let body = format!("  %r = call {ty} @llvm.fmuladd.{suffix}({ty} %a, {ty} %b, {ty} %b)");
        cases.binary("fmuladd", &ty, &splat(count, element, &floats(element)), &ty, &body);
    }
    cases
}

fn float_vectors(cases: &mut Cases) {
    for (count, element) in FLOAT_VECTORS {
        let ty = format!("<{count} x {element}>");
        let values = splat(count, element, &floats(element));
        let suffix = format!("v{count}{}", if element == "float" { "f32" } else { "f64" });
        let mut add = |name: &str, result: &str, body: &str| {
            cases.binary(name, &ty, &values, result, &body.replace("TY", &ty).replace("SUF", &suffix));
        };
        for op in ["fadd", "fsub", "fmul", "fdiv"] {
            add(op, &ty, &format!("  %r = {op} TY %a, %b"));
        }
        add("fneg", &ty, "  %r = fneg TY %a");
        for name in ["fabs", "sqrt"] {
            add(name, &ty, &format!("  %r = call TY @llvm.{name}.SUF(TY %a)"));
        }
        add("fmuladd", &ty, "  %r = call TY @llvm.fmuladd.SUF(TY %a, TY %b, TY %a)");
        for predicate in ["oeq", "ogt", "olt", "one", "ord", "ueq", "ule", "une", "uno"] {
            let select =
                format!("  %c = fcmp {predicate} TY %a, %b\n  %r = select <{count} x i1> %c, TY %a, TY %b");
            add(predicate, &ty, &select);
        }
        let other = if element == "float" { "double" } else { "float" };
        let op = if element == "float" { "fpext" } else { "fptrunc" };
        let to = format!("<{count} x {other}>");
        add(op, &to, &format!("  %r = {op} TY %a to {to}"));
        let reduce = format!("  %r = call {element} @llvm.vector.reduce.fadd.SUF({element} -0.0, TY %a)");
        add("reduce.fadd", element, &reduce);
    }
}

/// Vectors of which each lane is another one of some values.
fn splat(count: u32, element: &str, values: &[String]) -> Vec<String> {
    let lane = |start: usize, lane: usize| &values[(start + lane * lane) % values.len()];
    let vector = |start: usize| {
        let lanes: Vec<_> =
            (0..count as usize).map(|index| format!("{element} {}", lane(start, index))).collect();
        format!("<{}>", lanes.join(", "))
    };
    (0..values.len()).step_by(2).map(vector).collect()
}
