//! Programs that consist of loops: nested ones of all forms, with several exits, entered in the middle, in expressions
//! whose other values wait, with variables of all types, dynamic allocas, calls that throw, objects that are destroyed,
//! `setjmp` around them, and calls of the functions that they are in.
//!
//! Every function has fuel, of which each round takes, and a budget of calls ends the recursion.

use std::fmt::Write;

use super::choice::Choice;
use super::values::{Type, types};
use super::{Case, Part, Run, Unit};

/// What C++ programs have beside: objects that note how they come and go, and may not come.
const OBJECTS: &str = "\
struct object {
  u64 own;
  object() : own(checksum) { if (mix(checksum, 9) % 17 == 0) throw checksum; trace(own); }
  object(u64 x) : own(x) {}
  object(const object &other) : own(mix(other.own, 3)) {}
  ~object() { trace(own); }
};
";

/// What is written to and read by others.
const COMMON: &str = "\
int pool[64];
const char letters[] = \"abcdefghijklmnopqrstuvwxyz\";
u64 checksum;
long budget = 200;
u64 helper_extern(u64 x) { return mix(x, 14); }
static volatile u64 fickle = 3;
struct node { struct node *next; u64 value; };
__attribute__((noinline)) static void poke(u64 *p, u64 x) { *p = mix(*p, x); }
";

/// Counters that loops may have, and how they go on.
const COUNTERS: [(&str, &str, &str); 7] = [
    ("unsigned", "< 7", "++"),
    ("int", "< 9", "+= 2"),
    ("signed char", "< 5", "++"),
    ("unsigned long", "< 30", "+= 7"),
    ("unsigned __int128", "< 6", "++"),
    ("double", "< 3.0", "+= 0.5"),
    ("unsigned short", "< 1000", "+= 299"),
];

/// Variables of numbers with what a round makes of them, and the number that they are in the end.
const NUMBERS: [(&str, &str, &str, &str); 10] = [
    ("unsigned", "w", "w = w * 3 + (unsigned)h", "w"),
    ("float", "f", "f = f * 0.5f + (float)(h & 31)", "(u64)(f * 16)"),
    ("double", "d", "d = d * 0.25 + (double)(h % 77)", "(u64)(d * 1024)"),
    ("long double", "e", "e = e * 0.5L + (long double)(h & 1023)", "(u64)(e * 4096)"),
    ("unsigned __int128", "q", "q = q * 5 + h", "(u64)(q >> 3)"),
    ("signed char", "c", "c = (signed char)(c + 3)", "(u64)c"),
    ("boolean", "b", "b = !b", "b"),
    ("v32", "y", "y = y * 3 + h", "y[0] ^ y[3]"),
    ("v16d", "z", "z = z * 0.5 + (double)(h & 63)", "(u64)z[1]"),
    ("v16", "s", "s = (s ^ (int)h) + 1", "(u64)s[0] ^ (u64)s[2]"),
];

#[derive(Debug, Clone)]
struct Function {
    number: usize,
    linkage: &'static str,
    parameters: Vec<Type>,
    /// How many arguments of 64 bits are passed behind them in `...`, if it is variadic.
    variadic: Option<usize>,
    result: Type,
}

/// Where a statement is.
#[derive(Debug, Clone, Copy)]
struct Scope {
    /// How deep.
    depth: usize,
    /// In a loop of the same expression.
    in_loop: bool,
    /// Jumps from elsewhere may come here.
    open: bool,
}

impl Scope {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
    fn body(self) -> Self {
        Self { in_loop: true, ..self.deeper() }
    }
    fn closed(self) -> Self {
        Self { open: false, ..self.deeper() }
    }
}

struct Generator {
    choice: Choice,
    cxx: bool,
    /// Those that variables have: some of all.
    types: Vec<Type>,
    functions: Vec<Function>,
    /// Of the function that is being written: labels, counters, and its variables of other types than numbers.
    labels: usize,
    counters: Vec<usize>,
    variables: Vec<(String, Type)>,
    own: usize,
    names: usize,
}

