//! The types of random programs: every class that the calling convention tells apart, each with a function that makes
//! a value from a number (`make_X`) and one that takes it back to a number (`sum_X`).

use std::fmt::Write;

use super::choice::Choice;

/// A type of a program.
#[derive(Debug, Clone)]
pub struct Type {
    /// How it is written.
    pub name: String,
    /// How its functions are named.
    pub suffix: String,
    /// Whether it can be passed in `...` as it is. Not if it is aligned to more than the stack is: clang's callers and
    /// callees need not agree then.
    pub variadic: bool,
    /// Whether it is aligned to more than the stack is.
    pub aligned: bool,
    /// Whether the rarer calling conventions take it.
    pub scalar: bool,
}

/// Name, suffix, the value made from `x`, the number made from `v`, whether `...` takes it.
const BASIC: [(&str, &str, &str, &str, bool); 28] = [
    ("boolean", "bool", "(boolean)(x & 1)", "v", false),
    ("signed char", "i8", "(signed char)x", "(u64)v", false),
    ("unsigned short", "u16", "(unsigned short)x", "v", false),
    ("int", "i32", "(int)x", "(u64)v", true),
    ("unsigned", "u32", "(unsigned)x", "v", true),
    ("long", "i64", "(long)x", "(u64)v", true),
    ("u64", "u64", "x", "v", true),
    ("__int128", "i128", "(__int128)x * -77777777777", "(u64)v ^ (u64)((unsigned __int128)v >> 64)", true),
    (
        "unsigned __int128",
        "u128",
        "((unsigned __int128)x << 64) | mix(x, 1)",
        "(u64)(v / 1000003) ^ (u64)(v % 1000003)",
        true,
    ),
    ("enum color", "enum", "(enum color)(x % 3)", "(u64)v", true),
    ("float", "f32", "(float)(x % 65536)", "(u64)v", false),
    ("double", "f64", "(double)(x >> 20)", "(u64)v", true),
    ("long double", "f80", "(long double)x", "(u64)v", true),
    ("_Float16", "f16", "(_Float16)(float)(x % 1024)", "(u64)(float)v", false),
    (
        "_Complex float",
        "c32",
        "__builtin_complex((float)(x % 999), (float)(x % 99))",
        "(u64)__real__ v * 3 + (u64)__imag__ v",
        true,
    ),
    (
        "_Complex double",
        "c64",
        "__builtin_complex((double)(x % 99999), (double)(x % 777))",
        "(u64)__real__ v * 3 + (u64)__imag__ v",
        true,
    ),
    (
        "_Complex long double",
        "c80",
        "__builtin_complex((long double)(x >> 9), (long double)(x % 777))",
        "(u64)__real__ v * 3 + (u64)__imag__ v",
        true,
    ),
    ("int *", "ptr", "&pool[x % 64]", "(u64)(v - pool)", true),
    ("helper", "fun", "helpers[x % 4]", "v(7)", true),
    ("v8", "v8", "(v8){(float)(x % 1000), (float)(x % 77)}", "(u64)v[0] * 5 + (u64)v[1]", true),
    ("v16", "v16", "(v16){(int)x, 2, (int)(x >> 32), 4}", "(u64)v[0] * 3 + (u64)v[2] + (u64)v[3]", true),
    ("v16d", "v16d", "(v16d){(double)(x % 1000), 4.0}", "(u64)v[0] * 3 + (u64)v[1]", true),
    ("v32", "v32", "(v32){x, x ^ 5, 7, x >> 3}", "v[0] ^ v[1] * 3 ^ v[2] ^ v[3] * 7", false),
    (
        "v64",
        "v64",
        "(v64){1.0f, (float)(x % 512), 2.0f, 3.0f, 0, 0, 0, (float)(x % 31)}",
        "(u64)v[1] * 9 + (u64)v[3] + (u64)v[7] * 1000",
        false,
    ),
    ("_BitInt(37)", "b37", "(_BitInt(37))x", "(u64)v", false),
    ("_BitInt(100)", "b100", "(_BitInt(100))x * 12345", "(u64)v ^ (u64)(v >> 50)", false),
    ("const char *", "str", "&letters[x % 20]", "(u64)v[0] * 3 + (u64)__builtin_strlen(v)", true),
    ("void *", "any", "(void *)&pool[x % 64]", "(u64)((int *)v - pool)", true),
];

