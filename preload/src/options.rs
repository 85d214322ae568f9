//! Options: environment variables that begin with AUTOJIT_.
//!
//! One row of the table below (name, type, default, documentation) makes the field of [`Options`], its parser, the
//! rows of docs/options.md and the help text in tools/src/options.txt; a test compares the latter two with the table and
//! rewrites them when BLESS=1 is set. A value that cannot be parsed is warned about, and the default stays.
//!
//! The environment is read in place: getenv is a function that the program may have replaced.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::c_library::each_variable;

/// A type that options can have.
trait Value: Sized {
    /// The value that `text` stands for.
    fn parse(text: &OsStr) -> Option<Self>;
}

/// AUTOJIT_LOG.
impl Value for log::LevelFilter {
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

/// Where statistics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsSink {
    /// Nowhere.
    Off,
    /// Standard error.
    Stderr,
    /// A file, in whose name %p stands for the process id.
    File(Vec<u8>),
}

impl Value for StatsSink {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(match text.as_bytes() {
            b"0" => Self::Off,
            b"1" => Self::Stderr,
            path => Self::File(path.to_vec()),
        })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Value for Size {
    fn parse(text: &OsStr) -> Option<Self> {
        autojit_cache::size(text.as_bytes()).map(Self)
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

/// Who compiles.
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

/// A file name, or none.
impl Value for Option<Vec<u8>> {
    fn parse(text: &OsStr) -> Option<Self> {
        Some(Some(text.as_bytes().to_vec()))
    }
}

/// Which part of autojit reads an option.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The plugin, when a program is built.
    Plugin,
    /// The runtime, when it runs.
    Runtime,
}

/// What is documented of an option.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The environment variable.
    pub name: &'static str,
    /// The form of its value.
    pub form: &'static str,
    /// The value that it has if it is not set; empty for none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Who reads it.
    pub reader: Reader,
}

/// See the head of the file.
macro_rules! options {
    (
        plugin { $( $pname:literal $pform:literal [$pdefault:literal] $pdoc:literal; )* }
        runtime { $( $field:ident: $type:ty = $value:expr, $name:literal $form:literal [$default:literal] $doc:literal; )* }
    ) => {
        /// The values of the runtime's options.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Options {
            $( #[doc = $doc] pub $field: $type, )*
        }

        impl Options {
            /// What they are if nothing is set.
            pub const fn defaults() -> Self {
                Self { $( $field: $value, )* }
            }

            /// Sets the option `name`. False if the value has not the option's form; other names are ignored.
            fn set(&mut self, name: &[u8], value: &OsStr) -> bool {
                $(
                    if name == $name.as_bytes() {
                        return Value::parse(value).map(|value| self.$field = value).is_some();
                    }
                )*
                true
            }
        }

        /// All options, in the order of the documentation.
        #[cfg(test)]
        pub const TABLE: &[Row] = &[
            $( Row { name: $pname, form: $pform, default: $pdefault, doc: $pdoc, reader: Reader::Plugin }, )*
            $( Row { name: $name, form: $form, default: $default, doc: $doc, reader: Reader::Runtime }, )*
        ];
    };
}

options! {
    plugin {
        "AUTOJIT_STORE" "embed|DIR" ["embed"]
            "where function bodies are kept: in the objects (under ccache always), or as files in a directory";
        "AUTOJIT_CC" "COMMAND" ["clang-22"]
            "the compiler behind autojit-cc; words in front of it are a compiler cache (ccache clang-22)";
        "AUTOJIT_CXX" "COMMAND" ["clang++-22"]
            "the same for autojit-c++";
        "AUTOJIT_PREFETCH" "On|Off" ["On"]
            "autojitd, if it runs, is told what is built, and compiles ahead what ran last time (Off: neither)";
    }
    runtime {
        log: log::LevelFilter = log::LevelFilter::Warn,
            "AUTOJIT_LOG" "off|error|warn|info|debug" ["warn"]
            "messages on standard error, up to this level";
        debug: bool = false,
            "AUTOJIT_DEBUG" "On|Off" ["Off"]
            "On is the same as AUTOJIT_LOG=debug";
        opt: OptOverride = OptOverride(None),
            "AUTOJIT_OPT" "0|1|2|3" [""]
            "optimisation level instead of the one of the build";
        stats: StatsSink = StatsSink::Off,
            "AUTOJIT_STATS" "1|FILE" [""]
            "at exit write statistics as JSON to standard error or to FILE (%p: the process id; else forked children append it)";
        perf_map: bool = false,
            "AUTOJIT_PERF_MAP" "On|Off" ["Off"]
            "names of compiled functions in /tmp/perf-PID.map, where perf report looks for them";
        cache_dir: Option<Vec<u8>> = None,
            "AUTOJIT_CACHE_DIR" "DIR" [""]
            "where compiled code is kept for later runs [$XDG_CACHE_HOME/autojit, else ~/.cache/autojit]";
        cache_size: Size = Size(2 << 30),
            "AUTOJIT_CACHE_SIZE" "BYTES" ["2G"]
            "how large the cache may get (K, M, G, T: powers of 1024); what was not used for longest is removed";
        disable_object_cache: bool = false,
            "AUTOJIT_DISABLE_OBJECT_CACHE" "On|Off" ["Off"]
            "neither use nor keep compiled code: every run compiles what it calls";
        debugger: Debugger = Debugger::Auto,
            "AUTOJIT_DEBUGGER" "auto|on|off" ["auto"]
            "what debuggers get: auto everything if one starts the program, else names and lines; on everything; off nothing";
        calls: Calls = Calls::Direct,
            "AUTOJIT_CALLS" "direct|stubs" ["direct"]
            "stubs: every call passes the function's address, where tools and tests have put a probe or a jump";
        engine_path: Option<Vec<u8>> = None,
            "AUTOJIT_ENGINE_PATH" "FILE" [""]
            "the engine, instead of libautojit-engine.so beside libautojit.so";
        mode: Mode = Mode::Auto,
            "AUTOJIT_MODE" "auto|inprocess|daemon" ["auto"]
            "who compiles: inprocess the program; daemon autojitd (started if need be); auto autojitd if it listens";
        socket_path: Option<Vec<u8>> = None,
            "AUTOJIT_SOCKET_PATH" "FILE" [""]
            "where autojitd listens [$XDG_RUNTIME_DIR/autojitd.sock, else run/autojitd.sock in the cache's directory]";
        daemon_path: Option<Vec<u8>> = None,
            "AUTOJIT_DAEMON_PATH" "FILE" [""]
            "the autojitd to start, instead of the one beside libautojit.so, in ../bin, or in PATH";
    }
}

impl Options {
    /// The options of the process, and the variables whose values were no good ("NAME=value").
    pub fn from_environment() -> (Self, Vec<Vec<u8>>) {
        let mut options = Self::defaults();
        let mut bad = Vec::new();
        each_variable(|variable| options.read(variable, &mut bad));
        if options.debug {
            options.log = log::LevelFilter::Debug;
        }
        (options, bad)
    }

