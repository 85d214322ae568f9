//! autojitd as the generator: requests, with limits, and another try if something is wrong with what answers.
//!
//! Receives functions to compile; hands on units, as the engine would have made them in this process. Connections wait in [`pool`] for the next request; [`spawn`] starts a daemon where none listens.
//!
//! Whatever comes is checked: a daemon that is silent, closes the connection or says what is no answer costs a
//! connection, never the program. Everything is a raw system call, as on the whole path of a first call.

mod pool;
mod spawn;

use std::ffi::CString;
use std::sync::OnceLock;
use std::time::Duration;

use autojit_abi::GENERATOR;
use autojit_code::bundle;
use autojit_code::pack::{Key, PackError};
use autojit_generator::{Error, Generator, Id, Made, Request, defined};
use autojit_protocol::connection::SILENCE;
use autojit_protocol::packet::{Blob, Bytes, Packet};
use autojit_protocol::{ConnectionError, Message, Scope};

use crate::compile::{cache, failures};
use crate::program::module::{Module, Opened};
use crate::settings::failure::Failure;
use crate::settings::options::{self, Options};
use crate::sys;
use pool::{Link, POOL};

pub use pool::{FORK_LOCK, after_fork_in_child};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take if it is for a whole module, with everything that debuggers want to know.
const PATIENCE_FOR_EVERYTHING: Duration = Duration::from_secs(600);
/// How often a request is made: a daemon that was restarted is found at the second time, a new one is started for the
/// third.
const ATTEMPTS: u32 = 4;
/// How often a container is handed over in one request: it may be dropped again where many are.
const DELIVERIES: u32 = 2;

/// Where daemons are, as the environment says when the runtime starts: later it is the program's to change.
#[derive(Debug)]
struct Location {
    /// The socket of the one that listens.
    socket: Option<CString>,
    /// AUTOJIT_DAEMON_PATH.
    program: Option<CString>,
    /// PATH.
    search: Vec<u8>,
}

static LOCATION: OnceLock<Location> = OnceLock::new();

/// Notes where daemons are, once.
pub fn begin(options: &Options) {
    LOCATION.get_or_init(|| Location::new(options));
}

/// Where daemons are.
///
/// # Panics
/// If the runtime has not started.
fn location() -> &'static Location {
    LOCATION.get().expect("an image has registered")
}

impl Location {
    /// What the options and the environment say.
    fn new(options: &Options) -> Self {
        let cache = autojit_cache::Directory::locate(options.cache_dir.as_deref(), options::variable, 0);
        let given = options.socket_path.as_deref();
        Self {
            socket: autojit_protocol::location::socket_path(
                given,
                options::variable,
                cache.as_ref().map(autojit_cache::Directory::root),
            ),
            program: options.daemon_path.as_deref().map(sys::absolute),
            search: options::variable(b"PATH").unwrap_or_default(),
        }
    }
}

/// There is no daemon (any more): why.
#[derive(Debug)]
pub struct Disconnected(pub String);

impl From<Disconnected> for Failure {
    fn from(gone: Disconnected) -> Self {
        failures::disconnected(&gone.0)
    }
}

/// Why a connection is not to be used again.
enum ClientError {
    Connection(ConnectionError),
    /// What it has sent is no answer.
    Nonsense(String),
    /// It could not be started.
    Start(String),
}

impl<E: Into<ConnectionError>> From<E> for ClientError {
    fn from(error: E) -> Self {
        Self::Connection(error.into())
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(error) => error.fmt(f),
            Self::Nonsense(text) => write!(f, "it has sent {text}"),
            Self::Start(text) => f.write_str(text),
        }
    }
}

/// Connects with a daemon unless that has happened: with one that listens, or, if `spawn`, one of the program's own.
///
/// # Errors
/// There is none.
pub fn connect(spawn: bool) -> Result<(), Disconnected> {
    if pool::is_connected() {
        return Ok(());
    }
    POOL.take(spawn).map(|link| POOL.give_back(link))
}

/// autojitd, for one module.
pub struct Client {
    module: &'static Module,
    spawn: bool,
}

impl Client {
    /// The daemon that listens, or, if none does and `spawn`, one of the program's own.
    pub fn new(module: &'static Module, spawn: bool) -> Self {
        Self { module, spawn }
    }

    /// One request over one connection. The answer, or why the compiler has refused.
    fn converse(
        &self,
        link: &mut Link,
        request: &Request<'_>,
    ) -> Result<Result<Option<Made>, Error>, ClientError> {
        let everything = request.what == Scope::Everything;
        let patience = if everything { PATIENCE_FOR_EVERYTHING } else { PATIENCE };
        let start = sys::monotonic_time();
        let mut question = Question::new(0, self.module, request.what, request.stack_map.to_vec());
        question.send(link)?;
        loop {
            if sys::monotonic_time() - start > patience {
                return Err(ConnectionError::Silent.into());
            }
            let packet = link.connection.receive(SILENCE)?;
            if let Some(answer) = question.hear(link, packet)? {
                return Ok(answer);
            }
        }
    }
}

