//! Which generator compiles: the engine in this process, or autojitd.
//!
//! Receives AUTOJIT_MODE; hands on what they make. In mode `auto` a daemon that listens is asked, else the engine is
//! loaded, and once it is, nothing else is asked; a daemon of the program's own is started if there is no engine. In mode
//! `daemon` the engine is never loaded.

use autojit_generator::orc;
use autojit_generator::{Error, Generator, Made, Request};

use crate::compile::daemon::{self, Client, Disconnected};
use crate::compile::engine::{self, EngineHandle, Orc};
use crate::compile::failures::failure;
use crate::compile::library;
use crate::program::module::Module;
use crate::settings::failure::Failure;
use crate::settings::options::{self, Mode};
use crate::settings::stats::{self, Counter};

/// The generator that compiles.
#[derive(Clone, Copy, Debug)]
pub enum Compiler {
    /// The engine, for the calling thread.
    Engine(orc::Engine),
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
            Mode::Inprocess => engine::get().enter().map(Self::Engine),
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
        engine::get().enter().map(Self::Engine).or_else(|failure| {
            daemon::connect(true).map(|()| Self::Daemon).map_err(|Disconnected(reason)| {
                log::info!("{reason}");
                failure
            })
        })
    }

    /// Has a module compiled, whose handle is `handle`; by the engine as well, if no daemon answers. What that has made, and
    /// what counts its functions.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn compile(
        self,
        module: &'static Module,
        handle: &mut EngineHandle,
        request: &Request<'_>,
    ) -> Result<(Option<Made>, &'static Counter), Failure> {
        let failed = |error| failure(error, request.what);
        let engine = match self {
            Self::Engine(engine) => engine,
            Self::Daemon => match Client::new(module, Self::may_spawn()).compile(request) {
                Err(Error::Disconnected(reason)) => Self::instead_of(Disconnected(reason))?,
                made => return made.map(|made| (made, &stats::COUNTERS.from_daemon)).map_err(failed),
            },
        };
        let made = Orc::new(engine, module, handle).compile(request).map_err(failed)?;
        Ok((made, &stats::COUNTERS.compiled))
    }

    /// The one to be asked if no daemon has answered.
    fn instead_of(gone: Disconnected) -> Result<orc::Engine, Failure> {
        match mode() {
            Mode::Daemon => Err(gone.into()),
            Mode::Auto | Mode::Inprocess => {
                log::info!("{}", gone.0);
                engine::get().enter()
            }
        }
    }

    /// Whether a daemon of the program's own may be started where none listens.
    fn may_spawn() -> bool {
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
