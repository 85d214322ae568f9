//! Programs that stress what happens between functions: signatures of every class, every linkage, calls and addresses
//! across files and a shared library, some of them plain in the lazy build.
//!
//! Every call mixes its arguments into one checksum, which the program prints. A budget of calls ends the recursion.

use std::fmt::Write;

use super::choice::Choice;
use super::values::{Type, types};
use super::{Case, Part, Run, Unit};

/// How a function is known to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linkage {
    Extern,
    Static,
    Weak,
    /// Defined weakly in one file and strongly in another.
    Overridden,
    Hidden,
    /// In the header, a copy in each file.
    StaticInline,
    /// In the header, one copy for all.
    Inline,
    Alias,
    WeakAlias,
    Indirect,
}

const LINKAGES: [Linkage; 14] = [
    Linkage::Extern,
    Linkage::Extern,
    Linkage::Extern,
    Linkage::Static,
    Linkage::Static,
    Linkage::Static,
    Linkage::Weak,
    Linkage::Overridden,
    Linkage::Hidden,
    Linkage::StaticInline,
    Linkage::Inline,
    Linkage::Alias,
    Linkage::WeakAlias,
    Linkage::Indirect,
];

/// Calling conventions that clang has on x86-64.
const CONVENTIONS: [&str; 6] =
    ["ms_abi", "regcall", "vectorcall", "preserve_most", "preserve_none", "swiftcall"];

const ATTRIBUTES: [&str; 9] = [
    "noinline",
    "cold",
    "hot",
    "minsize",
    "noinline, optnone",
    "flatten",
    "target(\"avx2\")",
    "no_stack_protector",
    "aligned(64)",
];

#[derive(Debug, Clone)]
struct Function {
    number: usize,
    /// The file that defines it; for inline functions any file may use it.
    home: usize,
    linkage: Linkage,
    result: Type,
    parameters: Vec<Type>,
    /// The types behind `...`, of which the first parameter tells how many are passed.
    variadic: Option<Vec<Type>>,
    attribute: String,
    /// Throws instead of returning when the number that it made is divisible by this.
    throws: Option<u64>,
}

impl Function {
    fn name(&self) -> String {
        format!("f{}", self.number)
    }

    fn declaration(&self, name: &str) -> String {
        let mut parameters: Vec<_> =
            if self.variadic.is_some() { vec!["int count".to_owned()] } else { Vec::new() };
        let own = self.parameters.iter().enumerate();
        parameters.extend(own.map(|(index, kind)| format!("__typeof__({}) p{index}", kind.name)));
        if self.variadic.is_some() {
            parameters.push("...".to_owned());
        }
        if parameters.is_empty() {
            parameters.push("void".to_owned());
        }
        format!("{} {}{name}({})", self.result.name, self.attribute, parameters.join(", "))
    }

    /// Whether code in the file `file` may name it.
    fn visible(&self, file: usize, parts: &[Part]) -> bool {
        match self.linkage {
            Linkage::Static => self.home == file,
            Linkage::StaticInline | Linkage::Inline => true,
            Linkage::Hidden => parts[self.home] == parts[file],
            // A library must not use an indirect function of the program: it may be needed before it is known.
            Linkage::Indirect => parts[self.home] == parts[file] || parts[file] == Part::Program,
            _ => true,
        }
    }

    /// Whether its address is the same everywhere.
    fn has_one_address(&self) -> bool {
        use Linkage::{Alias, Extern, Overridden, Weak, WeakAlias};
        matches!(self.linkage, Extern | Weak | Overridden | Alias | WeakAlias)
    }
}

struct Generator {
    choice: Choice,
    cxx: bool,
    types: Vec<Type>,
    functions: Vec<Function>,
    parts: Vec<Part>,
    /// Whether functions may have arrays of variable length. Else they may have conventions that leave no register
    /// for these.
    room: bool,
}