/// The program of a seed.
pub fn generate(seed: u64) -> Case {
    let mut choice = Choice::new(!seed);
    let cxx = choice.percent(40);
    let (all, header) = types(&mut choice, cxx);
    // clang passes arguments that are aligned to more than the stack is wrongly beside arrays of variable length.
    let all: Vec<Type> = all.into_iter().filter(|kind| !kind.aligned).collect();
    let types: Vec<Type> = (0..6).map(|_| choice.of(&all).clone()).collect();
    let functions = (0..2 + choice.below(2)).map(|number| Function {
        number,
        linkage: ["static ", "static __attribute__((noinline)) ", ""][choice.below(3)],
        parameters: (0..choice.below(4)).map(|_| choice.of(&types).clone()).collect(),
        variadic: choice.percent(15).then(|| 1 + choice.below(8)),
        result: choice.of(&types).clone(),
    });
    let functions = functions.collect();
    let (labels, counters, variables) = (0, Vec::new(), Vec::new());
    let mut generator =
        Generator { choice, cxx, types, functions, labels, counters, variables, own: 0, names: 0 };
    let text = generator.file();
    let (header, values) = apart(&header);
    let extension = if cxx { "cpp" } else { "c" };
    let unit = |file: &str, text, part| Unit { file: file.to_owned(), text, part };
    Case {
        name: format!("loops-{seed}"),
        units: vec![
            unit("common.h", header, Part::Header),
            unit(&format!("loops.{extension}"), text, Part::Program),
            unit(&format!("values.{extension}"), values, Part::Program),
        ],
        flags: ["-w", "-Wno-error", "-fwrapv"].map(str::to_owned).to_vec(),
        link: vec!["-lm".to_owned()],
        lazy: vec![false, true, false],
        passes: None,
        runs: Run::in_all_modes(),
    }
}

impl Generator {
    fn file(&mut self) -> String {
        let mut text = format!("#include \"common.h\"\n#include <setjmp.h>\n{COMMON}");
        if self.cxx {
            text += OBJECTS;
        }
        let functions = self.functions.clone();
        for function in &functions {
            writeln!(text, "{};", declaration(function)).expect("strings take everything");
        }
        for function in &functions {
            text += &self.function(function);
        }
        if !self.cxx {
            text += &self.jumps();
        }
        text + &self.main()
    }

    fn main(&mut self) -> String {
        let mut text =
            "int main(void) {\n  u64 h = 1, x = 2;\n  for (int i = 0; i < 64; i++) pool[i] = i;\n".to_owned();
        text += "  for (int round = 0; round < 3; round++) {\n";
        self.variables.clear();
        for function in self.functions.clone() {
            let call = format!(
                "budget = 60; {}",
                self.call(&function, Scope { depth: 9, in_loop: false, open: false })
            );
            text += &if self.cxx {
                format!("    try {{ {call} }} catch (u64 thrown) {{ h = mix(h, thrown); }}\n")
            } else {
                format!("    {call}\n")
            };
            text += "    printf(\"%016lx %016lx\\n\", h, checksum);\n";
        }
        if !self.cxx {
            text += "    h = mix(h, jumps(h));\n    printf(\"%016lx %016lx\\n\", h, checksum);\n";
        }
        text + "  }\n  return (int)(h & 127);\n}\n"
    }

    /// A function that others jump back to, out of loops.
    fn jumps(&mut self) -> String {
        let rounds = 2 + self.choice.below(9);
        let times = 1 + self.choice.below(6);
        format!(
            "static jmp_buf back;
static void leap(u64 x, unsigned n) {{
  for (unsigned i = 0;; i++) {{
    u64 room[1 + i % 5];
    for (unsigned j = 0; j <= i % 5; j++) room[j] = mix(x, j);
    trace(room[i % 5]);
    if (i == n) longjmp(back, 1 + (int)(x & 3));
  }}
}}
static u64 jumps(u64 x) {{
  volatile u64 h = x;
  for (volatile int i = 0; i < {rounds}; i++) {{
    int from = setjmp(back);
    if (from == 0) leap(h, i % {times});
    for (int j = 0; j < from + 2; j++) h = mix(h, j);
  }}
  return h;
}}
"
        )
    }

