//! Options: environment variables that begin with AUTOJIT_. Plugin, runtime and daemon read them with this parser.
//!
//! One row of the table below (name, type, default, readers, documentation) makes the field of [`Options`], its parser, the
//! rows of docs/options.md, the help text in tools/src/options.txt and the variables in man pages; tests compare the latter
//! with the table and rewrite them when BLESS=1 is set. A value that cannot be parsed is warned about, and the default stays.
//!
//! The environment is the caller's to read: the runtime cannot call getenv, a function that the program may define.

pub mod target;
mod values;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

pub use values::*;

/// Which part of autojit reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The plugin, when a program is built.
    Plugin,
    /// The compiler wrappers.
    Wrappers,
    /// The runtime, when a program runs.
    Runtime,
    /// autojitd.
    Daemon,
}

/// What is documented of an option.
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
    /// Which parts of autojit read it.
    pub readers: &'static [Reader],
}

/// A variable whose value has not the option's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// "NAME=value".
    pub variable: Vec<u8>,
    form: &'static str,
    default: &'static str,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = String::from_utf8_lossy(&self.variable);
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        write!(f, "{name} is {value:?}, which is not {}; it counts as ", self.form)?;
        if self.default.is_empty() { f.write_str("not set") } else { f.write_str(self.default) }
    }
}

/// See the head of the file.
macro_rules! options {
    ($(
        $field:ident: $type:ty = $value:expr, [$($reader:ident),*] $name:literal $form:literal [$default:expr] $doc:literal;
    )*) => {
        /// The values of all options.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Options {
            $( #[doc = $doc] pub $field: $type, )*
        }

        impl Options {
            /// What they are if nothing is set.
            pub const fn defaults() -> Self {
                Self { $( $field: $value, )* }
            }

            /// Sets the option `name`, if `reader` reads it. Other names are ignored.
            fn set(&mut self, reader: Reader, name: &[u8], value: &OsStr) -> Result<(), &'static Row> {
                $(
                    if name == $name.as_bytes() {
                        const ROW: &Row =
                            &Row { name: $name, form: $form, default: $default, doc: $doc, readers: &[$(Reader::$reader),*] };
                        if ROW.readers.contains(&reader) {
                            self.$field = Value::parse(value).ok_or(ROW)?;
                        }
                    }
                )*
                Ok(())
            }
        }

        /// All options, in the order of the documentation.
        pub const TABLE: &[Row] = &[
            $( Row { name: $name, form: $form, default: $default, doc: $doc, readers: &[$(Reader::$reader),*] }, )*
        ];
    };
}