/// The program of a seed.
pub fn generate(seed: u64) -> Case {
    let mut choice = Choice::new(seed);
    let cxx = choice.percent(35);
    let (types, header) = types(&mut choice, cxx);
    let mut parts = vec![Part::Program; 2 + choice.below(3)];
    if choice.percent(60) {
        parts.resize(parts.len() + 1 + choice.below(2), Part::Library);
    }
    let room = choice.percent(60);
    let mut generator = Generator { choice, cxx, types, functions: Vec::new(), parts, room };
    for number in 0..8 + generator.choice.below(24) {
        let function = generator.function(number);
        generator.functions.push(function);
    }
    generator.case(seed, header)
}

impl Generator {
    fn function(&mut self, number: usize) -> Function {
        let choice = &mut self.choice;
        let linkage = *choice.of(&LINKAGES);
        let convention = choice.percent(15).then(|| *choice.of(&CONVENTIONS));
        // Its symbol has an @, which means a version to linkers.
        let convention = convention.filter(|one| *one != "vectorcall" || linkage == Linkage::Static);
        let convention = convention.filter(|one| !self.room || *one == "ms_abi");
        let variadic = convention.is_none() && choice.percent(20);
        // clang does not align arguments to more than the stack is beside arrays of variable length.
        let usable = |kind: &&Type| (convention.is_none() || kind.scalar) && !(self.room && kind.aligned);
        let usable: Vec<Type> = self.types.iter().filter(usable).cloned().collect();
        let most = if choice.percent(20) { 12 } else { 5 };
        let count = choice.below(most);
        let parameters: Vec<Type> = (0..count).map(|_| choice.of(&usable).clone()).collect();
        let result = choice.of(&usable).clone();
        let passable: Vec<Type> = self.types.iter().filter(|kind| kind.variadic).cloned().collect();
        let variadic =
            variadic.then(|| (0..1 + choice.below(9)).map(|_| choice.of(&passable).clone()).collect());
        let mut attribute = String::new();
        if let Some(convention) = convention {
            attribute = format!("__attribute__(({convention})) ");
        } else if choice.percent(30) {
            let one = *choice.of(&ATTRIBUTES);
            // A function with another instruction set passes large vectors in another way.
            let wide = |kind: &Type| !kind.scalar;
            let vectors = wide(&result) || parameters.iter().any(wide) || variadic.is_some();
            if !(one.starts_with("target") && (vectors || linkage == Linkage::Indirect)) {
                attribute = format!("__attribute__(({one})) ");
            }
        }
        // Conventions other than C's have no landing pads in the caller's registers.
        let throws = (self.cxx && convention.is_none() && choice.percent(25)).then(|| 2 + choice.word() % 5);
        let home = choice.below(self.parts.len());
        Function { number, home, linkage, result, parameters, variadic, attribute, throws }
    }

    fn case(mut self, seed: u64, mut header: String) -> Case {
        let functions = self.functions.clone();
        for function in &functions {
            self.declare(&mut header, function);
        }
        for (file, _) in self.parts.iter().enumerate() {
            let kind = if self.cxx { "extern \"C\"" } else { "extern" };
            writeln!(header, "{kind} void *const addresses{file}[];").expect("strings take everything");
        }
        for function in functions.iter().filter(|f| f.linkage == Linkage::StaticInline) {
            let body = self.body(function, usize::MAX);
            let kind = "static inline __attribute__((unused))";
            let declaration = function.declaration(&function.name());
            writeln!(header, "{kind} {declaration} {body}").expect("strings take everything");
        }
        for function in functions.iter().filter(|f| f.linkage == Linkage::Inline) {
            let body = self.body(function, usize::MAX);
            let declaration = function.declaration(&function.name());
            writeln!(header, "inline {declaration} {body}").expect("strings take everything");
        }
        let extension = if self.cxx { "cpp" } else { "c" };
        let mut units = vec![Unit { file: "common.h".into(), text: header, part: Part::Header }];
        for (file, part) in self.parts.clone().into_iter().enumerate() {
            let text = self.file(file);
            units.push(Unit { file: format!("file{file}.{extension}"), text, part });
        }
        let all = self.choice.percent(40);
        let mut lazy: Vec<bool> = units.iter().map(|_| all || self.choice.percent(60)).collect();
        // The file with `main`.
        lazy[1] = true;
        let flags = ["-w", "-Wno-error"].map(str::to_owned).to_vec();
        let link = ["-lm", "-pthread"].map(str::to_owned).to_vec();
        let runs = Run::in_all_modes();
        Case { name: format!("calls-{seed}"), units, flags, link, lazy, passes: None, runs }
    }

