//! What stands between the branches of a random function: one instruction, or a few that belong together.

use super::{Generator, INTS, Signature, Ty, VARIABLES};

impl Generator {
    pub(super) fn instruction(&mut self) {
        match self.random.below(29) {
            0..=6 => self.arithmetic(),
            26 | 27 => self.vector(),
            28 => self.atomic(),
            20..=25 => self.variable(),
            7 | 8 => self.comparison(),
            9 | 10 => self.conversion(),
            11 => self.select(),
            12 | 13 => self.memory(),
            14 | 15 => self.intrinsic(),
            16 => self.aggregate(),
            17 | 18 => self.float(),
            _ => self.call(),
        }
    }

    fn int(&mut self) -> u32 {
        if self.random.chance(3) {
            return self.random.of(&INTS);
        }
        match self.any().0 {
            Ty::Int(bits) => bits,
            _ => self.random.of(&INTS),
        }
    }

    fn arithmetic(&mut self) {
        let bits = self.int();
        let ty = Ty::Int(bits);
        let (name, a, b) = (ty.name(), self.value(ty), self.value(ty));
        let op = self.random.of(&[
            "add", "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr", "udiv", "urem", "sdiv", "srem",
        ]);
        match op {
            "shl" | "lshr" | "ashr" => {
                if bits == 1 {
                    return;
                }
                // 37 and 7 fit their own widths.
                let by = self.emit(ty, &format!("urem {name} {b}, {bits}"));
                self.emit(ty, &format!("{op} {name} {a}, {by}"));
            }
            "udiv" | "urem" => {
                if bits == 1 {
                    return;
                }
                let by = self.emit(ty, &format!("or {name} {b}, 1"));
                self.emit(ty, &format!("{op} {name} {a}, {by}"));
            }
            "sdiv" | "srem" => {
                if bits < 7 {
                    return;
                }
                let positive = (u128::MAX >> (128 - bits)) >> 1;
                let by = self.emit(ty, &format!("and {name} {b}, {positive}"));
                let by = self.emit(ty, &format!("or {name} {by}, 2"));
                self.emit(ty, &format!("{op} {name} {a}, {by}"));
            }
            op => {
                self.emit(ty, &format!("{op} {name} {a}, {b}"));
            }
        }
    }

    fn comparison(&mut self) {
        if self.random.chance(4) {
            let ty = self.random.of(&[Ty::Float, Ty::Double]);
            let (a, b) = (self.value(ty), self.value(ty));
            let predicate = self.random.of(&[
                "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une",
                "uno",
            ]);
            self.emit(Ty::Int(1), &format!("fcmp {predicate} {} {a}, {b}", ty.name()));
            return;
        }
        let ty = Ty::Int(self.int());
        let (a, b) = (self.value(ty), self.value(ty));
        let predicate = self.random.of(&["eq", "ne", "ugt", "uge", "ult", "ule", "sgt", "sge", "slt", "sle"]);
        self.emit(Ty::Int(1), &format!("icmp {predicate} {} {a}, {b}", ty.name()));
    }

    fn conversion(&mut self) {
        let (from, value) = self.any();
        let to = self.ty();
        let op = match (from, to) {
            (Ty::Int(a), Ty::Int(b)) if a > b => "trunc",
            (Ty::Int(a), Ty::Int(b)) if a < b => self.random.of(&["zext", "sext"]),
            // Conversions of more than 64 bits to floats need their whole width.
            (Ty::Int(37 | 24 | 7), Ty::Float | Ty::Double) => return,
            (Ty::Int(_), Ty::Float | Ty::Double) => self.random.of(&["sitofp", "uitofp"]),
            (Ty::Float, Ty::Double) => "fpext",
            (Ty::Double, Ty::Float) => "fptrunc",
            (Ty::Float | Ty::Double, Ty::Int(bits @ (8 | 16 | 32 | 64))) => {
                let kind = self.random.of(&["si", "ui"]);
                let callee = format!("@llvm.fpto{kind}.sat.i{bits}.{}", from.suffix());
                self.emit(to, &format!("call i{bits} {callee}({} {value})", from.name()));
                return;
            }
            _ => return,
        };
        self.emit(to, &format!("{op} {} {value} to {}", from.name(), to.name()));
    }

    fn select(&mut self) {
        let (ty, a) = self.any();
        let (b, condition) = (self.value(ty), self.value(Ty::Int(1)));
        self.emit(ty, &format!("select i1 {condition}, {0} {a}, {0} {b}", ty.name()));
    }

