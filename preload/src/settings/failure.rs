//! Why a function cannot be had: the second half of the one message that the program's user sees.

use std::fmt;

/// What was attempted, on which file, and the cause, as one text: "reading /a/b.ajc: no such file or directory".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this text.
    pub fn new(text: fmt::Arguments<'_>) -> Self {
        Self(text.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