    fn declare(&mut self, header: &mut String, function: &Function) {
        let name = function.name();
        let kind = match function.linkage {
            Linkage::Static => return,
            Linkage::StaticInline => "static inline",
            Linkage::Inline => "inline",
            Linkage::Hidden => "extern __attribute__((visibility(\"hidden\")))",
            // Names of others that assembler text or attributes mention must be plain ones.
            Linkage::Alias | Linkage::WeakAlias | Linkage::Indirect if self.cxx => "extern \"C\"",
            _ => "extern",
        };
        writeln!(header, "{kind} {};", function.declaration(&name)).expect("strings take everything");
    }

    /// One source file.
    fn file(&mut self, file: usize) -> String {
        let mut text = "#include \"common.h\"\n".to_owned();
        let c = if self.cxx { "extern \"C\" " } else { "" };
        if file == 0 {
            // Their declarations in the header tell the language of their names.
            text += "int pool[64];\nconst char letters[] = \"abcdefghijklmnopqrstuvwxyz\";\n";
            text += "u64 checksum;\nlong budget = 300;\nu64 helper_extern(u64 x) { return mix(x, 14); }\n";
        }
        text += "static __thread u64 local = 5;\nstatic u64 counter;\n";
        let functions = self.functions.clone();
        for function in functions.iter().filter(|f| f.home == file && f.linkage == Linkage::Static) {
            writeln!(text, "static {};", function.declaration(&function.name()))
                .expect("strings take everything");
        }
        let seen: Vec<&Function> = functions.iter().filter(|f| f.has_one_address()).collect();
        let addresses: Vec<_> = seen.iter().map(|f| format!("(void *){}", f.name())).collect();
        text += &format!("{c}void *const addresses{file}[] = {{{}, 0}};\n", addresses.join(", "));
        text += "static int order(const void *a, const void *b) {\n  trace(*(const u64 *)a);\n";
        text += "  return (*(const u64 *)a > *(const u64 *)b) - (*(const u64 *)a < *(const u64 *)b);\n}\n";
        for function in &functions {
            self.define(&mut text, function, file);
        }
        if self.choice.percent(40) {
            let call = self.calls(file, 2);
            text += "static __attribute__((constructor)) void begin(void) {\n  u64 h = 1;\n";
            text += &format!("{}  trace(h);\n}}\n", self.guarded(&call));
        }
        if file == 0 {
            self.main(&mut text);
        }
        text
    }