    /// Loads and stores of variables of which nothing else exists.
    fn variable(&mut self) {
        let index = self.random.below(VARIABLES.len() as u64) as usize;
        let ty = Ty::Int(VARIABLES[index]);
        if self.random.chance(2) {
            let value = self.value(ty);
            self.line(&format!("store {} {value}, ptr %x{index}", ty.name()));
        } else {
            self.emit(ty, &format!("load {}, ptr %x{index}", ty.name()));
        }
    }

    fn memory(&mut self) {
        let (ty, value) = self.any();
        let index = self.value(Ty::Int(64));
        let masked = self.emit(Ty::Int(64), &format!("and i64 {index}, 6"));
        let address = self.fresh();
        let offset = self.random.below(5);
        let text = match self.random.below(3) {
            0 => format!("getelementptr inbounds [16 x i64], ptr %mem, i64 0, i64 {masked}"),
            1 => format!("getelementptr inbounds i16, ptr %mem, i64 {masked}"),
            _ => format!(
                "getelementptr inbounds {{ i64, [3 x i16], i32 }}, ptr %mem, i64 {masked}, i32 1, i64 {}",
                offset % 3
            ),
        };
        self.line(&format!("{address} = {text}"));
        if self.random.chance(2) {
            self.line(&format!("store {} {value}, ptr {address}, align 1", ty.name()));
        } else {
            self.read(ty, &address);
        }
        if self.random.chance(2) {
            self.read(ty, &address);
        }
    }

    /// Loads what any bytes are a value of.
    fn read(&mut self, ty: Ty, address: &str) {
        match ty {
            Ty::Int(8 | 16 | 32 | 64 | 128) => {
                self.emit(ty, &format!("load {}, ptr {address}, align 1", ty.name()));
            }
            _ => {
                let wide = self.emit(Ty::Int(64), &format!("load i64, ptr {address}, align 1"));
                if let Ty::Int(bits @ ..=63) = ty {
                    self.emit(ty, &format!("trunc i64 {wide} to i{bits}"));
                }
            }
        }
    }

    fn intrinsic(&mut self) {
        let bits = self.random.of(&[8, 16, 32, 64]);
        let ty = Ty::Int(bits);
        let (a, b, c) = (self.value(ty), self.value(ty), self.value(ty));
        match self.random.below(7) {
            0 => {
                let op = self.random.of(&["ctpop", "bitreverse"]);
                self.emit(ty, &format!("call i{bits} @llvm.{op}.i{bits}(i{bits} {a})"));
            }
            1 => {
                let op = self.random.of(&["ctlz", "cttz", "abs"]);
                self.emit(ty, &format!("call i{bits} @llvm.{op}.i{bits}(i{bits} {a}, i1 false)"));
            }
            2 => {
                let op = self.random.of(&["fshl", "fshr"]);
                self.emit(
                    ty,
                    &format!("call i{bits} @llvm.{op}.i{bits}(i{bits} {a}, i{bits} {b}, i{bits} {c})"),
                );
            }
            3 | 4 => {
                let op = self.random.of(&["sadd", "uadd", "ssub", "usub", "smul", "umul"]);
                let pair = self.fresh();
                let callee = format!("@llvm.{op}.with.overflow.i{bits}");
                self.line(&format!("{pair} = call {{ i{bits}, i1 }} {callee}(i{bits} {a}, i{bits} {b})"));
                self.emit(ty, &format!("extractvalue {{ i{bits}, i1 }} {pair}, 0"));
                self.emit(Ty::Int(1), &format!("extractvalue {{ i{bits}, i1 }} {pair}, 1"));
            }
            5 => {
                let op = self.random.of(&["sadd.sat", "uadd.sat", "ssub.sat", "usub.sat"]);
                self.emit(ty, &format!("call i{bits} @llvm.{op}.i{bits}(i{bits} {a}, i{bits} {b})"));
            }
            _ => {
                let op = self.random.of(&["smin", "smax", "umin", "umax"]);
                self.emit(ty, &format!("call i{bits} @llvm.{op}.i{bits}(i{bits} {a}, i{bits} {b})"));
            }
        }
    }

    fn aggregate(&mut self) {
        let ((a, x), (b, y)) = (self.any(), self.any());
        let ty = format!("{{ {}, {}, [2 x {}] }}", a.name(), b.name(), a.name());
        let (one, two, three) = (self.fresh(), self.fresh(), self.fresh());
        self.line(&format!("{one} = insertvalue {ty} zeroinitializer, {} {x}, 0", a.name()));
        self.line(&format!("{two} = insertvalue {ty} {one}, {} {y}, 1", b.name()));
        self.line(&format!("{three} = insertvalue {ty} {two}, {} {x}, 2, 1", a.name()));
        let index = self.random.of(&["0", "1", "2, 0", "2, 1"]);
        let part = if index == "1" { b } else { a };
        self.emit(part, &format!("extractvalue {ty} {three}, {index}"));
    }

