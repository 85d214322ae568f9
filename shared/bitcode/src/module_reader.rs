//! Opens a module: one walk over its blocks, in which bodies of functions are passed over or are not there.

use crate::attributes::Attributes;
use crate::bits::Cursor;
use crate::constant_reader::{ANY, ConstantReader, Scratch, nesting_is_finite};
use crate::constants::Constants;
use crate::stream::{Head, Info, Next, Reader, Record, block};
use crate::types::Kind;
use crate::{
    BitcodeModule, Error, GlobalKind, Parts, Reason, Result, Seldom, TypeTable, attribute_reader,
    global_reader, type_reader,
};

const MAGIC: u64 = u32::from_le_bytes(*b"BC\xc0\xde") as u64;
/// The version of the module block: relative operands, names in the string table.
const VERSION: u64 = 2;
/// The epoch of the identification block.
const EPOCH: u64 = 0;
/// Bits that the record of a global takes at least, as a rule.
const GLOBAL: u64 = 128;

/// The outermost level.
pub(crate) fn top(bytes: &[u8]) -> Result<Reader<'_, 'static>> {
    let mut top = Reader::top(Cursor::new(bytes));
    if top.cursor.fixed(32) != MAGIC || top.cursor.check().is_err() {
        return Err(Error { reason: Reason::NotBitcode, bit: 0 });
    }
    Ok(top)
}

/// Reads the outermost level.
pub(crate) fn parse(bytes: &[u8]) -> Result<BitcodeModule<'_>> {
    let mut top = top(bytes)?;
    let mut module = None;
    let mut strings = None;
    // Blocks are padded to words, and so is the whole.
    while top.cursor.left() >= 32 {
        match top.next()? {
            Next::Block(block::IDENTIFICATION) => identification(&mut top.enter_plain()?)?,
            Next::Block(block::MODULE) if module.is_none() => {
                let mut inner = top.enter_plain()?;
                let mut reader = ModuleReader::new(bytes, inner.width());
                while reader.step(&mut inner)? {}
                module = Some(reader.finish(&inner)?);
            }
            Next::Block(block::STRINGS) if strings.is_none() => {
                strings = Some(string_table(&mut top.enter_plain()?)?)
            }
            Next::Block(block::SYMBOLS) => top.skip_block()?,
            _ => return Err(top.error(Reason::Structure)),
        }
    }
    let (Some(mut module), Some(strings)) = (module, strings) else {
        return Err(top.error(Reason::Structure));
    };
    take_strings(&mut module, strings).map_err(|reason| top.error(reason))?;
    Ok(module)
}

/// Reads the parts of a module that has been cut.
pub(crate) fn open<'a>(parts: Parts<'a>) -> Result<BitcodeModule<'a>> {
    let mut top = top(parts.head)?;
    let mut inner = loop {
        match top.next()? {
            Next::Block(block::IDENTIFICATION) => identification(&mut top.enter_plain()?)?,
            Next::Block(block::MODULE) => break top.enter_beginning()?,
            _ => return Err(top.error(Reason::Structure)),
        }
    };
    let mut reader = ModuleReader::new(parts.head, inner.width());
    reader.cut = true;
    for part in [None, Some(parts.middle)] {
        if let Some(part) = part {
            inner.cursor = Cursor::new(part);
            reader.constants_come = false;
        }
        while inner.cursor.left() > 0 {
            if !reader.step(&mut inner)? {
                return Err(inner.error(Reason::Structure));
            }
        }
    }
    let mut module = reader.finish(&inner)?;
    let mut top = Reader::top(Cursor::new(parts.strings));
    if top.next()? != Next::Block(block::STRINGS) {
        return Err(top.error(Reason::Structure));
    }
    let strings = string_table(&mut top.enter_plain()?)?;
    take_strings(&mut module, strings).map_err(|reason| top.error(reason))?;
    Ok(module)
}