    fn define(&mut self, text: &mut String, function: &Function, file: usize) {
        let name = function.name();
        let own = function.home == file;
        let mut write = |line: String| writeln!(text, "{line}").expect("strings take everything");
        match function.linkage {
            Linkage::StaticInline => {}
            Linkage::Inline if own && !self.cxx => write(format!("extern {};", function.declaration(&name))),
            Linkage::Inline => {}
            Linkage::Overridden => {
                // In C every definition is behind the declaration, which must not be weak.
                let body = self.body(function, file);
                let declaration = function.declaration(&name);
                if own {
                    write(format!("{declaration} {body}"));
                } else if self.parts[file] == self.parts[function.home] && self.choice.percent(50) {
                    write(format!("__attribute__((weak)) {declaration} {body}"));
                }
            }
            _ if !own => {}
            Linkage::Static | Linkage::Extern | Linkage::Hidden => {
                let body = self.body(function, file);
                let kind = if function.linkage == Linkage::Static { "static " } else { "" };
                write(format!("{kind}{} {body}", function.declaration(&name)));
            }
            Linkage::Weak => {
                let body = self.body(function, file);
                write(format!("__attribute__((weak)) {} {body}", function.declaration(&name)));
            }
            Linkage::Alias | Linkage::WeakAlias => {
                let body = self.body(function, file);
                let c = if self.cxx { "extern \"C\" " } else { "" };
                let weak = if function.linkage == Linkage::WeakAlias { "weak, " } else { "" };
                let kind = if self.choice.percent(50) && !self.cxx { "static " } else { c };
                write(format!("{kind}{} {body}", function.declaration(&format!("{name}_target"))));
                let declaration = function.declaration(&name);
                let prefix = if function.attribute.contains("regcall") { "__regcall3__" } else { "" };
                let target = format!("{prefix}{name}_target");
                write(format!("{c}{declaration} __attribute__(({weak}alias(\"{target}\")));"));
            }
            Linkage::Indirect => {
                let (one, other) = (self.body(function, file), self.body(function, file));
                let c = if self.cxx { "extern \"C\" " } else { "" };
                write(format!("static {} {one}", function.declaration(&format!("{name}_one"))));
                write(format!("static {} {other}", function.declaration(&format!("{name}_other"))));
                let two = format!("(void *)(__builtin_cpu_supports(\"sse2\") ? {name}_one : {name}_other)");
                write(format!("{c}void *{name}_resolve(void) {{ __builtin_cpu_init(); return {two}; }}"));
                let declaration = function.declaration(&name);
                write(format!("{c}{declaration} __attribute__((ifunc(\"{name}_resolve\")));"));
            }
        }
    }

    /// The body of a function that is defined in `file`, or in the header if that is no file.
    fn body(&mut self, function: &Function, file: usize) -> String {
        let mut body = format!("{{\n  u64 h = {}UL;\n", self.choice.word());
        for (index, kind) in function.parameters.iter().enumerate() {
            writeln!(body, "  h = mix(h, sum_{}(p{index}));", kind.suffix).expect("strings take everything");
        }
        if let Some(kinds) = &function.variadic {
            body += "  va_list list;\n  va_start(list, count);\n";
            for (index, kind) in kinds.iter().enumerate() {
                let (name, suffix) = (&kind.name, &kind.suffix);
                body += &format!(
                    "  if (count > {index}) h = mix(h, sum_{suffix}(va_arg(list, __typeof__({name}))));\n"
                );
            }
            body += "  va_end(list);\n";
        }
        body += "  trace(h);\n  if (enter()) {\n";
        let count = self.choice.below(4);
        let calls = self.calls(file, count);
        body += &if self.choice.percent(30) { self.guarded(&calls) } else { calls };
        body += "  }\n";
        if let Some(divisor) = function.throws {
            // Below a budget, so that the program gets somewhere first.
            body += &format!("  if (h % {divisor} == 0 && budget < 280) throw h;\n");
        }
        body + &format!("  return make_{}(h);\n}}", function.result.suffix)
    }

    /// Statements with what is thrown in them caught, if the language can throw.
    fn guarded(&self, statements: &str) -> String {
        if self.cxx {
            format!("  try {{\n{statements}  }} catch (u64 thrown) {{ h = mix(h, thrown); }}\n")
        } else {
            statements.to_owned()
        }
    }

    fn calls(&mut self, file: usize, count: usize) -> String {
        let known: Vec<Function> = self
            .functions
            .iter()
            .filter(|f| {
                if file == usize::MAX {
                    !matches!(f.linkage, Linkage::Static | Linkage::Hidden | Linkage::Indirect)
                } else {
                    f.visible(file, &self.parts)
                }
            })
            .cloned()
            .collect();
        let mut text = String::new();
        for _ in 0..count {
            if known.is_empty() {
                break;
            }
            let function = self.choice.of(&known).clone();
            let statement = self.statement(file, &function);
            text += &statement;
        }
        text
    }