    /// A vector of two values, an operation on its lanes, and one of them.
    fn vector(&mut self) {
        let bits = self.random.of(&[8, 16, 32, 64]);
        let count = self.random.of(&[2, 4, 8, 3, 16]);
        let (ty, lane) = (format!("<{count} x i{bits}>"), Ty::Int(bits));
        let (a, b) = (self.value(lane), self.value(lane));
        let at = self.random.below(count);
        let [one, two, all, other, r] = [(); 5].map(|()| self.fresh());
        let lanes: Vec<_> = (0..count).map(|_| format!("i32 {}", self.random.below(2 * count))).collect();
        self.line(&format!("{one} = insertelement {ty} zeroinitializer, i{bits} {a}, i64 {at}"));
        self.line(&format!("{two} = insertelement {ty} {one}, i{bits} {b}, i32 0"));
        let mask = lanes.join(", ");
        self.line(&format!("{all} = shufflevector {ty} {two}, {ty} {one}, <{count} x i32> <{mask}>"));
        match self.random.below(8) {
            0 => self.line(&format!("{r} = sub {ty} {all}, {two}")),
            1 => self.line(&format!("{r} = mul {ty} {all}, {two}")),
            2 => self.line(&format!("{r} = xor {ty} {all}, {two}")),
            3 => self.line(&format!("{r} = lshr {ty} {all}, splat (i{bits} 3)")),
            4 => self.line(&format!("{r} = ashr {ty} {all}, splat (i{bits} 5)")),
            5 => {
                let predicate = self.random.of(&["eq", "slt", "ugt", "sge"]);
                self.line(&format!("{other} = icmp {predicate} {ty} {all}, {two}"));
                self.line(&format!("{r} = select <{count} x i1> {other}, {ty} {one}, {ty} {two}"));
            }
            6 => {
                let predicate = self.random.of(&["eq", "ne", "sgt"]);
                self.line(&format!("{other} = icmp {predicate} {ty} {all}, {two}"));
                self.line(&format!("{r} = sext <{count} x i1> {other} to {ty}"));
            }
            _ => {
                let callee = format!("@llvm.vector.reduce.add.v{count}i{bits}");
                self.emit(lane, &format!("call i{bits} {callee}({ty} {all})"));
                return;
            }
        }
        self.emit(lane, &format!("extractelement {ty} {r}, i64 {}", count - 1 - at.min(count - 1)));
    }

    fn atomic(&mut self) {
        let bits = self.random.of(&[8, 16, 32, 64]);
        let value = self.value(Ty::Int(bits));
        let (address, at) = (self.fresh(), self.random.below(16));
        self.line(&format!("{address} = getelementptr i64, ptr %mem, i64 {at}"));
        let op = self.random.of(&["xchg", "add", "sub", "and", "or", "xor", "nand", "max", "umin"]);
        self.emit(Ty::Int(bits), &format!("atomicrmw {op} ptr {address}, i{bits} {value} seq_cst"));
    }

    fn float(&mut self) {
        let ty = self.random.of(&[Ty::Float, Ty::Double]);
        let (a, b) = (self.value(ty), self.value(ty));
        let op = self.random.of(&["fadd", "fsub", "fmul", "fdiv", "fneg", "fabs", "sqrt", "copysign"]);
        let (name, suffix) = (ty.name(), ty.suffix());
        match op {
            "fneg" => self.emit(ty, &format!("fneg {name} {a}")),
            "fabs" | "sqrt" => self.emit(ty, &format!("call {name} @llvm.{op}.{suffix}({name} {a})")),
            // The sign of NaN is not defined: only numbers give their sign away.
            "copysign" => {
                self.emit(ty, &format!("call {name} @llvm.copysign.{suffix}({name} {a}, {name} 1.0)"))
            }
            op => self.emit(ty, &format!("{op} {name} {a}, {b}")),
        };
    }

    fn call(&mut self) {
        if self.functions.is_empty() || self.budget < 40 {
            return;
        }
        let index = self.random.below(self.functions.len() as u64) as usize;
        let Signature { name, result, parameters } = &self.functions[index];
        let (name, result, parameters) = (name.clone(), *result, parameters.clone());
        let arguments: Vec<String> =
            parameters.iter().map(|ty| format!("{} {}", ty.name(), self.value(*ty))).collect();
        self.emit(result, &format!("call {} @{name}({})", result.name(), arguments.join(", ")));
    }
}