/// Gives the module its string table, which has all of its names.
fn take_strings<'a>(module: &mut BitcodeModule<'a>, strings: &'a [u8]) -> core::result::Result<(), Reason> {
    module.strings = strings;
    let names = module.globals.iter().map(|global| global.name).chain(module.comdats.iter().copied());
    for (start, length) in names {
        if u64::from(start) + u64::from(length) > strings.len() as u64 {
            return Err(Reason::Name);
        }
    }
    Ok(())
}

fn identification(reader: &mut Reader<'_, '_>) -> Result<()> {
    let mut record = Record::default();
    loop {
        match reader.next()? {
            Next::End => return Ok(()),
            Next::Block(_) => return Err(reader.error(Reason::Block)),
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                match (head.code, reader.fields(head, &mut record)?) {
                    (1, _) | (2, &[EPOCH]) => {}
                    (2, _) => return Err(reader.error(Reason::Version)),
                    _ => return Err(reader.error(Reason::UnknownRecord)),
                }
            }
        }
    }
}

fn string_table<'a>(reader: &mut Reader<'a, '_>) -> Result<&'a [u8]> {
    let mut found = None;
    loop {
        match reader.next()? {
            Next::End => return found.ok_or(reader.error(Reason::Name)),
            Next::Record(abbreviation) if found.is_none() => {
                let head = reader.head(abbreviation)?;
                if head.code != 1 {
                    return Err(reader.error(Reason::UnknownRecord));
                }
                found = Some(reader.blob(head, &mut Record::default())?);
            }
            _ => return Err(reader.error(Reason::Block)),
        }
    }
}

struct ModuleReader<'a> {
    module: BitcodeModule<'a>,
    scratch: Scratch,
    /// How many functions have bodies.
    defined: u32,
    /// Whether the bodies are elsewhere.
    cut: bool,
    /// Whether constants may come: positions of theirs are those of the first part.
    constants_come: bool,
    version: bool,
}

impl<'a> ModuleReader<'a> {
    fn new(bytes: &'a [u8], width: u32) -> Self {
        let module = BitcodeModule {
            bytes,
            width,
            info: Info::default(),
            types: TypeTable::default(),
            attributes: Attributes::default(),
            globals: Vec::new(),
            seldom: Vec::new(),
            constants: Constants::default(),
            value_types: Vec::new(),
            bodies: Vec::new(),
            blocks: Vec::new(),
            strings: &[],
            triple: Vec::new(),
            data_layout: Vec::new(),
            source: Vec::new(),
            sections: Vec::new(),
            comdats: Vec::new(),
            collectors: 0,
            bundle_tags: Vec::new(),
            sync_scopes: Vec::new(),
            assembly: Vec::new(),
            kinds: None,
            metadata: &[],
        };
        ModuleReader {
            module,
            scratch: Scratch::default(),
            defined: 0,
            cut: false,
            constants_come: true,
            version: false,
        }
    }