    fn statement(&mut self, file: usize, function: &Function) -> String {
        let name = function.name();
        let call = |callee: &str, generator: &mut Self| {
            let arguments = generator.arguments(function);
            format!("h = mix(h, sum_{}({callee}({arguments})));", function.result.suffix)
        };
        let one_address = self.functions.iter().filter(|f| f.has_one_address());
        let position = one_address.clone().position(|f| f.number == function.number);
        let other = self.choice.below(self.parts.len());
        match (self.choice.below(12), position) {
            (0, _) => format!("    {{ __typeof__(&{name}) volatile p = &{name}; {} }}\n", call("p", self)),
            (1, _) => {
                let table = format!("static const __typeof__(&{name}) table[] = {{{name}, {name}}};");
                // An inline function with external linkage has no variables of its own.
                let table = if file == usize::MAX { table.replace("static const ", "const ") } else { table };
                format!("    {{ {table} {} }}\n", call("table[h & 1]", self))
            }
            (2 | 3, Some(position)) => {
                let cast = format!("((__typeof__(&{name}))addresses{other}[{position}])");
                format!("    {}\n", call(&cast, self))
            }
            (4, Some(position)) => {
                format!("    h = mix(h, (void *){name} == addresses{other}[{position}]);\n")
            }
            (5, _) => format!(
                "    switch (h & 3) {{\n    case 0: {}\n    case 1: {} break;\n    default: h = mix(h, 3); }}\n",
                call(&name, self),
                call(&name, self)
            ),
            (6, _) if file != usize::MAX && !self.cxx => format!(
                "    {{ static void *const go[] = {{&&a, &&b}}; __label__ a, b; goto *go[h & 1];\n      a: {}\n      b: ; }}\n",
                call(&name, self)
            ).replace("{ static void *const go[] = {&&a, &&b}; __label__ a, b;", "{ __label__ a, b; static void *const go[] = {&&a, &&b};"),
            (7, _) if self.room => format!(
                "    {{ volatile char room[h % 97 + 1]; room[0] = (char)h; {} h = mix(h, (u64)room[0]); }}\n",
                call(&name, self)
            ),
            (8, _) if file != usize::MAX => {
                format!("    local += h; counter ^= local; {} h = mix(h, local ^ counter);\n", call(&name, self))
            }
            (9, _) if file != usize::MAX => format!(
                "    {{ u64 some[5] = {{h, h >> 7, h * 3, 1, h ^ 99}}; qsort(some, 5, sizeof *some, order); h = mix(h, some[2]); {} }}\n",
                call(&name, self)
            ),
            (10, _) => format!("    for (int i = 0; i < 2; i++) {{ {} }}\n", call(&name, self)),
            _ => format!("    {}\n", call(&name, self)),
        }
    }

    fn arguments(&mut self, function: &Function) -> String {
        let mut arguments = Vec::new();
        let mut passed = 0;
        if let Some(kinds) = &function.variadic {
            passed = self.choice.below(kinds.len() + 1);
            arguments.push(passed.to_string());
        }
        let passed = function.variadic.iter().flatten().take(passed);
        for (index, kind) in function.parameters.iter().chain(passed).enumerate() {
            arguments.push(format!("make_{}(h + {index})", kind.suffix));
        }
        arguments.join(", ")
    }

    fn main(&mut self, text: &mut String) {
        *text += "static void *in_thread(void *argument) {\n  u64 h = *(u64 *)argument;\n";
        let calls = self.calls(0, 2);
        *text += &format!("{}  *(u64 *)argument = h;\n  return 0;\n}}\n", self.guarded(&calls));
        *text += "int main(void) {\n  u64 h = 1;\n  for (int i = 0; i < 64; i++) pool[i] = i;\n";
        for _ in 0..3 {
            let calls = self.calls(0, 3);
            *text += "  budget = 300;\n";
            *text += &self.guarded(&calls);
            *text += "  printf(\"%016lx %016lx\\n\", h, checksum);\n";
        }
        *text += "  budget = 300;\n  pthread_t thread;\n  pthread_create(&thread, 0, in_thread, &h);\n";
        *text += "  pthread_join(thread, 0);\n  printf(\"%016lx %016lx\\n\", h, checksum);\n";
        *text += "  return (int)(h & 127);\n}\n";
    }
}
