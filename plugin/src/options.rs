//! The plugin's options, from the environment of the compiler, and its messages: see the crate autojit-options.

use std::ops::Deref;
use std::sync::Once;

pub use autojit_options::Store;
use autojit_options::{Level, Reader};

/// See docs/options.md.
#[derive(Debug)]
pub struct Options(autojit_options::Options);

impl Deref for Options {
    type Target = autojit_options::Options;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Options {
    /// Of the process. Warns of bad values, once: rustc has many modules.
    pub fn from_environment() -> Self {
        static WARNED: Once = Once::new();
        let (options, bad) = autojit_options::Options::from_environment(Reader::Plugin);
        let options = Self(options);
        WARNED.call_once(|| bad.iter().for_each(|bad| options.say(Level::Warn, &format!("warning: {bad}"))));
        options
    }

    /// A line on stderr at level info.
    pub fn info(&self, line: &str) {
        self.say(Level::Info, line);
    }

    /// A line on stderr at level debug.
    pub fn debug(&self, line: &str) {
        self.say(Level::Debug, line);
    }

    fn say(&self, level: Level, line: &str) {
        if level <= self.log {
            eprintln!("autojit: {line}");
        }
    }
}
