//! Which targets of a build have lazy programs: plugin and wrappers ask the same.

/// Whether code for a target is left out of builds: x86-64 Linux with the GNU C library, in which the runtime finds what it needs
/// (docs/decisions/0027). Triples name an environment behind the system, or none where that is what is usual.
pub fn is_lazy(triple: &str) -> bool {
    let mut parts = triple.split('-');
    if parts.next() != Some("x86_64") || !parts.any(|part| part == "linux") {
        return false;
    }
    parts.next().is_none_or(|environment| environment.starts_with("gnu") && environment != "gnux32")
}

#[cfg(test)]
mod tests {
    use super::is_lazy;

    #[test]
    fn only_programs_of_this_c_library_are_lazy() {
        for triple in [
            "x86_64-unknown-linux-gnu",
            "x86_64-pc-linux-gnu",
            "x86_64-linux-gnu",
            "x86_64-redhat-linux",
            "x86_64-linux",
        ] {
            assert!(is_lazy(triple), "{triple}");
        }
        for triple in [
            "x86_64-unknown-linux-musl",
            "x86_64-alpine-linux-musl",
            "x86_64-linux-muslx32",
            "x86_64-unknown-linux-gnux32",
            "x86_64-linux-android33",
            "x86_64-unknown-linux-ohos",
            "x86_64-unknown-linux-uclibc",
            "x86_64-unknown-freebsd",
            "x86_64-pc-windows-gnu",
            "i686-unknown-linux-gnu",
            "aarch64-unknown-linux-gnu",
            "wasm32-wasip1",
            "x86_64",
            "",
        ] {
            assert!(!is_lazy(triple), "{triple}");
        }
    }
}
