//! Lines of baseline code, when they are first asked for.
//!
//! Receives functions that were compiled from a module's bitcode; hands on their lines and names. Nothing was kept of
//! them: the same bitcode gives the same code, so the functions are compiled again, and what this time tells of lines is
//! looked up in the module's metadata. Ordinary runs pay nothing for it, nor does the cache.

use std::collections::BTreeMap;

use autojit_baseline::{Baseline, Code};
use autojit_bitcode::{BitcodeModule, DebugLocation, Error, FunctionBody, Inst, Metadata, Reason, ScopeKind};
use autojit_code::Unit;
use autojit_code::dwarf::{FunctionLines, Inlined, Row, SourceFile, Subprogram};
use autojit_code::pack::{self, Key};
use autojit_code::unit::UnitFunction;
use autojit_store::Symbol;

use crate::compile::engine;
use crate::link::lines::{Bitcode, Compiled, Functions, Lines};
use crate::program::module::Module;

/// How many scopes are walked outwards at most: damaged ones may contain one another.
const NESTING: usize = 1000;

/// What is published of the lines of a module's unit: nothing is read yet.
pub fn later(module: &'static Module, unit: &Unit<'static>) -> Lines {
    Lines::Kept(None, Some(of_functions(unit, move |index| Some((module, index)))))
}

/// [`of_functions`] for the unit of a pack for `key`, which is read on demand.
pub fn of_pack(
    bytes: &'static [u8],
    key: Key,
    function: impl Fn(u32) -> Option<(&'static Module, u32)> + Send + 'static,
) -> Functions {
    Box::new(move || {
        let unit = pack::check_code(bytes, &key).and_then(|()| pack::decode_checked(bytes));
        unit.map(|unit| of_functions(&unit, function)()).unwrap_or_default()
    })
}

/// Whose lines can be made, of the functions of a unit; by number, their module and their index in it. Functions that are
/// another generator's turn out to be when they are compiled.
pub fn of_functions(
    unit: &Unit<'static>,
    function: impl Fn(u32) -> Option<(&'static Module, u32)> + Send + 'static,
) -> Functions {
    let functions = unit.functions.clone();
    Box::new(move || {
        let mut all: Vec<Bitcode> = Vec::new();
        for UnitFunction { symbol, offset, size, .. } in functions.iter() {
            let autojit_code::Symbol::Function(number) = symbol else { continue };
            let function = function(number).filter(|(module, _)| super::serves(module));
            let Some((module, index)) = function else { continue };
            let compiled = Compiled { index, start: offset as usize, size };
            match all.iter_mut().rfind(|bitcode| std::ptr::eq(bitcode.module, module)) {
                Some(bitcode) => bitcode.functions.push(compiled),
                None => all.push(Bitcode { module, functions: vec![compiled], read: of }),
            }
        }
        all
    })
}

/// The lines of those of `compiled` that have some. The module's image must stay loaded meanwhile.
fn of(module: &'static Module, compiled: &[Compiled]) -> Vec<FunctionLines> {
    // The stack that is walked may be a small one.
    engine::on_its_stack(|| read(module, compiled)).unwrap_or_default()
}

fn read(module: &'static Module, compiled: &[Compiled]) -> Vec<FunctionLines> {
    // Code from an image pack is bound without opening its modules.
    let Ok(opened) = module.open() else { return Vec::new() };
    let Ok(bytes) = opened.container.bitcode() else { return Vec::new() };
    let lines = BitcodeModule::parse(&bytes).and_then(|bitcode| {
        let mut globals = BTreeMap::new();
        for (number, global) in bitcode.globals().iter().enumerate() {
            let name = std::str::from_utf8(bitcode.name(global)).unwrap_or_default();
            if bitcode.has_body(number as u32)
                && let Some(Symbol::Function(index)) = opened.container.find(name)
            {
                globals.insert(index, number as u32);
            }
        }
        let mut reader = Reader {
            compiler: Baseline::new(&bitcode),
            metadata: Metadata::new(&bitcode)?,
            body: FunctionBody::default(),
            bitcode: &bitcode,
            counting: super::counts(module),
        };
        let of = |compiled: &Compiled| reader.lines(*globals.get(&compiled.index)?, compiled);
        Ok(compiled.iter().filter_map(of).collect())
    });
    lines.unwrap_or_else(|error| {
        log::info!("compiled code of {} has no lines: {error:?}", module.source());
        Vec::new()
    })
}

struct Reader<'m> {
    bitcode: &'m BitcodeModule<'m>,
    metadata: Metadata<'m>,
    compiler: Baseline<'m>,
    body: FunctionBody,
    counting: bool,
}

impl Reader<'_> {
    /// The lines of a function; None if it has none.
    fn lines(&mut self, global: u32, compiled: &Compiled) -> Option<FunctionLines> {
        self.bitcode.read_function(global, &mut self.body).ok()?;
        let code = self.compiler.compile(&self.body, self.counting).ok()?;
        // Lines of other code would be wrong.
        if code.text.len() != compiled.size as usize || code.lines.is_empty() {
            return None;
        }
        self.metadata.enter(&self.body).ok()?;
        let lines = FunctionLines { start: compiled.start, size: compiled.size, ..FunctionLines::default() };
        let mut table =
            Table { metadata: &mut self.metadata, lines, scopes: BTreeMap::new(), calls: BTreeMap::new() };
        table.fill(&self.body, &code).ok()?;
        Some(table.lines)
    }
}

