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
    /// Those of 512 bits as well.
    pub avx512: bool,
    /// Whether there is AVX is not known here.
    pub unknown: bool,
}

/// Features that are extensions of AVX, besides those that are called so.
const OF_AVX: [&[u8]; 9] =
    [b"fma", b"f16c", b"fma4", b"xop", b"vaes", b"vpclmulqdq", b"sha512", b"sm3", b"sm4"];
/// Processors without AVX that builds name; rustc names a processor instead of its features.
const WITHOUT_AVX: [&[u8]; 5] = [b"", b"generic", b"x86-64", b"x86-64-v2", b"core2"];

impl Features {
    /// Those of a `target-features` attribute, `+popcnt,-avx,…`, and of a `target-cpu` attribute as far as they concern calls.
    pub(crate) fn of(attribute: &[u8], cpu: &[u8]) -> Self {
        let mut features = Self { unknown: !WITHOUT_AVX.contains(&cpu), ..Self::default() };
        for item in attribute.split(|byte| *byte == b',') {
            let Some((&sign, name)) = item.split_first() else { continue };
            if name.starts_with(b"avx") || OF_AVX.contains(&name) {
                features.unknown &= name != b"avx";
                features.avx |= sign == b'+';
                features.avx &= (sign, name) != (b'-', b"avx");
                features.avx512 |=
                    sign == b'+' && (name.starts_with(b"avx512") || name.starts_with(b"avx10"));
            }
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
                _ => continue,
            };
            *flag |= sign == b'+';
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::Features;

    /// AVX, AVX-512, and whether nothing is known.
    fn of(attribute: &str, cpu: &str) -> [bool; 3] {
        let found = Features::of(attribute.as_bytes(), cpu.as_bytes());
        [found.avx, found.avx512, found.unknown]
    }

    #[test]
    fn what_calls_depend_on() {
        assert_eq!(of("+sse4.2,+popcnt,+aes", "x86-64"), [false; 3]);
        assert_eq!(of("+sse4.2,+avx", "x86-64"), [true, false, false]);
        assert_eq!(of("+avx,+avx2,+fma", "haswell"), [true, false, false]);
        assert_eq!(of("+avx,+avx512f,+avx512vl", "skylake-avx512"), [true, true, false]);
        assert_eq!(of("-avx,-avx2,-avx512f", "haswell"), [false; 3]);
        // One brings the other.
        assert_eq!(of("+fma", "x86-64"), [true, false, false]);
        assert_eq!(of("+avx512bw", ""), [true, true, false]);
        assert_eq!(of("+sse4.2", "haswell"), [false, false, true]);
        assert_eq!(of("", ""), [false; 3]);
    }
}
