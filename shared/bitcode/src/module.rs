//! A module: what its own blocks say, and where its functions' bodies are.

use crate::attributes::Attributes;
use crate::bits::Cursor;
use crate::constants::{Constant, Constants, Data};
use crate::stream::{Info, Next, Reader, block};
use crate::{
    AttributeList, AttributeListId, Error, FunctionBody, Global, Reason, Result, Seldom, TypeId, TypeTable,
    Value, constant_reader, function, module_reader,
};

/// A module of bitcode, opened. It borrows the bytes; bodies are read from them when asked for.
#[derive(Debug)]
pub struct BitcodeModule<'a> {
    /// The bytes with its constants.
    pub(crate) bytes: &'a [u8],
    pub(crate) types: TypeTable,
    pub(crate) attributes: Attributes,
    pub(crate) globals: Vec<Global>,
    pub(crate) seldom: Vec<Seldom>,
    pub(crate) constants: Constants,
    /// Types of globals' addresses and of constants.
    pub(crate) value_types: Vec<TypeId>,
    /// Abbreviations for blocks within the module.
    pub(crate) info: Info,
    /// The width of abbreviations in the module's block.
    pub(crate) width: u32,
    /// By global, the number of its body; `u32::MAX` for none.
    pub(crate) bodies: Vec<u32>,
    /// The blocks of the bodies, if they are in these bytes.
    pub(crate) blocks: Vec<&'a [u8]>,
    pub(crate) strings: &'a [u8],
    pub(crate) triple: Vec<u8>,
    pub(crate) data_layout: Vec<u8>,
    pub(crate) source: Vec<u8>,
    pub(crate) sections: Vec<Vec<u8>>,
    pub(crate) comdats: Vec<(u32, u32)>,
    /// How many garbage collectors are named.
    pub(crate) collectors: u32,
    pub(crate) bundle_tags: Vec<Vec<u8>>,
    pub(crate) sync_scopes: Vec<Vec<u8>>,
    pub(crate) assembly: Vec<u8>,
    /// The block with the names of kinds of metadata, if it is in these bytes: the words that it is in, and its first bit.
    pub(crate) kinds: Option<(&'a [u8], u64)>,
    /// The block of metadata, if it is in these bytes.
    pub(crate) metadata: &'a [u8],
}

/// The parts of a module that has been [cut](crate::Cut) without which none of its bodies can be read.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// [`Cut::head`](crate::Cut::head)
    pub head: &'a [u8],
    /// [`Cut::middle`](crate::Cut::middle)
    pub middle: &'a [u8],
    /// [`Cut::strings`](crate::Cut::strings)
    pub strings: &'a [u8],
}

