//! Random IR: functions with nested branches and loops, values of all scalar types that live across them, and only
//! defined behaviour, so that two compilers must agree about the result.

mod instructions;

use std::fmt::Write;

use super::numbers::Random;

/// A scalar type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// So many bits.
    Int(u32),
    /// 32 bits.
    Float,
    /// 64 bits.
    Double,
}

const INTS: [u32; 11] = [1, 8, 16, 32, 64, 64, 32, 128, 7, 24, 37];

/// The widths of the variables of each function.
const VARIABLES: [u32; 7] = [64, 32, 8, 16, 64, 32, 64];

impl Ty {
    fn name(self) -> String {
        match self {
            Self::Int(bits) => format!("i{bits}"),
            Self::Float => "float".into(),
            Self::Double => "double".into(),
        }
    }

    fn suffix(self) -> String {
        match self {
            Self::Int(bits) => format!("i{bits}"),
            Self::Float => "f32".into(),
            Self::Double => "f64".into(),
        }
    }
}

struct Signature {
    name: String,
    result: Ty,
    parameters: Vec<Ty>,
}

/// Writes a module.
pub struct Generator {
    random: Random,
    out: String,
    next: u32,
    block: String,
    values: Vec<(Ty, String)>,
    functions: Vec<Signature>,
    budget: i32,
}

impl Generator {
    /// A module of `count` functions: `run` calls each with edge values and writes the results.
    pub fn module(seed: u64, count: usize) -> String {
        let mut generator = Self {
            random: Random::new(seed),
            out: String::new(),
            next: 0,
            block: String::new(),
            values: Vec::new(),
            functions: Vec::new(),
            budget: 0,
        };
        for index in 0..count {
            generator.function(index);
        }
        generator.run();
        generator.out
    }