options! {
    store: Store = Store::Embed, [Plugin]
        "AUTOJIT_STORE" "embed|DIR" ["embed"]
        "where function bodies are kept: in the objects (under ccache always), or as files in a directory";
    cc: Option<Vec<u8>> = None, [Wrappers]
        "AUTOJIT_CC" "COMMAND" [concat!("clang-", env!("LLVM_RELEASE"))]
        "the compiler behind autojit-cc; words in front of it are a compiler cache (ccache clang)";
    cxx: Option<Vec<u8>> = None, [Wrappers]
        "AUTOJIT_CXX" "COMMAND" [concat!("clang++-", env!("LLVM_RELEASE"))]
        "the same for autojit-c++";
    portable: bool = false, [Wrappers]
        "AUTOJIT_PORTABLE" "On|Off" ["Off"]
        "linked programs and libraries get the static runtime, and need no installation to run";
    preamble: Preamble = Preamble::On, [Wrappers]
        "AUTOJIT_PREAMBLE" "on|off|always" ["on"]
        "keep compiled #include lines of sources that are edited and compiled again; always: of all sources";
    link_plan: bool = true, [Wrappers]
        "AUTOJIT_LINK_PLAN" "On|Off" ["On"]
        "a link that is done again starts the linker itself, as clang's driver did";
    lto: Lto = Lto::Off, [Wrappers]
        "AUTOJIT_LTO" "off|keep" ["off"]
        "off: link-time optimisation is left out of builds that ask for it; keep: done, and nothing is lazy";
    prefetch: bool = true, [Plugin, Daemon]
        "AUTOJIT_PREFETCH" "On|Off" ["On"]
        "autojitd, if it runs, is told what is built, and compiles ahead what ran last time (Off: neither)";
    log: Level = Level::Warn, [Plugin, Runtime]
        "AUTOJIT_LOG" "off|error|warn|info|debug" ["warn"]
        "messages on standard error, up to this level";
    debug: bool = false, [Plugin, Runtime]
        "AUTOJIT_DEBUG" "On|Off" ["Off"]
        "On is the same as AUTOJIT_LOG=debug";
    opt: OptOverride = OptOverride(None), [Runtime]
        "AUTOJIT_OPT" "0|1|2|3" [""]
        "optimisation level instead of the one of the build";
    runtime: Option<Vec<u8>> = None, [Runtime]
        "AUTOJIT_RUNTIME" "FILE" [""]
        "the libautojit.so of programs that are run without one [the one beside the plugin that compiled them]";
    stats: StatsSink = StatsSink::Off, [Runtime]
        "AUTOJIT_STATS" "1|text|FILE" [""]
        "at exit statistics on standard error (1: as JSON), or in FILE (%p: the process id, else forked children append it)";
    trace: Option<Vec<u8>> = None, [Runtime]
        "AUTOJIT_TRACE" "FILE" [""]
        "at exit write a timeline of first calls to FILE (%p likewise), in the trace format that Perfetto and Chrome show";
    progress: Option<Vec<u8>> = None, [Runtime]
        "AUTOJIT_PROGRESS" "FILE" [""]
        "set by autojit-run --progress: where the processes of a run count what they compile, for the line that it shows";
    perf_map: bool = false, [Runtime]
        "AUTOJIT_PERF_MAP" "On|Off" ["Off"]
        "names of compiled functions in /tmp/perf-PID.map, where perf report looks for them";
    names: Names = Names::Memory, [Runtime]
        "AUTOJIT_NAMES" "memory|files|keep" ["memory"]
        "files: code lies in ELF files in the cache, where tools that read /proc/PID/maps find names; keep: after exit, too";
    cache_dir: Option<Vec<u8>> = None, [Plugin, Wrappers, Runtime, Daemon]
        "AUTOJIT_CACHE_DIR" "DIR" [""]
        "where compiled code is kept for later runs [$XDG_CACHE_HOME/autojit, else ~/.cache/autojit]";
    cache_size: Size = Size(2 << 30), [Wrappers, Runtime, Daemon]
        "AUTOJIT_CACHE_SIZE" "BYTES" ["2G"]
        "how large the cache may get (K, M, G, T: powers of 1024); what was not used for longest is removed";
    disable_object_cache: bool = false, [Wrappers, Runtime, Daemon]
        "AUTOJIT_DISABLE_OBJECT_CACHE" "On|Off" ["Off"]
        "neither use nor keep compiled code, preambles and links: every run compiles what it calls";
    debugger: Debugger = Debugger::Auto, [Runtime]
        "AUTOJIT_DEBUGGER" "auto|on|off" ["auto"]
        "what debuggers get: auto everything if one starts the program, else names and lines; on everything; off nothing";
    calls: Calls = Calls::Direct, [Runtime]
        "AUTOJIT_CALLS" "direct|stubs" ["direct"]
        "stubs: every call passes the function's address, where tools and tests have put a probe or a jump";
    baseline: Baseline = Baseline::Auto, [Runtime]
        "AUTOJIT_BASELINE" "auto|on|off|only" ["auto"]
        "compile first calls without LLVM: auto where the build asks for no optimisation; on always; only: or fail";
    tier: Tier = Tier::On, [Runtime]
        "AUTOJIT_TIER" "on|off|wait" ["on"]
        "on: optimised builds begin without LLVM, which compiles what runs often meanwhile; wait: exit waits for it";
    tier_calls: Threshold = Threshold(30), [Runtime]
        "AUTOJIT_TIER_CALLS" "N" ["30"]
        "with AUTOJIT_TIER, so many calls of a function have it optimised";
    tier_loops: Threshold = Threshold(20_000), [Runtime]
        "AUTOJIT_TIER_LOOPS" "N" ["20000"]
        "so many rounds of a function's loops do the same; later, the loop itself goes on there";
    tier_requests: Requests = Requests(None), [Runtime]
        "AUTOJIT_TIER_REQUESTS" "N" [""]
        "so many functions autojitd may optimise for a program at the same time [a processor each but one, at most 4]";
    engine_path: Option<Vec<u8>> = None, [Runtime, Daemon]
        "AUTOJIT_ENGINE_PATH" "FILE" [""]
        "the engine, instead of libautojit-engine.so beside libautojit.so";
    mode: Mode = Mode::Auto, [Runtime]
        "AUTOJIT_MODE" "auto|inprocess|daemon" ["auto"]
        "where LLVM compiles: in the program, in autojitd (started if need be), or (auto) in autojitd if it runs";
    socket_path: Option<Vec<u8>> = None, [Plugin, Runtime, Daemon]
        "AUTOJIT_SOCKET_PATH" "FILE" [""]
        "where autojitd listens [$XDG_RUNTIME_DIR/autojitd.sock, else run/autojitd.sock in the cache's directory]";
    daemon_path: Option<Vec<u8>> = None, [Runtime]
        "AUTOJIT_DAEMON_PATH" "FILE" [""]
        "the autojitd to start, instead of the one beside libautojit.so, in ../bin, or in PATH";
}

