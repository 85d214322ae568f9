//! Directories that the environment names. `variable` gives a variable that is set and not empty.

/// The user's cache directory, and how many bytes of its path are a directory that is never made (a home that is not
/// there): `given`, else $XDG_CACHE_HOME/autojit, else $HOME/.cache/autojit. None if nothing is named.
pub fn cache_root(
    given: Option<&[u8]>,
    variable: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<(Vec<u8>, usize)> {
    let absolute = |name| variable(name).filter(|path| path.starts_with(b"/"));
    if let Some(path) = given {
        return Some((crate::absolute(path).into_bytes(), 0));
    }
    if let Some(base) = absolute(b"XDG_CACHE_HOME") {
        return Some(([&base, &b"/autojit"[..]].concat(), 0));
    }
    let home = absolute(b"HOME")?;
    Some(([&home, &b"/.cache/autojit"[..]].concat(), home.len()))
}
