//! What the plugin is: its version, and the digest of its file.
//!
//! Compiler caches and cargo tell compilers apart by what they answer to a question for their version, or by the bytes or
//! the time of their executable. None of them looks at a plugin, so both have to change with it: scripts/build builds this
//! executable after the plugin, with the digest in the environment.

/// The digest of the plugin that this executable was built for.
pub const PLUGIN: &str = match option_env!("AUTOJIT_PLUGIN_DIGEST") {
    Some(digest) => digest,
    None => "unknown",
};

/// The line for `--version`. The colon behind the first word is the form that rustc's answer to `-vV` has.
pub fn line() -> String {
    format!("autojit: {}, plugin {PLUGIN}", env!("CARGO_PKG_VERSION"))
}
