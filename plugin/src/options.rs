//! The plugin's options, from the environment of the compiler. docs/options.md describes them to users.

/// See docs/options.md.
#[derive(Debug)]
pub struct Options {
    /// The directory for container files; None to embed containers (AUTOJIT_STORE).
    pub store_dir: Option<String>,
    /// Whether the compile daemon is told of new modules (AUTOJIT_PREFETCH).
    pub prefetch: bool,
    /// Whether to say what is compiled as usual and why (AUTOJIT_LOG).
    info: bool,
    /// Whether to say so of each function (AUTOJIT_LOG, AUTOJIT_DEBUG).
    debug: bool,
}

impl Options {
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let log = variable("AUTOJIT_LOG").unwrap_or_default();
        let debug = log == "debug"
            || variable("AUTOJIT_DEBUG").is_some_and(|v| v.eq_ignore_ascii_case("on") || v == "1");
        Self {
            store_dir: variable("AUTOJIT_STORE").filter(|value| value != "embed"),
            prefetch: !variable("AUTOJIT_PREFETCH")
                .is_some_and(|value| ["off", "0", "no", "false"].contains(&&*value.to_ascii_lowercase())),
            info: debug || log == "info",
            debug,
        }
    }

    /// A line on stderr at level info.
    pub fn info(&self, line: &str) {
        if self.info {
            eprintln!("autojit: {line}");
        }
    }

    /// A line on stderr at level debug.
    pub fn debug(&self, line: &str) {
        if self.debug {
            eprintln!("autojit: {line}");
        }
    }
}