    fn function(&mut self, function: &Function) -> String {
        self.own = function.number;
        self.labels = 0;
        self.counters.clear();
        self.variables = (0..2 + self.choice.below(4))
            .map(|index| (format!("v{index}"), self.choice.of(&self.types).clone()))
            .collect();
        let parameters = function.parameters.iter().enumerate();
        self.variables.extend(parameters.map(|(index, kind)| (format!("p{index}"), kind.clone())));
        let scope = Scope { depth: 0, in_loop: false, open: true };
        let count = 1 + self.choice.below(2);
        let mut body = self.loop_of(scope);
        for _ in 0..count {
            body += &self.statement(scope);
        }
        while let Some(at) = body.find("@jump@") {
            let to = match self.labels {
                0 => "h++".to_owned(),
                labels => format!("goto l{}", self.choice.below(labels)),
            };
            body.replace_range(at..at + 6, &to);
        }
        let fuel = 20 + self.choice.below(60);
        let result = &function.result.suffix;
        let mut text = format!("{} {{\n  u64 h = mix(x, {}), a = x;\n", declaration(function), self.own);
        let mut line = |line: String| writeln!(text, "  {line}").expect("strings take everything");
        line(format!("int fuel = {fuel};"));
        for (kind, name, ..) in NUMBERS {
            line(if name == "y" || name == "z" || name == "s" {
                format!("{kind} {name} = {{0}};")
            } else {
                format!("{kind} {name} = 0;")
            });
        }
        for (index, kind) in self.counters.iter().enumerate() {
            line(format!("{} i{index} = 0;", COUNTERS[*kind].0));
        }
        for (name, kind) in self.variables.iter().filter(|(name, _)| name.starts_with('v')) {
            line(format!("__typeof__({}) {name} = make_{}(h);", kind.name, kind.suffix));
        }
        line(format!("if (!enter()) return make_{result}(h);"));
        if let Some(count) = function.variadic {
            line("va_list list;".to_owned());
            line("va_start(list, x);".to_owned());
            line(format!("for (int i = 0; i < {count}; i++) h = mix(h, va_arg(list, u64));"));
            line("va_end(list);".to_owned());
        }
        text += &body;
        for (_, _, _, number) in NUMBERS {
            writeln!(text, "  h = mix(h, {number});").expect("strings take everything");
        }
        for (name, kind) in &self.variables {
            writeln!(text, "  h = mix(h, sum_{}({name}));", kind.suffix).expect("strings take everything");
        }
        text + &format!("  trace(h ^ a);\n  return make_{result}(h);\n}}\n")
    }

    /// A new name with this first letter.
    fn name(&mut self, letter: char) -> String {
        self.names += 1;
        format!("{letter}_{}", self.names)
    }

    fn statements(&mut self, scope: Scope) -> String {
        let count = 1 + self.choice.below(if scope.depth > 2 { 2 } else { 3 });
        (0..count).map(|_| self.statement(scope)).collect()
    }

    fn statement(&mut self, scope: Scope) -> String {
        let label = scope.open && self.choice.percent(6);
        let prefix = if label {
            self.labels += 1;
            format!("  l{}:;\n", self.labels - 1)
        } else {
            String::new()
        };
        prefix + &self.any(scope)
    }

    fn any(&mut self, scope: Scope) -> String {
        let deep = scope.depth > 3;
        match self.choice.below(if deep { 9 } else { 20 }) {
            0..3 => {
                let (.., change, _) = *self.choice.of(&NUMBERS);
                format!("  {change};\n  h = mix(h, {});\n", self.choice.below(99))
            }
            3 => {
                let (name, kind) = self.choice.of(&self.variables).clone();
                format!("  h = mix(h, sum_{}({name}));\n", kind.suffix)
            }
            4 => {
                let (name, kind) = self.choice.of(&self.variables).clone();
                format!("  {name} = {};\n", self.value(&kind, scope))
            }
            5 => self.exit(scope),
            6 => {
                let function = self.choice.of(&self.functions).clone();
                format!("  {}\n", self.call(&function, scope))
            }
            7 => "  poke(&a, h); h ^= a + fickle;\n".to_owned(),
            8 => "  fickle = h; asm volatile(\"\" : \"+r\"(h));\n".to_owned(),
            9..14 => self.loop_of(scope),
            14 => {
                let condition = self.condition(scope);
                let (one, other) = (self.statements(scope.deeper()), self.statements(scope.deeper()));
                format!("  if ({condition}) {{\n{one}  }} else {{\n{other}  }}\n")
            }
            15 => {
                let mut text = format!("  switch ((unsigned)(h % {})) {{\n", 3 + self.choice.below(5));
                for case in 0..2 + self.choice.below(3) {
                    // A `break` would be the switch's.
                    let body = self.statements(Scope { in_loop: false, ..scope.deeper() });
                    let end = if self.choice.percent(70) { "break;" } else { "" };
                    text += &format!("  case {case}: {{\n{body}  }} {end}\n");
                }
                text + "  default:;\n  }\n"
            }
            16 => self.room(scope),
            17 if self.cxx => self.guarded(scope),
            17 => self.chain(scope),
            18 if self.cxx => self.objects(scope),
            18 => self.chain(scope),
            _ => {
                let (name, kind) = self.choice.of(&self.variables).clone();
                let value = self.value(&kind, scope);
                format!("  {name} = {};\n", self.waiting(&value, &kind, scope))
            }
        }
    }