    /// Reads what comes next; false at the end of the block.
    fn step(&mut self, reader: &mut Reader<'a, '_>) -> Result<bool> {
        let start = reader.cursor.bit();
        match reader.next()? {
            Next::End => return Ok(false),
            Next::Block(kind) => self.block(reader, kind, start)?,
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                self.record(reader, head)?;
            }
        }
        Ok(true)
    }

    fn finish(mut self, reader: &Reader<'a, '_>) -> Result<BitcodeModule<'a>> {
        if !self.version || !self.cut && self.module.blocks.len() != self.defined as usize {
            return Err(reader.error(Reason::Structure));
        }
        self.check().map_err(|reason| reader.error(reason))?;
        Ok(self.module)
    }

    fn block(&mut self, reader: &mut Reader<'a, '_>, kind: u32, start: u64) -> Result<()> {
        let module = &mut self.module;
        match kind {
            block::INFO => module.info.read(reader),
            block::TYPES if module.types.is_empty() => {
                type_reader::read(&mut reader.enter(kind, &module.info)?, &mut module.types)
            }
            block::ATTRIBUTE_GROUPS if module.attributes.groups.is_empty() => {
                let mut inner = reader.enter(kind, &module.info)?;
                attribute_reader::groups(&mut inner, &module.types, &mut module.attributes)
            }
            block::ATTRIBUTES if module.attributes.lists.is_empty() => {
                attribute_reader::lists(&mut reader.enter(kind, &module.info)?, &mut module.attributes)
            }
            block::CONSTANTS if self.constants_come => {
                let mut inner = reader.enter(kind, &module.info)?;
                let mut constants = ConstantReader {
                    types: &module.types,
                    globals: &module.globals,
                    table: &mut module.constants,
                    value_types: &mut module.value_types,
                    scratch: &mut self.scratch,
                    copies: false,
                };
                constants.read(&mut inner)
            }
            block::BUNDLE_TAGS => strings(&mut reader.enter(kind, &module.info)?, &mut module.bundle_tags),
            block::SYNC_SCOPES => strings(&mut reader.enter(kind, &module.info)?, &mut module.sync_scopes),
            block::FUNCTION if !self.cut => {
                self.constants_come = false;
                let block = block_at(reader, start)?;
                module.blocks.push(block);
                Ok(())
            }
            block::METADATA if module.metadata.is_empty() && !self.cut => {
                module.metadata = block_at(reader, start)?;
                Ok(())
            }
            block::METADATA_KINDS if module.kinds.is_none() && !self.cut => {
                reader.skip_block()?;
                // What comes in front of it need not be a block, so it begins at any bit.
                module.kinds = Some((reader.cursor.since(start / 32 * 32), start % 32));
                Ok(())
            }
            block::METADATA_KINDS
            | block::VALUE_SYMBOLS
            | block::USE_LISTS
            | block::SUMMARY
            | block::FULL_SUMMARY => reader.skip_block(),
            _ => Err(reader.error(Reason::Structure)),
        }
    }

    fn record(&mut self, reader: &mut Reader<'a, '_>, head: Head) -> Result<()> {
        let module = &mut self.module;
        let record = &mut self.scratch.record;
        match head.code {
            2 => return text(reader, head, record, &mut module.triple),
            3 => return text(reader, head, record, &mut module.data_layout),
            4 => return text(reader, head, record, &mut module.assembly),
            16 => return text(reader, head, record, &mut module.source),
            5 => {
                let mut name = Vec::new();
                text(reader, head, record, &mut name)?;
                module.sections.push(name);
                return Ok(());
            }
            11 => {
                module.collectors += 1;
                return reader.skip(head);
            }
            // Dependent libraries, place of the symbol table, hash.
            6 | 13 | 17 => return reader.skip(head),
            _ => {}
        }
        let record = reader.fields(head, record)?;
        let kind = match head.code {
            1 if *record == [VERSION] => {
                self.version = true;
                return Ok(());
            }
            1 => return Err(reader.error(Reason::Version)),
            12 => {
                let comdat = global_reader::comdat(record).map_err(|reason| reader.error(reason))?;
                module.comdats.push(comdat);
                return Ok(());
            }
            7 => GlobalKind::Variable,
            8 => GlobalKind::Function,
            14 => GlobalKind::Alias,
            18 => GlobalKind::Ifunc,
            _ => return Err(reader.error(Reason::UnknownRecord)),
        };
        if !self.version || !module.constants.entries.is_empty() || !self.constants_come {
            return Err(reader.error(Reason::Structure));
        }
        if module.globals.len() >= 1 << 29 {
            return Err(reader.error(Reason::TooLarge));
        }
        if module.globals.is_empty() && self.cut {
            // Little else follows in this part. Growing them would leave their old places behind, which is memory that was
            // used; what is too much is never touched.
            let count = (reader.cursor.left() / GLOBAL) as usize;
            module.globals.reserve_exact(count);
            // Those of constants come behind.
            module.value_types.reserve_exact(2 * count);
            module.bodies.reserve_exact(count);
        }
        let read = global_reader::global(kind, record, module);
        let (mut global, seldom) = read.map_err(|reason| reader.error(reason))?;
        if seldom != Seldom::default() {
            if module.seldom.last() != Some(&seldom) {
                module.seldom.push(seldom);
            }
            global.seldom = module.seldom.len() as u32;
        }
        let mut body = u32::MAX;
        if kind == GlobalKind::Function && !global.declaration {
            body = self.defined;
            self.defined += 1;
        }
        module.bodies.push(body);
        module.value_types.push(global.pointer_type);
        module.globals.push(global);
        Ok(())
    }

    /// What can be known only when all constants are.
    fn check(&mut self) -> core::result::Result<(), Reason> {
        let module = &self.module;
        if module.types.have_parts_of_wide_integers() && is_older(&module.data_layout) {
            return Err(Reason::Unsupported);
        }
        for &(value, expected) in &self.scratch.pending {
            let ty = module.value_types.get(value.0 as usize).ok_or(Reason::Value)?;
            if expected != ANY && *ty != expected {
                return Err(Reason::ValueType);
            }
        }
        for value in module.seldom.iter().flat_map(|seldom| [seldom.prefix, seldom.prologue]).flatten() {
            module.value_types.get(value.0 as usize).ok_or(Reason::Value)?;
        }
        for global in &module.globals {
            if let Some(personality) = global.personality() {
                module.value_types.get(personality.0 as usize).ok_or(Reason::Value)?;
            }
            let Some(initializer) = global.initializer() else { continue };
            let ty = *module.value_types.get(initializer.0 as usize).ok_or(Reason::Value)?;
            let right = match global.kind {
                GlobalKind::Variable => ty == global.value_type,
                _ => module.types.kind(ty) == Kind::Pointer,
            };
            if !right {
                return Err(Reason::ValueType);
            }
        }
        let base = module.globals.len() as u32;
        if nesting_is_finite(&module.constants, base, &mut self.scratch) {
            Ok(())
        } else {
            Err(Reason::NestedConstant)
        }
    }
}