    fn ty(&mut self) -> Ty {
        match self.random.below(8) {
            0 => Ty::Float,
            1 => Ty::Double,
            _ => Ty::Int(self.random.of(&INTS)),
        }
    }

    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("%v{}", self.next)
    }

    fn line(&mut self, text: &str) {
        self.out.push_str("  ");
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn emit(&mut self, ty: Ty, text: &str) -> String {
        let name = self.fresh();
        self.line(&format!("{name} = {text}"));
        self.values.push((ty, name.clone()));
        name
    }

    fn constant(&mut self, ty: Ty) -> String {
        match ty {
            Ty::Int(1) => self.random.of(&["true", "false"]).into(),
            Ty::Int(bits) => {
                let all = u128::MAX >> (128 - bits);
                let edge = match self.random.below(8) {
                    0 => 0,
                    1 => 1,
                    2 => all,
                    3 => all >> 1,
                    4 => (all >> 1) + 1,
                    5 => u128::from(self.random.next() & 0xff),
                    6 => 1 << self.random.below(bits.into()),
                    _ => u128::from(self.random.next()) << 64 | u128::from(self.random.next()),
                } & all;
                let signed = (edge << (128 - bits)) as i128 >> (128 - bits);
                signed.to_string()
            }
            Ty::Float | Ty::Double => self
                .random
                .of(&[
                    "0.0",
                    "-0.0",
                    "1.0",
                    "-1.5",
                    "1.0e9",
                    "-3.0e9",
                    "4294967296.0",
                    "0.5",
                    "1024.25",
                    "-9223372036854775808.0",
                ])
                .to_string(),
        }
    }

    /// A value of a type: one that there is, or a constant.
    fn value(&mut self, ty: Ty) -> String {
        let known: Vec<usize> = (0..self.values.len()).filter(|index| self.values[*index].0 == ty).collect();
        if known.is_empty() || self.random.chance(6) {
            return self.constant(ty);
        }
        // Mostly what was computed last, sometimes something old.
        let from = if self.random.chance(3) { 0 } else { known.len().saturating_sub(6) };
        let index = known[from + self.random.below((known.len() - from) as u64) as usize];
        self.values[index].1.clone()
    }

    fn any(&mut self) -> (Ty, String) {
        let ty = match self.values.len() {
            0 => self.ty(),
            count => self.values[self.random.below(count as u64) as usize].0,
        };
        (ty, self.value(ty))
    }

    fn function(&mut self, index: usize) {
        let result = self.ty();
        let parameters: Vec<Ty> = (0..self.random.below(10)).map(|_| self.ty()).collect();
        let name = format!("f{index}");
        self.values.clear();
        self.next = 0;
        self.budget = 60 + self.random.below(120) as i32;
        let list: Vec<String> =
            parameters.iter().enumerate().map(|(index, ty)| format!("{} %p{index}", ty.name())).collect();
        for (index, ty) in parameters.iter().enumerate() {
            self.values.push((*ty, format!("%p{index}")));
        }
        let _ = writeln!(self.out, "define {} @{name}({}) {{\nentry:", result.name(), list.join(", "));
        self.block = "entry".into();
        self.line("%mem = alloca [32 x i64], align 16");
        self.line("call void @llvm.memset.p0.i64(ptr %mem, i8 3, i64 256, i1 false)");
        for (index, bits) in VARIABLES.into_iter().enumerate() {
            let start = self.constant(Ty::Int(bits));
            self.line(&format!("%x{index} = alloca i{bits}"));
            self.line(&format!("store i{bits} {start}, ptr %x{index}"));
        }
        self.region(4);
        let value = self.value(result);
        self.line(&format!("ret {} {value}", result.name()));
        self.out.push_str("}\n\n");
        self.functions.push(Signature { name, result, parameters });
    }

    /// Instructions, with branches and loops among them.
    fn region(&mut self, depth: u32) {
        for _ in 0..2 + self.random.below(5) {
            for _ in 0..1 + self.random.below(7) {
                self.instruction();
                self.budget -= 1;
            }
            if depth == 0 || self.budget <= 0 {
                continue;
            }
            match self.random.below(4) {
                0 => self.branch(depth - 1),
                1 => self.round(depth - 1),
                2 => self.switch(depth - 1),
                _ => {}
            }
        }
    }

    fn label(&mut self) -> String {
        self.next += 1;
        format!("b{}", self.next)
    }

    fn begin(&mut self, label: &str) {
        let _ = writeln!(self.out, "{label}:");
        self.block = label.to_owned();
    }

    /// Phis of some types where paths meet; `paths`: where from, and a value for each type.
    fn phis(&mut self, types: &[Ty], paths: &[(String, Vec<String>)]) {
        let mut made = Vec::new();
        for (index, ty) in types.iter().enumerate() {
            let name = self.fresh();
            let inputs: Vec<String> =
                paths.iter().map(|(block, values)| format!("[ {}, %{block} ]", values[index])).collect();
            self.line(&format!("{name} = phi {} {}", ty.name(), inputs.join(", ")));
            made.push((*ty, name));
        }
        self.values.extend(made);
    }

    fn path(&mut self, label: &str, join: &str, types: &[Ty], depth: u32) -> (String, Vec<String>) {
        let mark = self.values.len();
        self.begin(label);
        self.region(depth.min(1));
        let values = types.iter().map(|ty| self.value(*ty)).collect();
        self.line(&format!("br label %{join}"));
        self.values.truncate(mark);
        (self.block.clone(), values)
    }

    fn branch(&mut self, depth: u32) {
        let condition = self.value(Ty::Int(1));
        let (yes, no, join) = (self.label(), self.label(), self.label());
        let types: Vec<Ty> = (0..self.random.below(4)).map(|_| self.ty()).collect();
        self.line(&format!("br i1 {condition}, label %{yes}, label %{no}"));
        let paths = [self.path(&yes, &join, &types, depth), self.path(&no, &join, &types, depth)];
        self.begin(&join);
        self.phis(&types, &paths);
    }

    fn switch(&mut self, depth: u32) {
        let ty = Ty::Int(self.random.of(&[8, 16, 32, 64, 7]));
        let value = self.value(ty);
        let join = self.label();
        let types: Vec<Ty> = (0..1 + self.random.below(3)).map(|_| self.ty()).collect();
        let dense = self.random.chance(2);
        let count = 1 + self.random.below(7);
        let step = if dense { 1 } else { 9 };
        let first = self.random.below(6) as i64 - 3;
        let labels: Vec<String> = (0..=count).map(|_| self.label()).collect();
        let cases: Vec<String> = (0..count)
            .map(|index| {
                let target = &labels[self.random.below(count + 1) as usize];
                format!("{} {}, label %{target}", ty.name(), first + index as i64 * step)
            })
            .collect();
        // Some cases lead straight to where the paths meet.
        let straight: Vec<String> = types.iter().map(|ty| self.value(*ty)).collect();
        let direct = self.random.chance(2).then(|| format!("{} 60, label %{join}", ty.name()));
        let from = self.block.clone();
        let all = [cases, direct.clone().into_iter().collect()].concat().join(" ");
        self.line(&format!("switch {} {value}, label %{} [ {all} ]", ty.name(), labels[0]));
        let mut paths = Vec::new();
        if direct.is_some() {
            paths.push((from, straight));
        }
        for label in &labels {
            paths.push(self.path(label, &join, &types, depth.min(1)));
        }
        // Paths that no case leads to are no predecessors of anything reached, but they are blocks all the same.
        self.begin(&join);
        self.phis(&types, &paths);
    }

    /// A loop of a few rounds with values that change at each, some of which change places.
    fn round(&mut self, depth: u32) {
        let (head, exit) = (self.label(), self.label());
        let types: Vec<Ty> = (0..1 + self.random.below(4)).map(|_| self.ty()).collect();
        let starts: Vec<String> = types.iter().map(|ty| self.value(*ty)).collect();
        let before = self.block.clone();
        let counter = self.fresh();
        let names: Vec<String> = types.iter().map(|_| self.fresh()).collect();
        let rounds = 1 + self.random.below(5);
        self.line(&format!("br label %{head}"));
        // The back edge is not known yet: the text is put in front afterwards.
        let at = self.out.len();
        let mark = self.values.len();
        self.block.clone_from(&head);
        for (ty, name) in types.iter().zip(&names) {
            self.values.push((*ty, name.clone()));
        }
        self.values.push((Ty::Int(32), counter.clone()));
        self.region(depth.min(2));
        let mut ends: Vec<String> = types.iter().map(|ty| self.value(*ty)).collect();
        if types.len() > 1 && types[0] == types[1] {
            ends[0].clone_from(&names[1]);
            ends[1].clone_from(&names[0]);
        }
        let (after, more) = (self.fresh(), self.fresh());
        self.line(&format!("{after} = add i32 {counter}, 1"));
        self.line(&format!("{more} = icmp ult i32 {after}, {rounds}"));
        self.line(&format!("br i1 {more}, label %{head}, label %{exit}"));
        let last = self.block.clone();
        let mut header = format!("{head}:\n  {counter} = phi i32 [ 0, %{before} ], [ {after}, %{last} ]\n");
        for (index, (ty, name)) in types.iter().zip(&names).enumerate() {
            let (start, end) = (&starts[index], &ends[index]);
            let _ =
                writeln!(header, "  {name} = phi {} [ {start}, %{before} ], [ {end}, %{last} ]", ty.name());
        }
        self.out.insert_str(at, &header);
        // What the header and the straight part defined dominates the exit.
        self.values.truncate(mark + types.len() + 1);
        self.begin(&exit);
    }

    /// `run` writes the result of each function for several arguments.
    fn run(&mut self) {
        self.out.push_str("define i64 @run(ptr %out) {\nentry:\n");
        self.next = 0;
        let mut count = 0;
        for index in 0..self.functions.len() {
            let Signature { name, result, parameters } = &self.functions[index];
            let (name, result, parameters) = (name.clone(), *result, parameters.clone());
            for _ in 0..4 {
                let arguments: Vec<String> =
                    parameters.iter().map(|ty| format!("{} {}", ty.name(), self.constant(*ty))).collect();
                let value = self.fresh();
                let list = arguments.join(", ");
                self.line(&format!("{value} = call {} @{name}({list})", result.name()));
                let wide = self.fresh();
                match result {
                    Ty::Int(64) => self.line(&format!("{wide} = add i64 {value}, 0")),
                    Ty::Int(128) => {
                        let (high, low, shifted) = (self.fresh(), self.fresh(), self.fresh());
                        self.line(&format!("{shifted} = lshr i128 {value}, 64"));
                        self.line(&format!("{high} = trunc i128 {shifted} to i64"));
                        self.line(&format!("{low} = trunc i128 {value} to i64"));
                        self.line(&format!("{wide} = xor i64 {high}, {low}"));
                    }
                    Ty::Int(bits) => self.line(&format!("{wide} = zext i{bits} {value} to i64")),
                    ty => self.line(&format!(
                        "{wide} = call i64 @llvm.fptosi.sat.i64.{}({} {value})",
                        ty.suffix(),
                        ty.name()
                    )),
                }
                let address = self.fresh();
                self.line(&format!("{address} = getelementptr i64, ptr %out, i64 {count}"));
                self.line(&format!("store i64 {wide}, ptr {address}"));
                count += 1;
            }
        }
        self.line(&format!("ret i64 {count}"));
        self.out.push_str("}\n");
    }
}