    /// A way out of where it is, or to elsewhere.
    fn exit(&mut self, scope: Scope) -> String {
        let condition = self.condition(scope);
        let result = self.functions[self.own].result.suffix.clone();
        let what = match self.choice.below(10) {
            0..3 if scope.in_loop => "break".to_owned(),
            3..6 if scope.in_loop => "continue".to_owned(),
            6 => format!("return make_{result}(h)"),
            7 if self.cxx => "throw h".to_owned(),
            _ => "@jump@".to_owned(),
        };
        format!("  if (fuel-- > 0 && {condition}) {what};\n")
    }

    fn condition(&mut self, scope: Scope) -> String {
        let small = 2 + self.choice.below(5);
        match self.choice.below(if scope.depth > 3 { 6 } else { 8 }) {
            0 => format!("h % {small} != 1"),
            1 => format!("(w % {small} < 2 || d > 30)"),
            2 => "b".to_owned(),
            3 => format!("(h & 1 ? w : (unsigned)fuel) % {small} == 1"),
            4 => format!("(e < 700 && mix(h, {small}) % 3)"),
            5 => format!("q % {small} != 0"),
            6 => {
                let (name, kind) = self.choice.of(&self.variables).clone();
                format!("(f > 9 || sum_{}({name}) % {small})", kind.suffix)
            }
            _ => {
                let inner = self.statements(Scope { in_loop: false, ..scope.closed() });
                format!("({{ {inner} h % {small} == 0; }})")
            }
        }
    }

    /// A value of a type.
    fn value(&mut self, kind: &Type, scope: Scope) -> String {
        let same = self.variables.iter().filter(|(_, other)| other.suffix == kind.suffix);
        let same: Vec<String> = same.map(|(name, _)| name.clone()).collect();
        if !same.is_empty() && self.choice.percent(30) {
            return self.choice.of(&same).clone();
        }
        let made = format!("make_{}(h + {})", kind.suffix, self.choice.below(9));
        if scope.depth < 3 && self.choice.percent(25) { self.waiting(&made, kind, scope) } else { made }
    }

    /// A value with a loop in front of it, in an expression.
    fn waiting(&mut self, value: &str, kind: &Type, scope: Scope) -> String {
        let inner = self.loop_of(Scope { in_loop: false, ..scope.closed() });
        let condition = self.condition(Scope { depth: 9, ..scope });
        match self.choice.below(3) {
            0 => format!("({condition} ? {value} : ({{ {inner} make_{}(h); }}))", kind.suffix),
            1 => {
                let number = self.choice.of(&NUMBERS).3;
                format!("make_{}(mix({number}, ({{ {inner} h; }})))", kind.suffix)
            }
            _ => format!("({{ {inner} {value}; }})"),
        }
    }

    fn call(&mut self, function: &Function, scope: Scope) -> String {
        let mut arguments: Vec<_> =
            function.parameters.iter().map(|kind| self.value(kind, scope.closed())).collect();
        match function.variadic {
            None => arguments.insert(0, "h".to_owned()),
            Some(count) => {
                arguments.push("h".to_owned());
                arguments.extend((0..count).map(|index| format!("(u64)(h + {index})")));
            }
        }
        let call = format!("f{}({})", function.number, arguments.join(", "));
        format!("h = mix(h, sum_{}({call}));", function.result.suffix)
    }

