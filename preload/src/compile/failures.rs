//! What generators say when there is no code, in the words of the message that the program's user sees.

use autojit_generator::Error;
use autojit_protocol::Scope;

use crate::compile::library;
use crate::settings::failure::Failure;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.to_string())
    }
}

/// Why a generator has not compiled what it was asked for. What is only to become better needs no remedy.
pub fn failure(error: Error, what: Scope) -> Failure {
    match error {
        Error::Refused(reason) => match what {
            Scope::Often(_) | Scope::Continuation(_) => {
                Failure::new(format_args!("generating code: {reason}"))
            }
            Scope::Function(_) | Scope::Everything => {
                Failure::new(format_args!("generating code: {reason}; build its file without autojit"))
            }
        },
        Error::Link(error) => cannot_link(&error),
        Error::Failed(reason) => Failure::new(format_args!("{reason}")),
        Error::Disconnected(reason) => disconnected(&reason),
    }
}

/// What is wrong with code.
pub fn cannot_link(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format_args!("linking its code: {error}; build its file without autojit"))
}

/// No daemon compiles: why.
pub fn disconnected(reason: &dyn std::fmt::Display) -> Failure {
    let otherwise = if library::IS_POSSIBLE {
        "start it, set AUTOJIT_DAEMON_PATH, or use AUTOJIT_MODE=inprocess"
    } else {
        "start it, or set AUTOJIT_DAEMON_PATH"
    };
    Failure::new(format_args!("asking autojitd: {reason}; {otherwise}"))
}
