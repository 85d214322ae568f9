//! Which lazy functions of an object refer to symbols or define them, and on which lines: what linkers tell from relocations and line
//! tables of a function's code, which is not in the object.

use std::collections::{BTreeMap, BTreeSet};

use autojit_bitcode::{BitcodeModule, Constant, FunctionBody, Global, Inst, Linkage, Metadata, Value};
use autojit_store::Container;
use autojit_trampoline::contract::STORE_SECTION;

use crate::elf::File;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What refers to symbols.
    References,
    /// What defines them.
    Definitions,
}

/// A place that refers to a symbol, or defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The symbol of the function.
    pub function: String,
    /// The source, as it was named to the compiler.
    pub file: String,
    /// 0 if it is not known.
    pub line: u32,
}

impl Place {
    /// A line about it. `name` makes a name of a symbol.
    pub fn told(&self, symbol: &str, what: What, name: impl Fn(&str) -> String) -> String {
        let Self { function, file, line } = self;
        let line = if *line == 0 { String::new() } else { format!(":{line}") };
        match what {
            What::References => format!("'{symbol}' is referred to by {} ({file}{line})", name(function)),
            What::Definitions => format!("'{symbol}' is defined in {file}{line}"),
        }
    }
}

/// The places in an object for each of the symbols `wanted`, in the order of the functions. What cannot be read has none.
pub fn of(object: &[u8], wanted: &[String], what: What) -> Vec<Vec<Place>> {
    let mut found = vec![Vec::new(); wanted.len()];
    let Ok(file) = File::parse(object) else { return found };
    let Ok(Some((_, store))) = file.section(STORE_SECTION) else { return found };
    // Most objects of a link have nothing to do with it, and a symbol table is read sooner than bodies.
    let name = |symbol: goblin::elf::Sym| file.elf.strtab.get_at(symbol.st_name);
    let fits = |symbol: &goblin::elf::Sym| (symbol.st_shndx == 0) == (what == What::References);
    let mut names = file.elf.syms.iter().filter(fits).filter_map(name);
    if !names.any(|name| wanted.iter().any(|wanted| wanted == name)) {
        return found;
    }
    for (_, bytes) in autojit_store::containers(store).map_while(Result::ok) {
        let Ok(container) = Container::parse(bytes) else { continue };
        let Ok(bitcode) = container.bitcode() else { continue };
        let Ok(module) = BitcodeModule::parse(&bitcode) else { continue };
        let mut search = Search::new(&module, wanted);
        let source = container.source();
        let bodies = || (0..module.globals().len() as u32).filter(|global| module.has_body(*global));
        if what == What::References {
            bodies().for_each(|global| search.accessor(global));
        }
        for global in bodies() {
            search.function(global, what, source, &mut found);
        }
    }
    found
}

/// A walk through the bodies of a module.
struct Search<'m> {
    module: &'m BitcodeModule<'m>,
    metadata: Option<Metadata<'m>>,
    body: FunctionBody,
    /// Globals that are wanted: the number of the symbol.
    wanted: BTreeMap<u32, usize>,
    /// Functions that stand for wanted variables.
    accessors: BTreeMap<u32, usize>,
    /// What constants of the module and of the body refer to.
    of_constants: BTreeMap<u32, BTreeSet<usize>>,
}

/// The name that a global has in objects.
fn symbol<'m>(module: &BitcodeModule<'m>, global: u32) -> &'m [u8] {
    let name = module.globals().get(global as usize).map_or(&[][..], |global| module.name(global));
    // What LLVM does not mangle, it marks.
    name.strip_prefix(b"\x01").unwrap_or(name)
}

impl<'m> Search<'m> {
    fn new(module: &'m BitcodeModule<'m>, wanted: &[String]) -> Self {
        let number = |global: u32| {
            let name = symbol(module, global);
            // Thread-local variables are reached by such functions (plugin/src/thread_locals.rs).
            let name = name.strip_prefix(b"__autojit_tls.").unwrap_or(name);
            Some((global, wanted.iter().position(|wanted| wanted.as_bytes() == name)?))
        };
        Self {
            module,
            metadata: Metadata::new(module).ok(),
            body: FunctionBody::default(),
            wanted: (0..module.globals().len() as u32).filter_map(number).collect(),
            accessors: BTreeMap::new(),
            of_constants: BTreeMap::new(),
        }
    }

    /// C++ reaches thread-local variables by functions that the compiler makes. What refers to such a function refers to the variable.
    fn accessor(&mut self, function: u32) {
        let module = self.module;
        let mut body = FunctionBody::default();
        if symbol(module, function).starts_with(b"_ZTW") && module.read_function(function, &mut body).is_ok()
        {
            let symbol = self.references(&module.globals()[function as usize], &body).first().copied();
            self.accessors.extend(symbol.map(|(symbol, _)| (function, symbol)));
        }
    }

