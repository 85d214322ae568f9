//! Reading containers: from bytes that may be anything to names, kinds and bitcode.

use crate::{
    ALIGN, DICTIONARY, Error, FUNCTION, FunctionKind, HEADER, IMPORT, INDEXED, INTERPOSABLE, IS_FUNCTION,
    KEYED, Key, MAGIC, NO_IMPORT, OptLevel, START, SYMBOL, Symbol, VERSION, hash_name, index_check,
};

/// A container whose index was checked. The bitcode is checked when it is unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    bytes: &'a [u8],
    functions: &'a [u8],
    imports: &'a [u8],
    symbols: &'a [u8],
    /// In UTF-8, which is checked when one is asked for: most never are.
    strings: &'a [u8],
    packed: &'a [u8],
}

/// A lazy function as its container describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionInfo<'a> {
    /// The name under which the bitcode defines it.
    pub name: &'a str,
    /// Who can name it.
    pub kind: FunctionKind,
    /// The import table's entry with its address, if it has a stub and bodies refer to it.
    pub import: Option<u32>,
    /// Whether another definition may take its place: it must not be inlined.
    pub interposable: bool,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// The container's length, from the first bytes of one.
fn length(bytes: &[u8]) -> Result<usize, Error> {
    if bytes.len() < HEADER {
        // What is there may still tell that it never was a container.
        let magic = &MAGIC[..bytes.len().min(MAGIC.len())];
        let cut = Error::Truncated { wanted: HEADER as u64, found: bytes.len() as u64 };
        return Err(if bytes.starts_with(magic) { cut } else { Error::Magic });
    }
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::Magic);
    }
    if word(bytes, 8) != VERSION {
        return Err(Error::Version { found: word(bytes, 8) });
    }
    let length = long(bytes, 16);
    if length < HEADER as u64 || !length.is_multiple_of(ALIGN as u64) {
        return Err(Error::Damaged("length"));
    }
    if length > bytes.len() as u64 {
        return Err(Error::Truncated { wanted: length, found: bytes.len() as u64 });
    }
    Ok(length as usize)
}

