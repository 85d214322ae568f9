//! A unit with its lines as one sequence of bytes: what autojitd answers with, and what the object cache keeps of modules
//! for debuggers.
//!
//! ```text
//!   0  bytes of the pack: u64
//!   8  the pack (pack.rs)
//!      its lines, if it has any
//! ```

use crate::pack::{self, Key, PackError};
use crate::unit::Unit;

const HEADER: usize = 8;

/// The bytes of `unit`, for `key`.
pub fn encode(unit: &Unit<'_>, key: &Key) -> Vec<u8> {
    let code = pack::encode(unit, key);
    let lines = pack::generation(&code).map(|it| pack::encode_lines(&unit.lines, key, it));
    [&(code.len() as u64).to_le_bytes()[..], &code, &lines.unwrap_or_default()].concat()
}

/// The pack and what is behind it.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<HEADER>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)
}

/// Whether there are lines. They stay in the bytes when these are decoded.
pub fn has_lines(bytes: &[u8]) -> bool {
    parts(bytes).is_some_and(|(_, lines)| !lines.is_empty())
}

/// The unit in `bytes`, with the names of its functions and its lines, if they are an undamaged bundle for `key`.
///
/// # Errors
/// They are not, and nothing of them may be used.
pub fn decode<'a>(bytes: &'a [u8], key: &Key) -> Result<Unit<'a>, PackError> {
    let (code, lines) = parts(bytes).ok_or(PackError::Foreign)?;
    let mut unit = pack::decode_named(code, key)?;
    match pack::generation(code) {
        Some(generation) => {
            let lines = pack::decode_lines(lines, key, generation);
            unit.lines = lines.ok_or(PackError::Damaged("its lines are of other code"))?;
        }
        None if lines.is_empty() => {}
        None => return Err(PackError::Damaged("something follows it")),
    }
    Ok(unit)
}
