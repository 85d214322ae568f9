//! Reading containers: from bytes that may be anything to names, kinds and bitcode.

use crate::{
    ALIGN, DICTIONARY, Error, FIXED, FRONT, FUNCTION, FunctionKind, HEADER, IMPORT, INDEXED, INTERPOSABLE,
    IS_FUNCTION, KEYED, Key, MAGIC, NO_IMPORT, OptLevel, PIECE, Piece, START, SYMBOL, Symbol, VERSION,
    hash_name, index_check, is_strings,
};

/// A container whose index was checked. The bitcode is checked when it is unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    bytes: &'a [u8],
    functions: &'a [u8],
    imports: &'a [u8],
    symbols: &'a [u8],
    pieces: &'a [u8],
    /// In UTF-8, which is checked when one is asked for: most never are.
    strings: &'a [u8],
    packed: &'a [u8],
}

/// A lazy function as its container describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionInfo<'a> {
    /// The name under which the bitcode defines it.
    pub name: &'a str,
    /// What can name it.
    pub kind: FunctionKind,
    /// The import table's entry with its address, if it has a stub and bodies refer to it.
    pub import: Option<u32>,
    /// Whether another definition may take its place: it must not be inlined.
    pub interposable: bool,
}

const DAMAGED: Error = Error::Damaged("bitcode");

/// What unpacks pieces, with memory for it.
pub struct Unpacker(zstd::zstd_safe::DCtx<'static>);

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    /// One to be used for any pieces.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new() -> Result<Self, Error> {
        zstd::zstd_safe::DCtx::try_create().map(Self).ok_or(DAMAGED)
    }

    fn unpack(
        &mut self,
        packed: &[u8],
        dictionary: &[u8],
        length: usize,
        into: &mut (impl zstd::zstd_safe::WriteBuf + ?Sized),
    ) -> Result<(), Error> {
        let written = match packed {
            [] => Ok(0),
            _ => self.0.decompress_using_dict(into, packed, dictionary),
        };
        if written == Ok(length) { Ok(()) } else { Err(DAMAGED) }
    }
}

