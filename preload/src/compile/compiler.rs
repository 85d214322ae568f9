//! Who compiles: the engine in this process, or autojitd.
//!
//! Receives AUTOJIT_MODE; hands on who is to be asked now, and the objects of both. In mode `auto` a daemon that
//! listens is asked, else the engine is loaded, and once it is, nobody else is asked; a daemon of the program's own is
//! started if there is no engine. In mode `daemon` the engine is never loaded.

use autojit_abi::EngineApi;
use autojit_protocol::packet::Bytes;

use crate::compile::daemon::{self, Gone};
use crate::compile::engine::{self, Owned};
use crate::compile::library;
use crate::settings::failure::Failure;
use crate::settings::options::{self, Mode};
use crate::sys;

/// Who compiles.
#[derive(Clone, Copy, Debug)]
pub enum Compiler {
    /// The engine, for the calling thread.
    Engine(&'static EngineApi),
    /// autojitd.
    Daemon,
}

/// AUTOJIT_MODE, where there is a choice.
pub fn mode() -> Mode {
    if !library::IS_POSSIBLE {
        return Mode::Daemon;
    }
    options::get().map_or(Mode::Auto, |options| options.mode)
}

impl Compiler {
    /// The one to be asked now. A daemon is connected with, or the engine is loaded.
    ///
    /// # Errors
    /// There is none.
    pub fn choose() -> Result<Self, Failure> {
        match mode() {
            Mode::Inprocess => engine::get().api().map(Self::Engine),
            Mode::Daemon => daemon::connect(true).map(|()| Self::Daemon).map_err(Failure::from),
            Mode::Auto => {
                if !engine::get().is_loaded() && daemon::connect(false).is_ok() {
                    return Ok(Self::Daemon);
                }
                Self::without_listener()
            }
        }
    }

    /// The same where no daemon listens.
    fn without_listener() -> Result<Self, Failure> {
        engine::get().api().map(Self::Engine).or_else(|failure| {
            daemon::connect(true).map(|()| Self::Daemon).map_err(|Gone(reason)| {
                log::info!("{reason}");
                failure
            })
        })
    }

    /// The one to be asked if no daemon has answered.
    ///
    /// # Errors
    /// There is none.
    pub fn instead_of(gone: Gone) -> Result<&'static EngineApi, Failure> {
        match mode() {
            Mode::Daemon => Err(gone.into()),
            Mode::Auto | Mode::Inprocess => {
                log::info!("{}", gone.0);
                engine::get().api()
            }
        }
    }

    /// Whether a daemon of the program's own may be started where none listens.
    pub fn may_spawn() -> bool {
        match mode() {
            Mode::Inprocess => false,
            Mode::Daemon => true,
            Mode::Auto => engine::get().is_missing(),
        }
    }

    /// Before the process confines itself: fetches what the next compile will need. Failures are told by that.
    pub fn provide() {
        // What listens may end, and cannot be found again then: the engine is there for good.
        let _ = match mode() {
            Mode::Auto => Self::without_listener(),
            Mode::Inprocess | Mode::Daemon => Self::choose(),
        };
    }
}

/// An object file.
#[derive(Debug)]
pub enum Object {
    /// The engine's.
    Engine(Owned),
    /// autojitd's.
    Daemon(Bytes),
    /// The object cache's.
    Kept(&'static [u8]),
}

/// An object that is held while it is linked. If it describes lines, its bytes stay: they are read on demand.
#[derive(Debug)]
pub struct Held {
    object: Option<Object>,
    /// Its bytes, if they stay.
    lines: Option<&'static [u8]>,
    /// Whether those are a file.
    mapped: bool,
}

impl Held {
    /// Holds an object.
    pub fn new(object: Object) -> Self {
        let mut held = Self { object: None, lines: None, mapped: false };
        let bytes: &[u8] = match &object {
            Object::Engine(owned) => owned.bytes(),
            Object::Daemon(bytes) => bytes,
            Object::Kept(bytes) => bytes,
        };
        if !autojit_code::describe::has_lines(bytes) {
            held.object = Some(object);
            return held;
        }
        held.mapped = matches!(object, Object::Daemon(Bytes::Mapped(_)) | Object::Kept(_));
        held.lines = Some(match object {
            Object::Engine(owned) => owned.leak(),
            Object::Daemon(bytes) => bytes.leak(),
            Object::Kept(bytes) => bytes,
        });
        held
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match (&self.object, self.lines) {
            (Some(Object::Engine(owned)), _) => owned.bytes(),
            (Some(Object::Daemon(bytes)), _) => bytes,
            (Some(Object::Kept(bytes)), _) => bytes,
            (None, lines) => lines.unwrap_or(&[]),
        }
    }

    /// Its bytes, if they describe lines.
    pub fn lines(&self) -> Option<&'static [u8]> {
        self.lines
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lines) = self.lines
            && self.mapped
        {
            // They are in the file, for those who ask; memory is for what is used.
            sys::release_pages(lines);
        }
    }
}
