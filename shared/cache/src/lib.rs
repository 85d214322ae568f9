//! The object cache: where compiled code is kept for later runs, and what enters its keys. docs/cache-format.md
//! describes the files.
//!
//! Receives units of code, from the runtime that has compiled them or from autojitd ([`unit_of`], [`add`]); hands on the
//! bytes of files ([`Directory`]), which the runtime binds.
//!
//! This crate lives inside other people's processes: it makes raw system calls only.

mod contents;
mod directory;
pub mod profile;

use std::collections::BTreeSet;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_code::pack::{self, Key};
use autojit_code::{LinkError, Symbol, Unit};
use autojit_store::{Container, FunctionKind};
use autojit_sys::Errno;

pub use contents::CachedFile;
pub use directory::{Directory, Kind};

/// The key of a module's code: everything that determines it. `module` is the key of its container, `level` the
/// optimisation level that replaces the build's, -1 for none.
pub fn key_of(module: &autojit_store::Key, level: i32) -> Key {
    let version = pack::VERSION.to_le_bytes();
    autojit_store::digest(&[b"autojit code", &version, &GENERATOR, module, &level.to_le_bytes()])
}

/// The key of what the baseline compiler makes of a module, whose container has the key `module`. It knows no levels.
pub fn baseline_key_of(module: &autojit_store::Key) -> Key {
    let version = pack::VERSION.to_le_bytes();
    autojit_store::digest(&[b"autojit code", &version, &BASELINE, module])
}

/// Of which modules an image pack may have the baseline compiler's code. The rest is the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineCode {
    /// Of none.
    None,
    /// Of those that are not to be optimised.
    Unoptimised,
    /// Of all.
    All,
}

/// The key of the pack of the image with this path. What is in it is known by the keys of its modules.
pub fn key_of_image(path: &str, level: i32, baseline: BaselineCode) -> Key {
    let version = pack::VERSION.to_le_bytes();
    let path = path.as_bytes();
    let generator = match baseline {
        BaselineCode::None => GENERATOR,
        BaselineCode::Unoptimised => autojit_store::digest(&[&GENERATOR, &BASELINE, b"unoptimised"]),
        BaselineCode::All => autojit_store::digest(&[&GENERATOR, &BASELINE]),
    };
    autojit_store::digest(&[b"autojit image", &version, &generator, &level.to_le_bytes(), path])
}

/// What a name is called in code of the container's module, if the container knows it.
pub fn number(container: &Container<'_>, name: &str) -> Option<Symbol<'static>> {
    Some(match container.find(name)? {
        autojit_store::Symbol::Function(index) => Symbol::Function(index),
        autojit_store::Symbol::Import(index) => Symbol::Import(index),
    })
}

/// The unit of an object that LLVM has made of the container's module.
///
/// # Errors
/// The linker cannot do it.
pub fn unit_of(object: &[u8], container: &Container<'_>) -> Result<Unit<'static>, LinkError> {
    Unit::of(object, &|name| number(container, name))
}

/// Those functions in `unit` that only their own module can name.
pub fn local_functions(container: &Container<'_>, unit: &Unit<'_>) -> BTreeSet<u32> {
    let indices = unit.functions.iter().filter_map(|function| match function.symbol {
        Symbol::Function(index) => Some(index),
        _ => None,
    });
    let is_local =
        |index: &u32| container.function(*index).is_some_and(|info| info.kind == FunctionKind::Local);
    indices.filter(is_local).collect()
}

/// Adds units to the file of `key`, and returns the number of functions that are new in it; `local` are those that only
/// their own module can name.
///
/// # Errors
/// The file cannot be written. What was there is still there.
pub fn add(
    directory: &Directory,
    key: &Key,
    units: &[Unit<'_>],
    local: &BTreeSet<u32>,
) -> Result<u64, Errno> {
    let count = |unit: &Unit<'_>| unit.functions.iter().filter(|function| function.global).count() as u64;
    // What others have written meanwhile is kept.
    let old = directory.read(key, Kind::Code).ok();
    let old_lines = old.as_ref().and_then(|_| directory.read(key, Kind::Lines).ok());
    let old = old.as_ref().and_then(|bytes| {
        let mut unit = pack::decode_named(bytes, key).ok()?;
        if let Some(generation) = pack::generation(bytes) {
            // Code without its lines is not used, so it is not kept.
            unit.lines = pack::decode_lines(old_lines.as_ref()?, key, generation)?;
        }
        Some(unit)
    });
    let before = old.as_ref().map_or(0, count);
    let units: Vec<&Unit<'_>> = old.iter().chain(units).collect();
    let merged = Unit::merge(&units, |index| local.contains(&index));
    let Some(merged) = merged else {
        log::debug!("the code of one module is too large for a cache file");
        return Ok(0);
    };
    let added = count(&merged) - before;
    if added != 0 {
        let code = pack::encode(&merged, key);
        let lines = pack::generation(&code).map(|it| pack::encode_lines(&merged.lines, key, it));
        // The lines first: with other code they say nothing.
        let lines = lines.as_ref().map(|lines| (Kind::Lines, &lines[..]));
        let files: Vec<_> = lines.into_iter().chain([(Kind::Code, &code[..])]).collect();
        directory.write(key, &files)?;
    }
    Ok(added)
}
