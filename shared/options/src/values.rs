//! What options can be: the types of their values.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A type that options can have.
pub trait Value: Sized {
    /// The value that `text` stands for.
    fn parse(text: &OsStr) -> Option<Self>;
}

/// Which messages are written: those of this level and the levels in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

impl Value for Level {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "off" => Self::Off,
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            _ => return None,
        })
    }
}

/// A switch.
impl Value for bool {
    fn parse(text: &OsStr) -> Option<Self> {
        match text.to_str()?.to_ascii_lowercase().as_str() {
            "1" | "on" | "yes" | "true" => Some(true),
            "0" | "off" | "no" | "false" => Some(false),
            _ => None,
        }
    }
}

/// An optimisation level that replaces the one of the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptOverride(pub Option<u8>);

impl Value for OptOverride {
    fn parse(text: &OsStr) -> Option<Self> {
        match text.as_bytes() {
            [level @ b'0'..=b'3'] => Some(Self(Some(level - b'0'))),
            _ => None,
        }
    }
}

/// Where compiled functions have their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// In the process, for readers that ask it.
    Memory,
    /// In files that the code lies in, as well.
    Files,
    /// The same, and the files stay when the process has ended.
    Keep,
}

impl Value for Names {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "memory" => Self::Memory,
            "files" => Self::Files,
            "keep" => Self::Keep,
            _ => return None,
        })
    }
}

/// Where statistics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsSink {
    /// Nowhere.
    Off,
    /// Standard error, as JSON.
    Stderr,
    /// Standard error, as text for people.
    Text,
    /// A file, in whose name %p stands for the process id.
    File(Vec<u8>),
}

impl Value for StatsSink {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.as_bytes() {
            b"0" => Self::Off,
            b"1" => Self::Stderr,
            b"text" => Self::Text,
            path => Self::File(path.to_vec()),
        })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Value for Size {
    fn parse(text: &OsStr) -> Option<Self> {
        size(text.as_bytes()).map(Self)
    }
}

/// Which processes describe their types and variables to a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debugger {
    /// Those that a debugger has started.
    Auto,
    /// All.
    On,
    /// None; nor is anything else described to debuggers.
    Off,
}

impl Value for Debugger {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "auto" => Self::Auto,
            "on" => Self::On,
            "off" => Self::Off,
            _ => return None,
        })
    }
}

/// Which compiles have their preamble kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// Those of a source that is edited and compiled again.
    On,
    /// None.
    Off,
    /// All, from the first one on.
    Always,
}

impl Value for Preamble {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "on" => Self::On,
            "off" => Self::Off,
            "always" => Self::Always,
            _ => return None,
        })
    }
}

/// What becomes of link-time optimisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lto {
    /// It is left out where functions are compiled when they are called.
    Off,
    /// It is done, of all functions.
    Keep,
}

impl Value for Lto {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "off" => Self::Off,
            "keep" => Self::Keep,
            _ => return None,
        })
    }
}

/// How compiled functions call others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Directly, once these have code.
    Direct,
    /// Always by way of the stub, which is the function's address.
    Stubs,
}

impl Value for Calls {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "direct" => Self::Direct,
            "stubs" => Self::Stubs,
            _ => return None,
        })
    }
}

/// What the baseline compiler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Nothing.
    Off,
    /// What it knows of modules that are not to be optimised; the rest is for the engine.
    Auto,
    /// What it knows of all modules.
    On,
    /// Everything: what it does not know is an error, and compiled code of earlier runs is not used.
    Only,
}

impl Value for Baseline {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "off" => Self::Off,
            "auto" => Self::Auto,
            "on" => Self::On,
            "only" => Self::Only,
            _ => return None,
        })
    }
}

/// Whether optimised builds begin with code that is not optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// No: everything is compiled at the build's level at its first call.
    Off,
    /// What runs often is replaced.
    On,
    /// The same, and the process does not end before all is replaced that is to be.
    Wait,
}

impl Value for Tier {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "off" => Self::Off,
            "on" => Self::On,
            "wait" => Self::Wait,
            _ => return None,
        })
    }
}

/// How often something happens before something else does: from 1 to 2^30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold(pub i32);

impl Value for Threshold {
    fn parse(text: &OsStr) -> Option<Self> {
        let number = text.to_str()?.parse().ok()?;
        (1..=1 << 30).contains(&number).then_some(Self(number))
    }
}

/// How many requests of a program may wait at the same time: from 1 to 8, or as many as is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests(pub Option<usize>);

impl Value for Requests {
    fn parse(text: &OsStr) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        let number = text.to_str()?.parse().ok()?;
        (1..=8).contains(&number).then_some(Self(Some(number)))
    }
}

/// What compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A daemon that listens, else the process, else a daemon of its own.
    Auto,
    /// The process.
    Inprocess,
    /// A daemon that listens, else one of its own.
    Daemon,
}

impl Value for Mode {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.to_str()? {
            "auto" => Self::Auto,
            "inprocess" => Self::Inprocess,
            "daemon" => Self::Daemon,
            _ => return None,
        })
    }
}

/// A text that is anything, or none: mostly a file name.
impl Value for Option<Vec<u8>> {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(Some(text.as_bytes().to_vec()))
    }
}

/// Where function bodies are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In the object files.
    Embed,
    /// In files in this directory.
    Directory(Vec<u8>),
}

impl Value for Store {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.as_bytes() {
            b"embed" => Self::Embed,
            directory => Self::Directory(directory.to_vec()),
        })
    }
}

/// A number of bytes, with K, M, G or T for powers of 1024.
fn size(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']);
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, value) in [
            ("0", Some(0)),
            ("12K", Some(12 << 10)),
            ("2g", Some(2 << 30)),
            ("1KB", None),
            ("K", None),
            ("-1", None),
        ] {
            assert_eq!(size(text.as_bytes()), value, "{text}");
        }
        assert_eq!(size(b"99999999T"), None);
    }
}