impl Generator for Client {
    fn id(&self) -> &'static Id {
        // The answer of a daemon that has another one is refused when it is connected with.
        &GENERATOR
    }

    fn compile(&mut self, request: &Request<'_>) -> Result<Option<Made>, Error> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let mut link =
                POOL.take(self.spawn).map_err(|Disconnected(reason)| Error::Disconnected(reason))?;
            match self.converse(&mut link, request) {
                Ok(answer) => {
                    POOL.give_back(link);
                    // It has chosen without knowing what is cold.
                    for made in answer.iter().flatten() {
                        for index in defined(&made.unit) {
                            (request.claim)(index);
                        }
                    }
                    return answer;
                }
                Err(error) => {
                    last = error.to_string();
                    log::info!("autojitd is asked again: {last}");
                    POOL.lose(link, &last);
                }
            }
        }
        Err(Error::Disconnected(last))
    }
}

/// What an answer holds.
fn unit_of(bytes: Bytes, key: &Key) -> Result<Made, PackError> {
    if !bundle::has_lines(&bytes) {
        return Ok(bundle::decode(&bytes, key)?.into_owned().into());
    }
    // Lines are read on demand, as long as the code is there.
    let is_mapped = matches!(bytes, Bytes::Mapped(_));
    let bytes: &'static [u8] = bytes.leak();
    Ok(Made { unit: bundle::decode(bytes, key)?, kept: false, mapped: is_mapped.then_some(bytes) })
}

/// A request that was made and is not answered yet.
struct Question {
    /// What tells its answer from others.
    number: u32,
    module: &'static Module,
    what: Scope,
    /// The stack map of a continuation.
    map: Vec<u8>,
    /// Whether the answer is to come without a descriptor.
    inline: bool,
    deliveries: u32,
}

impl Question {
    fn new(number: u32, module: &'static Module, what: Scope, map: Vec<u8>) -> Self {
        Self { number, module, what, map, inline: false, deliveries: 0 }
    }

    fn send(&self, link: &mut Link) -> Result<(), ClientError> {
        let keep =
            cache::configured().is_some() && !matches!(self.what, Scope::Everything | Scope::Continuation(_));
        let (key, level) = (self.module.record().key, options::opt_override());
        let (number, what, inline, map) = (self.number, self.what, self.inline, self.map[..].into());
        let compile = Message::Compile { number, key, level, what, inline, keep, map };
        Ok(link.connection.send(&compile, None)?)
    }

    /// Whether a message answers it, or something that need not be answered.
    fn is_meant(&self, message: &Message<'_>) -> bool {
        match *message {
            Message::Code { number, .. } | Message::Failed { number, .. } | Message::Unknown { number } => {
                number == self.number
            }
            _ => true,
        }
    }

    /// The answer, or why the compiler has refused; nothing if what came is something else.
    fn hear(
        &mut self,
        link: &mut Link,
        mut packet: Packet,
    ) -> Result<Option<Result<Option<Made>, Error>>, ClientError> {
        let blob = packet.blob.take();
        let lost = packet.lost;
        match packet.message().map_err(ConnectionError::Malformed)? {
            message if !self.is_meant(&message) => {
                Err(ClientError::Nonsense("an answer without a question".into()))
            }
            Message::Working => Ok(None),
            Message::Code { .. } if lost => {
                if self.inline {
                    return Err(ClientError::Nonsense("a file instead of bytes".into()));
                }
                // Bytes need no descriptor.
                self.inline = true;
                self.send(link)?;
                Ok(None)
            }
            Message::Unknown { .. } if self.deliveries < DELIVERIES => {
                self.deliveries += 1;
                let bytes = match self.module.verify().and_then(|()| self.module.open()) {
                    Ok(Opened { bytes, .. }) => bytes,
                    Err(failure) => return Ok(Some(Err(failure.into()))),
                };
                let (key, level) = (self.module.record().key, options::opt_override());
                let given = Message::Module { key, level, made: false };
                link.connection.send(&given, Some(Blob::new(bytes)))?;
                self.send(link)?;
                Ok(None)
            }
            Message::Code { kept, .. } => {
                let bytes = blob.map_or(Ok(Bytes::Own(Vec::new())), Blob::open)?;
                let made = self.accept(bytes).map_err(ClientError::Nonsense)?;
                let kept = kept && link.shares_cache;
                Ok(Some(Ok(made.map(|made| Made { kept, ..made }))))
            }
            Message::Failed { reason, .. } => Ok(Some(Err(Error::Refused(reason.into_owned())))),
            Message::Refused { reason } => Err(ConnectionError::Refused(reason.into_owned()).into()),
            _ => Err(ClientError::Nonsense("what answers something else".into())),
        }
    }