    fn loop_of(&mut self, scope: Scope) -> String {
        if scope.open && scope.depth < 4 && self.choice.percent(12) {
            return self.dispatch(scope);
        }
        let scope = if scope.depth > 4 { Scope { depth: 9, ..scope } } else { scope };
        let form = self.choice.below(9);
        let jumps = form == 7 && scope.open;
        let body = if scope.depth > 4 {
            let (.., change, _) = *self.choice.of(&NUMBERS);
            format!("  {change};\n  h = mix(h, fuel);\n")
        } else {
            self.statements(if jumps { scope.deeper() } else { scope.body() })
        };
        let condition = self.condition(scope.deeper());
        match form {
            0..3 => {
                let kind = self.choice.below(COUNTERS.len());
                self.counters.push(kind);
                let (counter, (_, end, step)) = (format!("i{}", self.counters.len() - 1), COUNTERS[kind]);
                format!(
                    "  for ({counter} = 0; {counter} {end} && fuel-- > 0; {counter} {step}) {{\n\
                    {body}  h = mix(h, (u64){counter});\n  }}\n"
                )
            }
            3 => format!("  while (fuel-- > 0 && {condition}) {{\n{body}  h = mix(h, 1);\n  }}\n"),
            4 => format!("  do {{\n{body}  }} while (fuel-- > 0 && {condition});\n"),
            5 => format!(
                "  for (;; h = mix(h, 2)) {{\n  if (fuel-- <= 0) break;\n{body}  if ({condition}) break;\n  }}\n"
            ),
            6 => {
                let array = self.name('t');
                let pointer = self.name('p');
                format!(
                    "  {{ u64 {array}[5] = {{h, 1, h >> 9, 3, a}};\n  for (u64 *{pointer} = {array}; \
                    {pointer} < {array} + 5 && fuel-- > 0; {pointer}++) {{ h = mix(h, *{pointer}); \
                    *{pointer} = h; }}\n  h = mix(h, {array}[h % 5]); }}\n  do {{\n\
                    {body}  }} while (fuel-- > 0 && h % 3);\n"
                )
            }
            7 if jumps => {
                self.labels += 1;
                let label = self.labels - 1;
                format!("  l{label}:;\n{body}  if (fuel-- > 0 && {condition}) goto l{label};\n")
            }
            _ => {
                // Entered in the middle.
                let other = self.statements(scope.body());
                format!(
                    "  switch ((unsigned)(h % 3)) {{\n  case 0: do {{\n{body}  case 1: h = mix(h, 4);\n\
                    case 2: {{\n{other}  }}\n  }} while (fuel-- > 0 && {condition});\n  }}\n"
                )
            }
        }
    }

    /// Labels that are jumped to by their addresses, as in an interpreter: from one place, or from the end of each. Now and
    /// then the table's addresses are told to others.
    fn dispatch(&mut self, scope: Scope) -> String {
        let (table, label) = (self.name('t'), self.name('m'));
        let count = 2 + self.choice.below(4);
        let labels: Vec<String> = (0..count).map(|index| format!("&&{label}_{index}")).collect();
        let kind = *self.choice.of(&["static const void *const", "static const void *"]);
        let index = *self.choice.of(&["h", "(unsigned)letters[h % 26]", "(w + a)"]);
        let go = format!("goto *{table}[{index} % {count}];");
        let threaded = self.choice.percent(50);
        let mut text = format!("  {{ {kind} {table}[] = {{{}}};\n", labels.join(", "));
        if self.choice.percent(20) {
            text += &format!("  asm volatile(\"\" :: \"r\"({table}[0]));\n");
        }
        if !threaded {
            text += &format!("  {label}_next:;\n  if (fuel-- <= 0) goto {label}_end;\n");
        }
        text += &format!("  {go}\n");
        for number in 0..count {
            let body = self.statements(scope.deeper());
            text += &format!("  {label}_{number}:;\n{body}  h = mix(h, {number});\n");
            text += &if self.choice.percent(15) {
                let condition = self.condition(scope.deeper());
                format!("  if ({condition}) goto {label}_end;\n")
            } else {
                String::new()
            };
            text += &if threaded {
                format!("  if (fuel-- <= 0) goto {label}_end;\n  {go}\n")
            } else {
                format!("  goto {label}_next;\n")
            };
        }
        text + &format!("  {label}_end:; }}\n")
    }

