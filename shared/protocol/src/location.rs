//! Where the daemon listens: $AUTOJIT_SOCKET_PATH, else $XDG_RUNTIME_DIR/autojitd.sock, else `run/autojitd.sock` in the
//! cache directory. Never in a directory that others can write.

use std::ffi::{CStr, CString};

use autojit_sys::{Errno, absolute, c_string, make_directory, status, user};

/// The socket's file name.
const NAME: &[u8] = b"/autojitd.sock";

/// The socket's path: `given` (AUTOJIT_SOCKET_PATH), or the one that the environment says, or one in the directory
/// `cache`. None if there is no place for it.
pub fn socket_path(
    given: Option<&[u8]>,
    variable: impl Fn(&[u8]) -> Option<Vec<u8>>,
    cache: Option<&[u8]>,
) -> Option<CString> {
    if let Some(path) = given {
        return Some(absolute(path));
    }
    if let Some(directory) = variable(b"XDG_RUNTIME_DIR").filter(|path| path.starts_with(b"/")) {
        return Some(c_string(&[&directory, NAME]));
    }
    cache.map(|cache| c_string(&[cache, b"/run", NAME]))
}

/// The directory of a socket's path.
fn directory(path: &CStr) -> CString {
    let bytes = path.to_bytes();
    let slash = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    c_string(&[&bytes[..slash.max(1)]])
}

/// Whether a socket at `path` can only be the user's: no other user can write its directory.
///
/// # Errors
/// EPERM if others can; or the directory is not there.
pub fn check_directory(path: &CStr) -> Result<(), Errno> {
    let status = status(&directory(path))?;
    let private = status.is_private() && (status.owner == user() || status.owner == 0);
    if status.is_a(libc::S_IFDIR) && private { Ok(()) } else { Err(Errno(libc::EPERM)) }
}

/// Makes the directory of a socket's path, for its user alone, and what it lies in.
pub fn make_directories(path: &CStr) {
    let directory = directory(path);
    let bytes = directory.to_bytes();
    let ends = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    for end in ends.chain([bytes.len()]) {
        // What is there already, or cannot be made, shows when the directory is used.
        let _ = make_directory(&c_string(&[&bytes[..end]]), 0o700);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_is_named() {
        let runtime = |name: &[u8]| (name == b"XDG_RUNTIME_DIR").then(|| b"/run/user/7".to_vec());
        let nothing = |_: &[u8]| None;
        let path = |given, cache| socket_path(given, runtime, cache).unwrap();
        assert_eq!(path(Some(b"/a/b".as_slice()), Some(b"/c".as_slice())).as_bytes(), b"/a/b");
        assert_eq!(path(None, Some(b"/c")).as_bytes(), b"/run/user/7/autojitd.sock");
        let cached = socket_path(None, nothing, Some(b"/c")).unwrap();
        assert_eq!(cached.as_bytes(), b"/c/run/autojitd.sock");
        assert_eq!(socket_path(None, nothing, None), None);
        assert!(socket_path(Some(b"s"), nothing, None).unwrap().as_bytes().ends_with(b"/s"));
    }

    #[test]
    fn directories_that_others_can_write_are_refused() {
        assert_eq!(check_directory(c"/tmp/autojitd.sock"), Err(Errno(libc::EPERM)));
        let base = std::env::temp_dir().join(format!("autojit-place-{}", std::process::id()));
        let path = c_string(&[base.as_os_str().as_encoded_bytes(), b"/a/b/autojitd.sock"]);
        assert_eq!(check_directory(&path), Err(Errno(libc::ENOENT)));
        make_directories(&path);
        assert_eq!(check_directory(&path), Ok(()));
        std::fs::remove_dir_all(base).unwrap();
    }
}