impl<'a> Container<'a> {
    /// The container at the start of `bytes`; what follows it is ignored.
    ///
    /// # Errors
    /// Those of [`Error`]: nothing of a container that is not whole, of another version or altered is used.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let container = Self::open(bytes)?;
        container.check_index()?;
        Ok(container)
    }

    /// As [`parse`](Self::parse), without the time that a checksum takes: whether the index was altered in a way that
    /// leaves it whole is for [`check_index`](Self::check_index) to find out.
    ///
    /// # Errors
    /// The container is visibly not whole, or of another version.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let bytes = &bytes[..length(bytes)?];
        let sizes = [
            u64::from(word(bytes, 64)) * FUNCTION as u64,
            u64::from(word(bytes, 68)) * IMPORT as u64,
            u64::from(word(bytes, 100)) * SYMBOL as u64,
            u64::from(word(bytes, 72)),
            long(bytes, 92),
        ];
        let mut rest = &bytes[HEADER..];
        let mut parts = [rest; 5];
        for (part, size) in parts.iter_mut().zip(sizes) {
            let size = usize::try_from(size).map_err(|_| Error::Damaged("index"))?;
            (*part, rest) = rest.split_at_checked(size).ok_or(Error::Damaged("index"))?;
        }
        if rest.len() >= ALIGN {
            return Err(Error::Damaged("length"));
        }
        let [functions, imports, symbols, strings, packed] = parts;
        Ok(Self { bytes, functions, imports, symbols, strings, packed })
    }

    /// Checks the index against its checksum.
    ///
    /// # Errors
    /// [`Error::Damaged`]
    pub fn check_index(&self) -> Result<(), Error> {
        let index =
            HEADER + self.functions.len() + self.imports.len() + self.symbols.len() + self.strings.len();
        let found = index_check(&self.bytes[START], &self.bytes[INDEXED..index]);
        if self.bytes[KEYED..INDEXED] == found { Ok(()) } else { Err(Error::Damaged("index")) }
    }

    /// SHA-256 of the content.
    pub fn key(&self) -> Key {
        self.bytes[24..KEYED].try_into().expect("32 bytes")
    }

    /// Whether the whole content matches the key: slower than the checks of the parts, for tools and tests.
    pub fn verify(&self) -> bool {
        use sha2::{Digest, Sha256};
        let found =
            Sha256::new().chain_update(&self.bytes[START]).chain_update(&self.bytes[KEYED..]).finalize();
        self.key() == *found
    }

    /// Length in bytes, with its padding.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The source file's name.
    pub fn source(&self) -> &'a str {
        self.string(self.bytes, 76).unwrap_or("(unknown source)")
    }

    /// The optimisation that the build asked for.
    pub fn opt_level(&self) -> OptLevel {
        OptLevel { speed: self.bytes[12], size: self.bytes[13] }
    }

    /// The build's further options, as words for the engine.
    pub fn options(&self) -> &'a str {
        self.string(self.bytes, 104).unwrap_or_default()
    }

    /// The number of lazy functions.
    pub fn function_count(&self) -> u32 {
        (self.functions.len() / FUNCTION) as u32
    }

    /// The lazy function of an index.
    pub fn function(&self, index: u32) -> Option<FunctionInfo<'a>> {
        let (kind, import) = self.kind(index)?;
        let entry = self.entry(index)?;
        let name = self.string(entry, 0)?;
        Some(FunctionInfo { name, kind, import, interposable: entry[13] & INTERPOSABLE != 0 })
    }

    /// Kind and import of the function of an index, as [`function`](Self::function) has them, without a look at its name.
    pub fn kind(&self, index: u32) -> Option<(FunctionKind, Option<u32>)> {
        let entry = self.entry(index)?;
        let kind = match entry[12] {
            0 => FunctionKind::Local,
            1 => FunctionKind::Inline,
            2 => FunctionKind::Stub,
            _ => return None,
        };
        self.string_bytes(entry, 0)?;
        Some((kind, Some(word(entry, 8)).filter(|import| *import != NO_IMPORT)))
    }

    fn entry(&self, index: u32) -> Option<&'a [u8; FUNCTION]> {
        self.functions.as_chunks().0.get(index as usize)
    }

    /// The lazy functions, by index.
    pub fn functions(&self) -> impl Iterator<Item = FunctionInfo<'a>> + '_ {
        (0..self.function_count()).filter_map(|index| self.function(index))
    }

    /// The number of entries in the import table.
    pub fn import_count(&self) -> u32 {
        (self.imports.len() / IMPORT) as u32
    }

    /// The symbol of an entry of the import table.
    pub fn import_name(&self, index: u32) -> Option<&'a str> {
        self.string(self.imports.chunks_exact(IMPORT).nth(index as usize)?, 0)
    }

    /// What a name means to this module.
    pub fn find(&self, name: &str) -> Option<Symbol> {
        let hash = hash_name(name);
        let count = self.symbols.len() / SYMBOL;
        let hash_at = |i: usize| long(self.symbols, i * SYMBOL);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if hash_at(middle) < hash { low = middle + 1 } else { high = middle }
        }
        (low..count).take_while(|i| hash_at(*i) == hash).find_map(|i| {
            let value = word(self.symbols, i * SYMBOL + 8);
            if value & IS_FUNCTION != 0 {
                let index = value & !IS_FUNCTION;
                (self.function(index)?.name == name).then_some(Symbol::Function(index))
            } else {
                (self.import_name(value)? == name).then_some(Symbol::Import(value))
            }
        })
    }

    /// The module's bitcode, unpacked.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it does not match its checksum.
    pub fn bitcode(&self) -> Result<Vec<u8>, Error> {
        let damaged = Error::Damaged("bitcode");
        let length = usize::try_from(long(self.bytes, 84)).map_err(|_| damaged.clone())?;
        // The frame repeats the length; the index check covers the one in the header.
        if !matches!(zstd::zstd_safe::get_frame_content_size(self.packed), Ok(Some(size)) if size == length as u64)
        {
            return Err(damaged);
        }
        let mut unpacker =
            zstd::bulk::Decompressor::with_dictionary(DICTIONARY).map_err(|_| damaged.clone())?;
        match unpacker.decompress(self.packed, length) {
            Ok(bitcode) if bitcode.len() == length => Ok(bitcode),
            _ => Err(damaged),
        }
    }

    /// A string, or `?` if it was altered to something else.
    fn string(&self, table: &[u8], at: usize) -> Option<&'a str> {
        Some(std::str::from_utf8(self.string_bytes(table, at)?).unwrap_or("?"))
    }

    fn string_bytes(&self, table: &[u8], at: usize) -> Option<&'a [u8]> {
        let start = word(table, at) as usize;
        self.strings.get(start..start.checked_add(word(table, at + 4) as usize)?)
    }
}

/// The containers of a store section, one behind the other. Only their headers are read: key and bytes of each. An
/// error ends the walk.
pub fn containers(section: &[u8]) -> impl Iterator<Item = Result<(Key, &[u8]), Error>> {
    let mut rest = section;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        Some(match length(rest) {
            Ok(length) => {
                let (this, next) = rest.split_at(length);
                rest = next;
                Ok((this[24..KEYED].try_into().expect("32 bytes"), this))
            }
            Err(error) => {
                rest = &[];
                Err(error)
            }
        })
    })
}