    /// An array of variable length, in use in a loop and behind it.
    fn room(&mut self, scope: Scope) -> String {
        let (name, length, index) = (self.name('r'), self.name('n'), self.name('k'));
        let body = self.statements(Scope { in_loop: false, ..scope.closed() });
        format!(
            "  {{ unsigned {length} = 1 + h % 23; u64 {name}[{length}];\n  for (unsigned {index} = 0; \
            {index} < {length}; {index}++) {name}[{index}] = mix(h, {index});\n\
            {body}  h = mix(h, {name}[h % {length}]); }}\n"
        )
    }

    /// What a loop allocates, which stays until the function returns.
    fn chain(&mut self, scope: Scope) -> String {
        let (list, node) = (self.name('c'), self.name('n'));
        let body = self.statements(scope.closed().body());
        format!(
            "  {{ struct node *{list} = 0;\n  while (fuel-- > 0 && h % 11) {{\n\
            struct node *{node} = (struct node *)__builtin_alloca(sizeof *{node} + h % 40);\n\
            {node}->next = {list}; {node}->value = h; {list} = {node};\n{body}  h = mix(h, {list}->value);\n\
            }}\n  for (; {list}; {list} = {list}->next) h = mix(h, {list}->value); }}\n"
        )
    }

    /// Statements with what is thrown in them caught.
    fn guarded(&mut self, scope: Scope) -> String {
        let (body, handler) = (self.statements(scope.closed()), self.statements(scope.closed()));
        let kind = self.choice.of(&["u64 thrown", "const u64 &thrown", "..."]);
        let number = if *kind == "..." { "5" } else { "thrown" };
        let again = if self.choice.percent(20) { "  if (fuel-- > 0 && h % 5 == 0) throw;\n" } else { "" };
        format!(
            "  try {{\n{body}  if (h % 7 == 0) throw h;\n  }} catch ({kind}) {{\n  h = mix(h, {number});\n\
            {again}{handler}  }}\n"
        )
    }

    /// Objects that are there in a loop, one or many.
    fn objects(&mut self, scope: Scope) -> String {
        let name = self.name('o');
        let body = self.statements(scope.closed());
        let made = match self.choice.below(4) {
            0 => format!("object {name}[3];"),
            1 => format!("object {name}[2] = {{object(h), object(h + 1)}};"),
            2 => format!("unsigned n{name} = 1 + h % 4; object {name}[n{name}];"),
            _ => {
                return format!(
                    "  {{ object *{name} = new object[1 + h % 4];\n{body}  h = mix(h, {name}->own); \
                    delete[] {name}; }}\n"
                );
            }
        };
        format!("  {{ {made}\n{body}  h = mix(h, {name}[1 % (sizeof {name} / sizeof *{name})].own); }}\n")
    }
}

/// Header and a source file of what was all in a header: the functions of the types, which would be most of what is
/// compiled.
fn apart(header: &str) -> (String, String) {
    let (mut declarations, mut definitions) = (String::new(), "#include \"common.h\"\n".to_owned());
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        let function = line.split_once(" __attribute__((unused)) ").map(|(_, function)| function);
        let declared = function.and_then(|function| Some((function, function.split_once(" { ")?.0)));
        match declared.filter(|(_, declared)| declared.contains(" make_") || declared.contains(" sum_")) {
            None => declarations += &format!("{line}\n"),
            Some((function, declared)) => {
                declarations += &format!("{declared};\n");
                definitions += &format!("{function}\n");
                let mut last = function;
                while !last.ends_with(" }") {
                    last = lines.next().expect("functions end");
                    definitions += &format!("{last}\n");
                }
            }
        }
    }
    (declarations, definitions)
}

fn declaration(function: &Function) -> String {
    let mut parameters = Vec::new();
    let own = function.parameters.iter().enumerate();
    parameters.extend(own.map(|(index, kind)| format!("__typeof__({}) p{index}", kind.name)));
    // What `va_start` names comes last.
    let (first, last) =
        if function.variadic.is_some() { (None, Some("u64 x, ...")) } else { (Some("u64 x"), None) };
    let all: Vec<String> =
        first.map(str::to_owned).into_iter().chain(parameters).chain(last.map(str::to_owned)).collect();
    format!("{}{} f{}({})", function.linkage, function.result.name, function.number, all.join(", "))
}