    /// Takes in one "NAME=value". An empty value is as good as none.
    fn read(&mut self, variable: &[u8], bad: &mut Vec<Vec<u8>>) {
        if !variable.starts_with(b"AUTOJIT_") {
            return;
        }
        let Some(equals) = variable.iter().position(|&byte| byte == b'=') else { return };
        let (name, value) = (&variable[..equals], &variable[equals + 1..]);
        if !value.is_empty() && !self.set(name, OsStr::from_bytes(value)) {
            bad.push(variable.to_vec());
        }
    }
}

/// The value of an environment variable that is not one of ours.
pub fn variable(name: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    each_variable(|variable| {
        let rest = variable.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="));
        if value.is_none() && rest.is_some_and(|rest| !rest.is_empty()) {
            value = rest.map(<[u8]>::to_vec);
        }
    });
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn parsed(variables: &[&str]) -> (Options, Vec<Vec<u8>>) {
        let (mut options, mut bad) = (Options::defaults(), Vec::new());
        variables.iter().for_each(|variable| options.read(variable.as_bytes(), &mut bad));
        (options, bad)
    }

    #[test]
    fn values_are_parsed() {
        let (options, bad) = parsed(&[
            "AUTOJIT_LOG=info",
            "AUTOJIT_OPT=2",
            "AUTOJIT_STATS=/tmp/s.%p",
            "AUTOJIT_ENGINE_PATH=/e.so",
            "AUTOJIT_DEBUG=On",
            "AUTOJIT_STORE=whatever",
            "PATH=/bin",
        ]);
        assert!(bad.is_empty());
        assert_eq!(options.log, log::LevelFilter::Info);
        assert!(options.debug);
        assert_eq!(options.opt, OptOverride(Some(2)));
        assert_eq!(options.stats, StatsSink::File(b"/tmp/s.%p".to_vec()));
        assert_eq!(options.engine_path.as_deref(), Some(&b"/e.so"[..]));
        assert_eq!(parsed(&["AUTOJIT_STATS=1"]).0.stats, StatsSink::Stderr);
    }

    #[test]
    fn bad_values_are_reported_and_keep_the_default() {
        let variables = ["AUTOJIT_LOG=loud", "AUTOJIT_OPT=9", "AUTOJIT_DEBUG=maybe"];
        let (options, bad) = parsed(&variables);
        assert_eq!(options, Options::defaults());
        assert_eq!(bad, variables.map(|variable| variable.as_bytes().to_vec()));
    }

    #[test]
    fn empty_values_are_none() {
        let (options, bad) = parsed(&["AUTOJIT_LOG=", "AUTOJIT_STATS=", "AUTOJIT_OPT="]);
        assert_eq!((options, bad.len()), (Options::defaults(), 0));
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        for row in TABLE.iter().filter(|row| row.reader == Reader::Runtime && !row.default.is_empty()) {
            let (options, bad) = parsed(&[&format!("{}={}", row.name, row.default)]);
            assert_eq!((options, bad.len()), (Options::defaults(), 0), "{}", row.name);
        }
    }

    /// The rows as docs/options.md.
    fn markdown() -> String {
        let mut text = String::from(
            "# Options\n\n\
             All options are environment variables. An empty value is as good as none; a value of another form than\n\
             the one shown is warned about, and the default stays. This file is written from the table in\n\
             preload/src/options.rs.\n\n\
             | variable | value | default | what it does | read |\n| --- | --- | --- | --- | --- |\n",
        );
        for row in TABLE {
            let form = row.form.replace('|', "\\|");
            let default = if row.default.is_empty() { "" } else { &format!("`{}`", row.default) };
            let reader = match row.reader {
                Reader::Plugin => "when compiling",
                Reader::Runtime => "when running",
            };
            text += &format!("| `{}` | `{form}` | {default} | {} | {reader} |\n", row.name, row.doc);
        }
        text
    }

    /// The rows as help text.
    fn help() -> String {
        let mut text = String::new();
        for row in TABLE {
            let default = if row.default.is_empty() { "" } else { &format!(" [{}]", row.default) };
            text += &format!("  {}={}{default}\n", row.name, row.form);
            if row.reader == Reader::Plugin {
                text += &format!("      when compiling: {}\n", row.doc);
            } else {
                text += &format!("      {}\n", row.doc);
            }
        }
        text
    }

    /// Compares `wanted` with the file, or writes it if BLESS=1.
    fn compare(path: &str, wanted: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(&path, wanted).unwrap();
        } else {
            assert_eq!(found, wanted, "{} differs from the table; BLESS=1 rewrites it", path.display());
        }
    }

    #[test]
    fn documentation_is_the_table() {
        compare("docs/options.md", &markdown());
    }

    #[test]
    fn help_is_the_table() {
        compare("preload/tools/src/options.txt", &help());
    }
}