impl Options {
    /// The options in an environment, and the variables whose values were no good. `each` calls what it is given with each
    /// "NAME=value".
    pub fn read(reader: Reader, each: impl FnOnce(&mut dyn FnMut(&[u8]))) -> (Self, Vec<BadValue>) {
        let (mut options, mut bad) = (Self::defaults(), Vec::new());
        each(&mut |variable| bad.extend(options.take(reader, variable)));
        if options.debug {
            options.log = Level::Debug;
        }
        (options, bad)
    }

    /// The same of the process's own environment, as the standard library has it.
    pub fn from_environment(reader: Reader) -> (Self, Vec<BadValue>) {
        Self::read(reader, |visit| {
            for (name, value) in
                std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"AUTOJIT_"))
            {
                visit(&[&name.into_vec()[..], b"=", &value.into_vec()].concat());
            }
        })
    }

    /// Takes in one "NAME=value". An empty value is as good as none.
    fn take(&mut self, reader: Reader, variable: &[u8]) -> Option<BadValue> {
        if !variable.starts_with(b"AUTOJIT_") {
            return None;
        }
        let equals = variable.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&variable[..equals], &variable[equals + 1..]);
        if value.is_empty() {
            return None;
        }
        let row = self.set(reader, name, OsStr::from_bytes(value)).err()?;
        Some(BadValue { variable: variable.to_vec(), form: row.form, default: row.default })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autojit_manual::{Entry, compare, compare_part};

    fn parsed(reader: Reader, variables: &[&str]) -> (Options, Vec<BadValue>) {
        Options::read(reader, |visit| variables.iter().for_each(|variable| visit(variable.as_bytes())))
    }

    #[test]
    fn values_are_parsed() {
        let (options, bad) = parsed(
            Reader::Runtime,
            &[
                "AUTOJIT_LOG=info",
                "AUTOJIT_OPT=2",
                "AUTOJIT_STATS=/tmp/s.%p",
                "AUTOJIT_ENGINE_PATH=/e.so",
                "AUTOJIT_DEBUG=On",
                "AUTOJIT_STORE=whatever",
                "PATH=/bin",
            ],
        );
        assert!(bad.is_empty());
        assert_eq!(options.log, Level::Debug);
        assert!(options.debug);
        assert_eq!(options.opt, OptOverride(Some(2)));
        assert_eq!(options.stats, StatsSink::File(b"/tmp/s.%p".to_vec()));
        assert_eq!(options.engine_path.as_deref(), Some(&b"/e.so"[..]));
        assert_eq!(parsed(Reader::Runtime, &["AUTOJIT_STATS=1"]).0.stats, StatsSink::Stderr);
        assert_eq!(parsed(Reader::Runtime, &["AUTOJIT_STATS=text"]).0.stats, StatsSink::Text);
    }

    #[test]
    fn bad_values_are_reported_and_keep_the_default() {
        let variables = ["AUTOJIT_LOG=loud", "AUTOJIT_OPT=9", "AUTOJIT_DEBUG=maybe"];
        let (options, bad) = parsed(Reader::Runtime, &variables);
        assert_eq!(options, Options::defaults());
        assert_eq!(bad.len(), 3);
        assert_eq!(
            bad[0].to_string(),
            "AUTOJIT_LOG is \"loud\", which is not off|error|warn|info|debug; it counts as warn"
        );
        assert_eq!(bad[1].to_string(), "AUTOJIT_OPT is \"9\", which is not 0|1|2|3; it counts as not set");
    }

    #[test]
    fn switches_have_many_spellings_for_all_readers() {
        for reader in [Reader::Plugin, Reader::Runtime] {
            for (text, value) in
                [("yes", true), ("1", true), ("TRUE", true), ("On", true), ("no", false), ("0", false)]
            {
                let (options, bad) = parsed(reader, &[&format!("AUTOJIT_DEBUG={text}")]);
                assert_eq!((options.debug, bad.len()), (value, 0), "{text}");
                assert_eq!(options.log, if value { Level::Debug } else { Level::Warn });
            }
        }
    }

    #[test]
    fn options_of_others_are_not_looked_at() {
        assert_eq!(parsed(Reader::Plugin, &["AUTOJIT_OPT=9"]), (Options::defaults(), Vec::new()));
        assert_eq!(parsed(Reader::Runtime, &["AUTOJIT_PREFETCH=maybe"]).1, []);
        assert_eq!(parsed(Reader::Plugin, &["AUTOJIT_PREFETCH=maybe"]).1.len(), 1);
    }

    #[test]
    fn empty_values_are_none() {
        let (options, bad) = parsed(Reader::Runtime, &["AUTOJIT_LOG=", "AUTOJIT_STATS=", "AUTOJIT_OPT="]);
        assert_eq!((options, bad.len()), (Options::defaults(), 0));
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        // Those of the wrappers are commands, which they have not if nothing is set.
        let documented =
            |row: &&Row| !row.default.is_empty() && !matches!(row.name, "AUTOJIT_CC" | "AUTOJIT_CXX");
        for row in TABLE.iter().filter(documented) {
            let variable = format!("{}={}", row.name, row.default);
            assert_eq!(
                parsed(row.readers[0], &[&variable]),
                (Options::defaults(), Vec::new()),
                "{}",
                row.name
            );
        }
    }

    fn compiling(row: &Row) -> bool {
        row.readers.iter().any(|reader| matches!(reader, Reader::Plugin | Reader::Wrappers))
    }

    /// The rows as docs/options.md.
    fn markdown() -> String {
        let mut text = String::from(
            "# Options\n\n\
             All options are environment variables. An empty value is as good as none; a value of another form than\n\
             the one shown is warned about, and the default stays. This file is written from the table in\n\
             shared/options/src/lib.rs.\n\n\
             | variable | value | default | what it does | read |\n| --- | --- | --- | --- | --- |\n",
        );
        for row in TABLE {
            let form = row.form.replace('|', "\\|");
            let default = if row.default.is_empty() { "" } else { &format!("`{}`", row.default) };
            let reader = match (compiling(row), row.readers.contains(&Reader::Runtime)) {
                (true, true) => "always",
                (true, false) => "when compiling",
                (false, _) => "when running",
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
            if compiling(row) && !row.readers.contains(&Reader::Runtime) {
                text += &format!("      when compiling: {}\n", row.doc);
            } else {
                text += &format!("      {}\n", row.doc);
            }
        }
        text
    }

    /// The rows that `wanted` takes, as the variables of a man page.
    fn variables(wanted: impl Fn(&Row) -> bool) -> String {
        let texts = TABLE.iter().filter(|row| wanted(row)).map(|row| {
            let default = if row.default.is_empty() { String::new() } else { format!(" [{}]", row.default) };
            (format!("{}={}", row.name, row.form), format!("{}{default}", row.doc))
        });
        let texts: Vec<_> = texts.collect();
        let entries: Vec<_> = texts.iter().map(|(form, doc)| Entry { form, doc }).collect();
        autojit_manual::man(&entries)
    }

    #[test]
    fn documentation_is_the_table() {
        compare("docs/options.md", &markdown());
    }

    #[test]
    fn man_pages_have_the_table() {
        let read_by = |reader| move |row: &Row| row.readers.contains(&reader);
        let only_c = |row: &Row| {
            matches!(row.name, "AUTOJIT_CC" | "AUTOJIT_CXX" | "AUTOJIT_PREAMBLE" | "AUTOJIT_LINK_PLAN")
        };
        for (page, wanted) in [
            ("autojit-run.1", variables(read_by(Reader::Runtime))),
            ("autojitd.8", variables(read_by(Reader::Daemon))),
            ("autojit-cc.1", variables(compiling)),
            ("autojit-rustc.1", variables(|row| compiling(row) && !only_c(row))),
        ] {
            compare_part(&format!("docs/man/{page}"), "environment", &wanted);
        }
    }

    #[test]
    fn help_fits_terminals() {
        for line in help().lines() {
            assert!(line.chars().count() <= 120, "{} columns: {line}", line.chars().count());
        }
    }

    #[test]
    fn help_is_the_table() {
        compare("tools/src/options.txt", &help());
    }
}