/// What those functions need.
const PRELUDE: &str = include_str!("prelude.c");

/// Makes the types of a program, and the header text that defines them with their functions.
pub fn types(choice: &mut Choice, cxx: bool) -> (Vec<Type>, String) {
    let mut text = PRELUDE.replace("EXTERN", if cxx { "extern \"C\"" } else { "extern" });
    if cxx {
        text = text.replace("typedef _Bool boolean", "typedef bool boolean");
    }
    let mut all: Vec<Type> = Vec::new();
    for (name, suffix, make, sum, variadic) in BASIC {
        functions(&mut text, choice, name, suffix, &format!("return {make};"), &format!("return {sum};"));
        let scalar = variadic && !name.contains("omplex") && !name.starts_with('v');
        let aligned = matches!(name, "v32" | "v64");
        all.push(Type { name: name.into(), suffix: suffix.into(), variadic, aligned, scalar });
    }
    for number in 0..3 + choice.below(8) {
        aggregate(&mut text, choice, number, &mut all);
    }
    (all, text)
}

fn functions(text: &mut String, choice: &mut Choice, name: &str, suffix: &str, make: &str, sum: &str) {
    let kind = choice.of(&["static", "static inline", "static __attribute__((noinline))"]);
    let unused = "__attribute__((unused))";
    writeln!(text, "{kind} {unused} {name} make_{suffix}(u64 x) {{ {make} }}")
        .expect("strings take everything");
    writeln!(text, "{kind} {unused} u64 sum_{suffix}({name} v) {{ {sum} }}")
        .expect("strings take everything");
}

/// Makes a struct or union of earlier types.
fn aggregate(text: &mut String, choice: &mut Choice, number: usize, all: &mut Vec<Type>) {
    let union = choice.percent(15);
    let name = format!("{} T{number}", if union { "union" } else { "struct" });
    let (mut fields, mut make, mut sum) = (String::new(), String::new(), String::new());
    let mut aligned = false;
    // Small ones are passed in registers, large ones in memory.
    let most = if choice.percent(60) { 3 } else { 9 };
    let count = choice.below(most) + usize::from(union);
    for index in 0..count {
        let field = choice.of(all).clone();
        let (kind, suffix) = (&field.name, &field.suffix);
        let seed = format!("mix(x, {index})");
        // Only the first member of a union has the value that was stored.
        let used = !union || index == 0;
        aligned |= field.aligned;
        if choice.percent(15) && !union {
            let width = 1 + choice.below(31);
            fields += &format!("  unsigned f{index} : {width};\n");
            make += &format!("  r.f{index} = (unsigned){seed};\n");
            sum += &format!("  h = mix(h, v.f{index});\n");
        } else if choice.percent(15) {
            let length = 1 + choice.below(3);
            // A typedef, as some types end with what belongs behind the name.
            fields += &format!("  __typeof__({kind}) f{index}[{length}];\n");
            for element in 0..if used { length } else { 0 } {
                make += &format!("  r.f{index}[{element}] = make_{suffix}({seed} + {element});\n");
                sum += &format!("  h = mix(h, sum_{suffix}(v.f{index}[{element}]));\n");
            }
        } else {
            fields += &format!("  __typeof__({kind}) f{index};\n");
            if used {
                make += &format!("  r.f{index} = make_{suffix}({seed});\n");
                sum += &format!("  h = mix(h, sum_{suffix}(v.f{index}));\n");
            }
        }
    }
    let attribute = match choice.below(10) {
        0 => "__attribute__((packed))",
        1 => {
            aligned = true;
            "__attribute__((aligned(32)))"
        }
        2 => "__attribute__((aligned(16)))",
        _ => "",
    };
    writeln!(text, "{name} {{\n{fields}}} {attribute};").expect("strings take everything");
    let make = format!("{name} r; memset((void *)&r, 0, sizeof r); (void)x;\n{make}  return r;");
    let sum = format!("u64 h = {number}; (void)v;\n{sum}  return h;");
    functions(text, choice, &name, &format!("T{number}"), &make, &sum);
    all.push(Type { name, suffix: format!("T{number}"), variadic: !aligned, aligned, scalar: false });
}