    /// The code of an answer, or what is wrong with it.
    fn accept(&self, bytes: Bytes) -> Result<Option<Made>, String> {
        if bytes.is_empty() && self.what == Scope::Everything {
            return Ok(None);
        }
        let key = autojit_cache::key_of(&GENERATOR, &self.module.record().key, options::opt_override());
        let made = unit_of(bytes, &key).map_err(|error| format!("unusable code: {error}"))?;
        match self.what {
            Scope::Function(root) | Scope::Often(root) if defined(&made.unit).all(|index| index != root) => {
                Err("code without the function".into())
            }
            _ => Ok(Some(made)),
        }
    }
}

/// A conversation in which nothing is waited for: a few requests at a time, whose answers are looked for now and then.
pub struct Talk {
    link: Link,
    welcome: bool,
    questions: Vec<Question>,
    /// Requests so far.
    asked: u32,
}

/// An answer: the number of the request, and what has come of it.
pub type Answer = (u32, Result<Made, Failure>);

impl Talk {
    /// With the daemon that listens, or, if none does and `spawn`, with one of the program's own.
    ///
    /// # Errors
    /// There is none.
    pub fn begin(spawn: bool) -> Result<Self, Disconnected> {
        pool::connect_apart(spawn).map(|link| Self { link, welcome: false, questions: Vec::new(), asked: 0 })
    }

    /// Asks for a function that runs often, or, with the bytes of a stack map, for its continuation; the request's number. No
    /// more than [`MOST_REQUESTS`](autojit_protocol::message::MOST_REQUESTS) wait for their answers.
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn ask(
        &mut self,
        module: &'static Module,
        function: u32,
        map: Option<Vec<u8>>,
    ) -> Result<u32, Disconnected> {
        let (what, map) = match map {
            None => (Scope::Often(function), Vec::new()),
            Some(map) => (Scope::Continuation(function), map),
        };
        self.asked = self.asked.wrapping_add(1);
        let question = Question::new(self.asked, module, what, map);
        question.send(&mut self.link).map_err(|error| Disconnected(error.to_string()))?;
        self.questions.push(question);
        Ok(self.asked)
    }

    /// An answer, if one comes within `limit`; a limit of zero does not wait at all.
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn hear(&mut self, limit: Duration) -> Result<Option<Answer>, Disconnected> {
        let gone = |error: &dyn std::fmt::Display| Disconnected(error.to_string());
        if !self.link.is_whole() {
            return Err(gone(&"the program has closed the connection"));
        }
        while !self.questions.is_empty() {
            let heard = match self.welcome {
                true => self.hear_answer(limit),
                false => self.link.hear_welcome(limit).map(|()| None),
            };
            self.welcome |= heard.is_ok();
            match heard {
                Ok(None) => {}
                Ok(answer) => return Ok(answer),
                Err(ClientError::Connection(ConnectionError::Silent)) => break,
                Err(error) => return Err(gone(&error)),
            }
        }
        Ok(None)
    }

    /// What comes next, if it is an answer.
    fn hear_answer(&mut self, limit: Duration) -> Result<Option<Answer>, ClientError> {
        let packet = self.link.connection.receive(limit)?;
        let message = packet.message().map_err(ConnectionError::Malformed)?;
        let meant = self.questions.iter().position(|question| question.is_meant(&message));
        let at = meant.ok_or_else(|| ClientError::Nonsense("an answer without a question".into()))?;
        let Some(answer) = self.questions[at].hear(&mut self.link, packet)? else { return Ok(None) };
        let Question { number, what, .. } = self.questions.swap_remove(at);
        let answer = answer.map_err(|error| failures::failure(error, what)).transpose();
        Ok(answer.map(|answer| (number, answer)))
    }

    /// Waits until what was compiled is in the daemon's cache, as long as `limit`. What was asked has been answered.
    ///
    /// # Errors
    /// The daemon is gone, or takes too long.
    pub fn save(&mut self, limit: Duration) -> Result<(), Disconnected> {
        let gone = |error: &dyn std::fmt::Display| Disconnected(error.to_string());
        let begin = sys::monotonic_time();
        let connection = &mut self.link.connection;
        connection.send(&Message::Save, None).map_err(|error| gone(&error))?;
        while sys::monotonic_time() - begin < limit {
            let packet = connection.receive(SILENCE).map_err(|error| gone(&error))?;
            match packet.message().map_err(|error| gone(&ConnectionError::Malformed(error)))? {
                Message::Working => {}
                Message::Saved => return Ok(()),
                _ => return Err(gone(&"it has sent what answers something else")),
            }
        }
        Err(gone(&ConnectionError::Silent))
    }

    /// Ends it. The connection is closed, unless its descriptor is the program's by now.
    pub fn end(self) {
        self.link.close();
    }
}