/// The lines of a function in the making.
struct Table<'r, 'm> {
    metadata: &'r mut Metadata<'m>,
    lines: FunctionLines,
    /// By scope, the function that it is in and its file; by the numbers of `lines`.
    scopes: BTreeMap<u32, (u32, u32)>,
    /// By the location of a call that was replaced and the callee, its number.
    calls: BTreeMap<(u32, u32), u32>,
}

impl Table<'_, '_> {
    fn fill(&mut self, body: &FunctionBody, code: &Code) -> Result<(), Error> {
        let locations =
            || code.lines.iter().filter_map(|row| Some((row, body.location(Inst(row.instruction))?)));
        // The function itself is the first: the one in which nothing is inlined.
        let own = match locations().next() {
            Some((_, first)) => self.outermost(*first)?,
            None => return Ok(()),
        };
        let (own, _) = self.scope(own.scope)?;
        let first = Row {
            offset: 0,
            file: self.lines.subprograms[own as usize].file,
            line: self.lines.subprograms[own as usize].line,
            column: 0,
            inlined: None,
        };
        self.lines.rows.push(first);
        for (row, location) in locations() {
            let (callee, file) = self.scope(location.scope)?;
            let inlined = self.inlined(callee, location.inlined_at)?;
            let row = Row { offset: row.offset, file, line: location.line, column: location.column, inlined };
            match self.lines.rows.last_mut() {
                Some(last) if last.offset == row.offset => *last = row,
                _ => self.lines.rows.push(row),
            }
        }
        Ok(())
    }

    /// The call in the function itself by which a location came into it, or that location.
    fn outermost(&mut self, mut location: DebugLocation) -> Result<DebugLocation, Error> {
        for _ in 0..NESTING {
            if location.inlined_at == 0 {
                return Ok(location);
            }
            location = self.metadata.location(location.inlined_at)?;
        }
        Err(DAMAGED)
    }

    /// The function that a scope is in, and the file of the scope.
    fn scope(&mut self, number: u32) -> Result<(u32, u32), Error> {
        let (mut walked, mut next, mut file) = (Vec::new(), number, 0);
        let (subprogram, known_file) = loop {
            if let Some(known) = self.scopes.get(&next) {
                break *known;
            }
            if walked.len() == NESTING {
                return Err(DAMAGED);
            }
            walked.push(next);
            let scope = self.metadata.scope(next)?;
            if file == 0 {
                file = scope.file;
            }
            match scope.kind {
                ScopeKind::Block => next = scope.parent,
                ScopeKind::Subprogram => {
                    let file = self.file(scope.file)?;
                    self.lines.subprograms.push(Subprogram {
                        name: scope.name.to_vec(),
                        linkage_name: scope.linkage_name.to_vec(),
                        file,
                        line: scope.line,
                    });
                    let known = (self.lines.subprograms.len() as u32 - 1, file);
                    self.scopes.insert(next, known);
                    break known;
                }
                ScopeKind::Other => return Err(DAMAGED),
            }
        };
        let file = if file == 0 { known_file } else { self.file(file)? };
        self.scopes.insert(number, (subprogram, file));
        Ok((subprogram, file))
    }

    /// The number of a file, from the number of its node.
    fn file(&mut self, node: u32) -> Result<u32, Error> {
        let file = match node {
            0 => SourceFile::default(),
            node => {
                let file = self.metadata.file(node)?;
                SourceFile { directory: file.directory.to_vec(), name: file.name.to_vec() }
            }
        };
        let files = &mut self.lines.files;
        let known = files.iter().position(|known| *known == file);
        Ok(known.unwrap_or_else(|| {
            files.push(file);
            files.len() - 1
        }) as u32)
    }

    /// The number of a replaced call of `callee` at a location; None for no location.
    fn inlined(&mut self, callee: u32, at: u32) -> Result<Option<u32>, Error> {
        // Outwards, until one is known; then back, since parents have smaller numbers.
        let (mut open, mut next) = (Vec::new(), (callee, at));
        let mut parent = loop {
            let (callee, at) = next;
            if at == 0 {
                break None;
            }
            if let Some(known) = self.calls.get(&(at, callee)) {
                break Some(*known);
            }
            if open.len() == NESTING {
                return Err(DAMAGED);
            }
            let location = self.metadata.location(at)?;
            let (caller, file) = self.scope(location.scope)?;
            open.push((callee, at, (file, location.line, location.column)));
            next = (caller, location.inlined_at);
        };
        while let Some((subprogram, at, call)) = open.pop() {
            let number = self.lines.inlined.len() as u32;
            self.lines.inlined.push(Inlined { subprogram, parent, call });
            self.calls.insert((at, subprogram), number);
            parent = Some(number);
        }
        Ok(parent)
    }
}

/// Scopes that contain one another.
const DAMAGED: Error = Error { reason: Reason::Metadata, bit: 0 };
