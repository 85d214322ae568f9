//! What the processor has beyond x86-64's base, as far as code is made for it.

/// The features that code may use. They follow the function's `target-features` attribute, so that code is the same on
/// every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// popcnt
    pub popcnt: bool,
    /// lzcnt
    pub lzcnt: bool,
    /// tzcnt
    pub bmi: bool,
    /// roundss, roundsd
    pub sse41: bool,
    /// vfmadd
    pub fma: bool,
    /// cmpxchg16b
    pub cx16: bool,
    /// Code is hardened in ways that are not known here, or must not use vector registers.
    pub restricted: bool,
    /// Vectors of 256 bits are passed in registers.
    pub avx: bool,
}

impl Features {
    /// Those of a `target-features` attribute: `+popcnt,-avx,…`.
    pub(crate) fn of(attribute: &[u8]) -> Self {
        let mut features = Self::default();
        for item in attribute.split(|byte| *byte == b',') {
            let Some((&sign, name)) = item.split_first() else { continue };
            let hardening = [&b"retpoline"[..], b"lvi-", b"harden-sls", b"seses", b"tagged-globals"];
            let flag = match name {
                // Taken away, not given.
                b"sse" | b"sse2" | b"soft-float" | b"x87" if (sign == b'-') == (name != b"soft-float") => {
                    features.restricted = true;
                    continue;
                }
                _ if hardening.iter().any(|start| name.starts_with(start)) => &mut features.restricted,
                b"popcnt" => &mut features.popcnt,
                b"lzcnt" => &mut features.lzcnt,
                b"bmi" => &mut features.bmi,
                b"sse4.1" => &mut features.sse41,
                b"fma" => &mut features.fma,
                b"cx16" => &mut features.cx16,
                b"avx" | b"avx2" | b"avx512f" => &mut features.avx,
                _ => continue,
            };
            *flag |= sign == b'+';
        }
        features
    }
}