    /// Adds the places in a function: each symbol once on each line.
    fn function(&mut self, function: u32, what: What, source: &str, found: &mut [Vec<Place>]) {
        let module = self.module;
        let global = module.globals()[function as usize];
        let defined = self.wanted.get(&function).copied();
        if what == What::Definitions && defined.is_none() {
            return;
        }
        // Such a body is for inlining, the symbol is another file's.
        if global.linkage == Linkage::AvailableExternally || self.accessors.contains_key(&function) {
            return;
        }
        let mut body = std::mem::take(&mut self.body);
        if module.read_function(function, &mut body).is_ok() {
            let own = module.values();
            self.of_constants.retain(|value, _| *value < own);
            if let Some(metadata) = &mut self.metadata {
                // Without its own nodes some lines are missing.
                let _ = metadata.enter(&body);
            }
            let places = match what {
                What::References => self.references(&global, &body),
                What::Definitions => defined.map(|symbol| (symbol, None)).into_iter().collect(),
            };
            let name = String::from_utf8_lossy(symbol(module, function)).into_owned();
            for (symbol, instruction) in places {
                let (file, line) = self.place(&body, instruction).unwrap_or_default();
                let file = if file.is_empty() { source.to_owned() } else { file };
                let place = Place { function: name.clone(), file, line };
                if !found[symbol].contains(&place) {
                    found[symbol].push(place);
                }
            }
        }
        self.body = body;
    }

    /// The symbols that a function refers to, and the instructions that do; none if it is the function itself.
    fn references(&mut self, global: &Global, body: &FunctionBody) -> BTreeSet<(usize, Option<u32>)> {
        let seldom = self.module.seldom(global);
        let attached = [global.personality(), seldom.prefix, seldom.prologue];
        let attached: Vec<_> =
            attached.into_iter().flatten().flat_map(|value| self.reach(body, value, 0)).collect();
        let mut places: BTreeSet<_> = attached.into_iter().map(|symbol| (symbol, None)).collect();
        for instruction in 0..body.instructions.len() as u32 {
            let symbols = self.operands(body, Inst(instruction));
            places.extend(symbols.into_iter().map(|symbol| (symbol, Some(instruction))));
        }
        places
    }

    /// The symbols that an instruction refers to.
    fn operands(&mut self, body: &FunctionBody, instruction: Inst) -> BTreeSet<usize> {
        let Some(instruction) = body.instruction(instruction) else { return BTreeSet::new() };
        let bundles = body.call(instruction).map_or(&[][..], |call| call.bundles);
        let bundled = bundles.iter().flat_map(|bundle| body.bundle(bundle));
        let values = body.operands(instruction).iter().chain(bundled);
        values.flat_map(|value| self.reach(body, *value, 0)).collect()
    }

    /// The symbols that a value is, or that a constant is made of.
    fn reach(&mut self, body: &FunctionBody, value: Value, depth: u32) -> BTreeSet<usize> {
        if let Some(symbol) = self.wanted.get(&value.0).or(self.accessors.get(&value.0)) {
            return BTreeSet::from([*symbol]);
        }
        if value.metadata().is_some() || depth > autojit_bitcode::DEPTH {
            return BTreeSet::new();
        }
        if let Some(known) = self.of_constants.get(&value.0) {
            return known.clone();
        }
        let Some(constant) = body.constant(self.module, value) else { return BTreeSet::new() };
        let parts: Vec<Value> = match constant {
            Constant::Aggregate(values) | Constant::Former(values) | Constant::PtrAuth(values) => {
                values.into()
            }
            Constant::GetElementPtr { operands, .. } => operands.into(),
            Constant::Binary { left, right, .. } => vec![left, right],
            Constant::Cast { value, .. } | Constant::DsoLocalEquivalent(value) | Constant::NoCfi(value) => {
                vec![value]
            }
            Constant::ExtractElement { vector, index } => vec![vector, index],
            Constant::InsertElement { vector, element, index } => vec![vector, element, index],
            Constant::ShuffleVector { left, right, mask } => vec![left, right, mask],
            _ => Vec::new(),
        };
        let reached: BTreeSet<_> =
            parts.into_iter().flat_map(|part| self.reach(body, part, depth + 1)).collect();
        self.of_constants.insert(value.0, reached.clone());
        reached
    }

    /// File and line of an instruction, or of the function.
    fn place(&mut self, body: &FunctionBody, instruction: Option<u32>) -> Option<(String, u32)> {
        let metadata = self.metadata.as_mut()?;
        let own = instruction.and_then(|instruction| body.location(Inst(instruction)));
        let (scope, line) = match own.filter(|location| location.line != 0) {
            Some(location) => (metadata.scope(location.scope).ok()?, location.line),
            None => {
                let mut all = (0..body.instructions.len() as u32).map(Inst);
                let mut location = *all.find_map(|instruction| body.location(instruction))?;
                while location.inlined_at != 0 {
                    location = metadata.location(location.inlined_at).ok()?;
                }
                let function = metadata.subprogram(location.scope).ok()?;
                (function, function.line)
            }
        };
        let file = metadata.file(scope.file).ok()?;
        Some((String::from_utf8_lossy(file.name).into_owned(), line))
    }
}