impl<'a> BitcodeModule<'a> {
    /// Opens the module in `bytes`: bitcode with one module, as LLVM 22 writes it.
    pub fn parse(bytes: &'a [u8]) -> Result<BitcodeModule<'a>> {
        module_reader::parse(bytes)
    }

    /// Opens a module that has been cut. Its bodies and its metadata are to be handed in where they are asked for:
    /// [`read_block`](Self::read_block), [`Metadata::of`](crate::Metadata::of).
    pub fn open(parts: Parts<'a>) -> Result<BitcodeModule<'a>> {
        module_reader::open(parts)
    }

    /// Reads the body of the function of this index among the globals.
    pub fn read_function(&self, function: u32, body: &mut FunctionBody) -> Result<()> {
        self.read_block(function, self.block(function)?, body)
    }

    /// The same, and keeps what is said of variables ([`FunctionBody::debug_records`]).
    pub fn read_function_with_debug_records(&self, function: u32, body: &mut FunctionBody) -> Result<()> {
        function::read(self, function, self.block(function)?, body, function::Debug::Records)
    }

    /// Reads the body of the function of this index among the globals from its block, the first in `block`.
    pub fn read_block(&self, function: u32, block: &[u8], body: &mut FunctionBody) -> Result<()> {
        function::read(self, function, block, body, function::Debug::Locations)
    }

    /// The same without source locations, which take as long as all else; whether there are some is told
    /// ([`FunctionBody::has_locations`]).
    pub fn read_code(&self, function: u32, block: &[u8], body: &mut FunctionBody) -> Result<()> {
        function::read(self, function, block, body, function::Debug::None)
    }

    /// The block of a function's body, of a module that was not cut.
    pub fn block(&self, function: u32) -> Result<&'a [u8]> {
        let number = self.body(function).ok_or(Error { reason: Reason::NoBody, bit: 0 })?;
        self.blocks.get(number as usize).copied().ok_or(Error { reason: Reason::NoBody, bit: 0 })
    }

    /// Where the blocks of bodies begin in `group`, which is made of such blocks.
    pub fn blocks(&self, group: &[u8]) -> Result<Vec<u32>> {
        let mut starts = Vec::new();
        let mut reader = Reader::within(Cursor::new(group), self.width);
        while reader.cursor.left() > 0 {
            let start = reader.cursor.bit() / 8;
            if reader.next()? != Next::Block(block::FUNCTION) {
                return Err(reader.error(Reason::Structure));
            }
            reader.skip_block()?;
            starts.push(u32::try_from(start).map_err(|_| reader.error(Reason::TooLarge))?);
        }
        Ok(starts)
    }

    /// Whether the global of this index is a function with a body.
    pub fn has_body(&self, function: u32) -> bool {
        self.body(function).is_some()
    }

    /// The number of a function's body, in the order of the bitcode.
    pub fn body(&self, function: u32) -> Option<u32> {
        self.bodies.get(function as usize).copied().filter(|&body| body != u32::MAX)
    }

    /// The types.
    pub fn types(&self) -> &TypeTable {
        &self.types
    }

    /// Variables, functions, aliases and indirect functions, in the order of their values.
    pub fn globals(&self) -> &[Global] {
        &self.globals
    }

    /// What few globals have, of one of them.
    pub fn seldom(&self, global: &Global) -> Seldom {
        let number = (global.seldom as usize).checked_sub(1);
        number.and_then(|number| self.seldom.get(number)).copied().unwrap_or_default()
    }

    /// A global's name, empty if it has none.
    pub fn name(&self, global: &Global) -> &'a [u8] {
        self.string(global.name)
    }

    fn string(&self, (start, length): (u32, u32)) -> &'a [u8] {
        self.strings.get(start as usize..start as usize + length as usize).unwrap_or(&[])
    }

    /// The section of a global's `section` field.
    pub fn section(&self, section: u32) -> Option<&[u8]> {
        self.sections.get((section as usize).checked_sub(1)?).map(Vec::as_slice)
    }

    /// The name of the comdat of a global's `comdat` field.
    pub fn comdat(&self, comdat: u32) -> Option<&'a [u8]> {
        self.comdats.get((comdat as usize).checked_sub(1)?).map(|&name| self.string(name))
    }

    /// The attributes of a list.
    pub fn attributes(&self, list: AttributeListId) -> AttributeList<'_> {
        self.attributes.list(list)
    }

    /// One of the module's constants; none for globals and what belongs to functions.
    pub fn constant(&self, value: Value) -> Option<Constant<'_>> {
        self.constants.get((value.0 as usize).checked_sub(self.globals.len())?, self.bytes)
    }

    /// The type of a global's address or of one of the module's constants.
    pub fn type_of(&self, value: Value) -> Option<TypeId> {
        self.value_types.get(value.0 as usize).copied()
    }

    /// One more than the greatest value of the module: its globals and constants.
    pub fn values(&self) -> u32 {
        self.value_types.len() as u32
    }

    /// The elements of an array or vector of numbers, each in the lower bits.
    pub fn data(&self, data: &Data<'_>, into: &mut Vec<u64>) -> Result<()> {
        into.clear();
        constant_reader::array(&data.numbers).read(data.bytes, |element| into.push(element))?;
        if data.numbers.terminated {
            into.push(0);
        }
        Ok(())
    }

    /// The tag of an operand bundle: `deopt`, `kcfi` …
    pub fn bundle_tag(&self, tag: u32) -> &[u8] {
        self.bundle_tags.get(tag as usize).map_or(&[], Vec::as_slice)
    }

    /// The name of a synchronization scope: `singlethread`; that of the whole system is empty.
    pub fn sync_scope(&self, scope: u32) -> &[u8] {
        self.sync_scopes.get(scope as usize).map_or(&[], Vec::as_slice)
    }

    /// The target triple.
    pub fn triple(&self) -> &[u8] {
        &self.triple
    }

    /// The data layout.
    pub fn data_layout(&self) -> &[u8] {
        &self.data_layout
    }

    /// The name of the source file.
    pub fn source_file(&self) -> &[u8] {
        &self.source
    }

    /// Assembly of the module itself.
    pub fn assembly(&self) -> &[u8] {
        &self.assembly
    }
}