/// Room for so many bytes.
fn reserve(bytes: &mut Vec<u8>, length: u64) -> Result<(), Error> {
    let length = usize::try_from(length).map_err(|_| DAMAGED)?;
    bytes.try_reserve_exact(length).map_err(|_| DAMAGED)
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
            u64::from(word(bytes, 112)) * PIECE as u64,
            u64::from(word(bytes, 72)),
            long(bytes, 92),
        ];
        let mut rest = &bytes[HEADER..];
        let mut parts = [rest; 6];
        for (part, size) in parts.iter_mut().zip(sizes) {
            let size = usize::try_from(size).map_err(|_| Error::Damaged("index"))?;
            (*part, rest) = rest.split_at_checked(size).ok_or(Error::Damaged("index"))?;
        }
        if rest.len() >= ALIGN {
            return Err(Error::Damaged("length"));
        }
        let [functions, imports, symbols, pieces, strings, packed] = parts;
        let container = Self { bytes, functions, imports, symbols, pieces, strings, packed };
        let (unpacked, packed_sum) =
            container.pieces().fold((0, 0), |(unpacked, packed), (piece, length)| {
                (unpacked + u64::from(piece.bytes), packed + u64::from(length))
            });
        let count = pieces.len() / PIECE;
        // zstd makes at most 128 KiB of 4 bytes.
        let plausible = unpacked >> 15 <= packed_sum;
        let whole = unpacked == long(bytes, 84) && packed_sum == packed.len() as u64;
        if (count != 1 && count < FIXED) || !whole || !plausible {
            return Err(Error::Damaged("index"));
        }
        Ok(container)
    }

    /// Checks the index against its checksum.
    ///
    /// # Errors
    /// [`Error::Damaged`]
    pub fn check_index(&self) -> Result<(), Error> {
        let index = self.bytes.len().min(
            HEADER
                + self.functions.len()
                + self.imports.len()
                + self.symbols.len()
                + self.pieces.len()
                + self.strings.len(),
        );
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
        let hash_at = |i: usize| word(self.symbols, i * SYMBOL);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if hash_at(middle) < hash { low = middle + 1 } else { high = middle }
        }
        (low..count).take_while(|i| hash_at(*i) == hash).find_map(|i| {
            let value = word(self.symbols, i * SYMBOL + 4);
            if value & IS_FUNCTION != 0 {
                let index = value & !IS_FUNCTION;
                (self.function(index)?.name == name).then_some(Symbol::Function(index))
            } else {
                (self.import_name(value)? == name).then_some(Symbol::Import(value))
            }
        })
    }

    /// The module's bitcode, unpacked, and put together if something was taken out of its bodies.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a piece does not match its checksum, or pieces do not belong to one another.
    pub fn bitcode(&self) -> Result<Vec<u8>, Error> {
        // Its pieces were added up when the container was opened.
        let mut bitcode = Vec::new();
        reserve(&mut bitcode, long(self.bytes, 84))?;
        bitcode.resize(bitcode.capacity(), 0);
        let mut unpacker = Unpacker::new()?;
        let (mut end, mut ends) = (0, Vec::new());
        for (number, (piece, _)) in self.pieces().enumerate() {
            let start = end;
            end += piece.bytes as usize;
            ends.push(end);
            let into = bitcode.get_mut(start..end).ok_or(DAMAGED)?;
            unpacker.unpack(self.packed(number)?, self.dictionary(number), into.len(), into)?;
        }
        bitcode.truncate(end);
        match self.notes().and_then(|notes| self.piece(notes)) {
            Some(Piece { bytes: 1.., .. }) => self.join(&bitcode, &ends).ok_or(DAMAGED),
            _ => Ok(bitcode),
        }
    }

    /// Puts back into the bodies what was taken out of them; pieces by where they end.
    fn join(&self, pieces: &[u8], ends: &[usize]) -> Option<Vec<u8>> {
        let piece = |number: usize| {
            let start = number.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
            pieces.get(start?..*ends.get(number)?)
        };
        let groups: Option<Vec<_>> = self.groups().map(piece).collect();
        let notes = self.notes()?;
        let front = [piece(0)?, piece(1)?, piece(2)?];
        autojit_bitcode::join(front, &groups?, piece(notes)?, [piece(notes + 1)?, piece(notes + 2)?]).ok()
    }

    /// The number of the piece with notes of what was taken out of the bodies; none if the bitcode is not cut.
    fn notes(&self) -> Option<usize> {
        Some(self.groups().end).filter(|&end| end != 0)
    }

    /// Whether debug locations were taken out of the bodies of the pieces: only [`bitcode`](Self::bitcode) has them.
    pub fn is_apart(&self) -> bool {
        self.notes().and_then(|notes| self.piece(notes)).is_some_and(|notes| notes.bytes != 0)
    }

    /// The pieces of the bitcode by their lengths, and their lengths when they are packed.
    fn pieces(&self) -> impl Iterator<Item = (Piece<u32>, u32)> + 'a {
        let pieces = self.pieces.as_chunks::<PIECE>().0.iter();
        pieces.map(|piece| (Piece { bytes: word(piece, 0), bodies: word(piece, 8) }, word(piece, 4)))
    }

    /// The piece of this number.
    pub fn piece(&self, number: usize) -> Option<Piece<u32>> {
        self.pieces().nth(number).map(|(piece, _)| piece)
    }

    /// Which pieces are groups of bodies: none if the bitcode is not cut. In front of them are head (0), metadata (1) and
    /// middle (2), behind them the notes, the tail and the strings.
    pub fn groups(&self) -> std::ops::Range<usize> {
        let count = self.pieces.len() / PIECE;
        if count < FIXED { 0..0 } else { FRONT..count - (FIXED - FRONT) }
    }

    /// The piece of this number, unpacked.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there is none, or it does not match its checksum, or is of another length.
    pub fn unpack(&self, number: usize, unpacker: &mut Unpacker) -> Result<Vec<u8>, Error> {
        let length = self.piece(number).ok_or(DAMAGED)?.bytes;
        let mut bytes = Vec::new();
        reserve(&mut bytes, length.into())?;
        // Into memory that is not cleared before.
        unpacker.unpack(self.packed(number)?, self.dictionary(number), length as usize, &mut bytes)?;
        Ok(bytes)
    }

    /// What the piece of this number is packed with.
    fn dictionary(&self, number: usize) -> &'a [u8] {
        if is_strings(number, self.pieces.len() / PIECE) { self.strings } else { DICTIONARY }
    }

    /// What the piece of this number is packed to.
    fn packed(&self, number: usize) -> Result<&'a [u8], Error> {
        let start = self.pieces().take(number).map(|(_, length)| length as usize).sum::<usize>();
        let (_, length) = self.pieces().nth(number).ok_or(DAMAGED)?;
        self.packed.get(start..start + length as usize).ok_or(DAMAGED)
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