/// Whether a data layout is one of LLVM before 18, to which integers of more than 64 bits were aligned to 8 bytes.
fn is_older(layout: &[u8]) -> bool {
    let wide = b"-i128:128";
    !layout.is_empty() && !layout.windows(wide.len()).any(|text| text == wide)
}

/// Passes over the block that comes next, whose first bit is this; gives its bytes.
fn block_at<'a>(reader: &mut Reader<'a, '_>, start: u64) -> Result<&'a [u8]> {
    if !start.is_multiple_of(32) {
        return Err(reader.error(Reason::Block));
    }
    reader.skip_block()?;
    Ok(reader.cursor.since(start))
}

/// Reads a record of characters, behind what is there.
fn text(reader: &mut Reader<'_, '_>, head: Head, record: &mut Record, into: &mut Vec<u8>) -> Result<()> {
    for &character in reader.fields(head, record)? {
        into.push(u8::try_from(character).map_err(|_| reader.error(Reason::Record))?);
    }
    Ok(())
}

/// Reads a block of strings, one a record.
fn strings(reader: &mut Reader<'_, '_>, into: &mut Vec<Vec<u8>>) -> Result<()> {
    let mut record = Record::default();
    loop {
        match reader.next()? {
            Next::End => return Ok(()),
            Next::Block(_) => return Err(reader.error(Reason::Block)),
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                if head.code != 1 {
                    return Err(reader.error(Reason::UnknownRecord));
                }
                let mut string = Vec::new();
                text(reader, head, &mut record, &mut string)?;
                into.push(string);
            }
        }
    }
}
