//! Writing containers: from the plugin's lists of functions and imports and the module's bitcode to bytes.

use sha2::{Digest, Sha256};

use crate::{
    ALIGN, DICTIONARY, FUNCTION, FunctionKind, HEADER, IMPORT, INDEXED, INTERPOSABLE, IS_FUNCTION, KEYED,
    Key, MAGIC, NO_IMPORT, OptLevel, PIECE, Piece, START, SYMBOL, VERSION, hash_name, index_check,
    is_strings,
};

/// zstd's level. At -O0 the plugin's time is what a build waits for: each level more costs a percent of sqlite3.c's
/// compile and saves a twentieth of its container.
const LEVEL: i32 = 2;

/// A lazy function.
#[derive(Clone, Debug)]
pub struct StoredFunction {
    /// The name under which the bitcode defines it.
    pub name: String,
    /// What can name it.
    pub kind: FunctionKind,
    /// The import table's entry with its address, if it has a stub and bodies refer to it.
    pub import: Option<u32>,
    /// Whether another definition may take its place: it must not be inlined.
    pub interposable: bool,
}

/// What goes into a container.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// The source file's name.
    pub source: &'a str,
    /// The optimisation that the build asked for.
    pub opt: OptLevel,
    /// Its further options, as words for the engine.
    pub options: &'a str,
    /// The lazy functions, by index.
    pub functions: &'a [StoredFunction],
    /// The import table's symbols, by index.
    pub imports: &'a [String],
    /// The module: one piece, or as many as are made of it when it is cut (crate documentation).
    pub bitcode: &'a [Piece<&'a [u8]>],
}

/// Bitcode that is not cut.
pub fn whole(bitcode: &[u8]) -> [Piece<&[u8]>; 1] {
    [Piece { bytes: bitcode, bodies: 0 }]
}

/// The container of `contents`, padded to a multiple of 8 bytes, and its key. The same contents give the same bytes.
///
/// # Errors
/// Those of zstd, when it has no memory.
pub fn encode(contents: &Contents<'_>) -> std::io::Result<(Vec<u8>, Key)> {
    let mut strings = String::new();
    let mut range_of = |name: &str| {
        let at = strings.len() as u32;
        strings.push_str(name);
        [at, name.len() as u32]
    };

    let mut tables = Vec::with_capacity(contents.functions.len() * 32 + contents.imports.len() * 24);
    for function in contents.functions {
        put(&mut tables, &range_of(&function.name));
        put(&mut tables, &[function.import.unwrap_or(NO_IMPORT)]);
        let flags = if function.interposable { INTERPOSABLE } else { 0 };
        tables.extend_from_slice(&[function.kind as u8, flags, 0, 0]);
    }
    for import in contents.imports {
        put(&mut tables, &range_of(import));
    }
    let source = range_of(contents.source);
    let options = range_of(contents.options);
    let symbols = symbols(contents);
    for (hash, value) in &symbols {
        put(&mut tables, &[*hash, *value]);
    }
    let (packed, total) = pack(contents.bitcode, strings.as_bytes(), &mut tables)?;
    debug_assert_eq!(
        tables.len(),
        contents.functions.len() * FUNCTION
            + contents.imports.len() * IMPORT
            + symbols.len() * SYMBOL
            + contents.bitcode.len() * PIECE
    );

    let length = (HEADER + tables.len() + strings.len() + packed.len()).next_multiple_of(ALIGN);
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&MAGIC);
    put(&mut out, &[VERSION]);
    out.extend_from_slice(&[contents.opt.speed, contents.opt.size, 0, 0]);
    out.extend_from_slice(&(length as u64).to_le_bytes());
    out.resize(INDEXED, 0); // key and index check come last
    put(&mut out, &[contents.functions.len() as u32, contents.imports.len() as u32, strings.len() as u32]);
    put(&mut out, &source);
    out.extend_from_slice(&total.to_le_bytes());
    out.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    put(&mut out, &[symbols.len() as u32]);
    put(&mut out, &options);
    put(&mut out, &[contents.bitcode.len() as u32, 0]);
    debug_assert_eq!(out.len(), HEADER);
    out.extend_from_slice(&tables);
    out.extend_from_slice(strings.as_bytes());
    let check = index_check(&out[START], &out[INDEXED..]);
    out[KEYED..INDEXED].copy_from_slice(&check);
    out.extend_from_slice(&packed);
    out.resize(length, 0);

    // Version, optimisation level and length lie before the key.
    let key: Key = Sha256::new().chain_update(&out[START]).chain_update(&out[KEYED..]).finalize().into();
    out[24..KEYED].copy_from_slice(&key);
    Ok((out, key))
}

/// Packs the pieces behind one another and adds them to the tables; also gives the length of all unpacked.
fn pack(pieces: &[Piece<&[u8]>], strings: &[u8], tables: &mut Vec<u8>) -> std::io::Result<(Vec<u8>, u64)> {
    let packer = |dictionary| {
        let mut packer = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
        packer.include_checksum(true)?;
        std::io::Result::Ok(packer)
    };
    let mut any = packer(DICTIONARY)?;
    let (mut packed, mut total) = (Vec::new(), 0);
    for (number, piece) in pieces.iter().enumerate() {
        let bytes = match piece.bytes {
            [] => Vec::new(),
            bytes if is_strings(number, pieces.len()) => packer(strings)?.compress(bytes)?,
            bytes => any.compress(bytes)?,
        };
        let word = |length| u32::try_from(length).map_err(|_| std::io::ErrorKind::FileTooLarge);
        put(tables, &[word(piece.bytes.len())?, word(bytes.len())?, piece.bodies]);
        packed.extend_from_slice(&bytes);
        total += piece.bytes.len() as u64;
    }
    Ok((packed, total))
}

/// Name hashes with what they mean, sorted. A function's import entry is found through the function.
fn symbols(contents: &Contents<'_>) -> Vec<(u32, u32)> {
    let functions =
        contents.functions.iter().enumerate().map(|(i, f)| (hash_name(&f.name), i as u32 | IS_FUNCTION));
    let own: std::collections::HashSet<u32> = contents.functions.iter().filter_map(|f| f.import).collect();
    let imports = contents.imports.iter().enumerate().map(|(i, name)| (hash_name(name), i as u32));
    let mut all: Vec<_> = functions.chain(imports.filter(|(_, i)| !own.contains(i))).collect();
    all.sort_unstable();
    all
}

fn put(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}
