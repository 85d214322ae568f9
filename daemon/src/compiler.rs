//! A compiler: one of the daemon's child processes, with the engine in it. Receives [`Job`]s; hands on units, and
//! writes what it has compiled to the object cache when it is told to.
//!
//! A crash of LLVM ends this process and no other. The daemon decides what is open here, so that it always knows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use autojit_abi::GENERATOR;
use autojit_cache::{Directory, Pending, Writer, by_content};
use autojit_code::pack::Key;
use autojit_code::{Unit, bundle};
use autojit_generator::{Generator, Made, Request, defined, orc};
use autojit_protocol::packet::Bytes;
use autojit_protocol::{Blob, Incoming, Outgoing, Scope};
use autojit_store::Container;
use autojit_sys::{Errno, File, Wanted, poll};

use crate::engine;
use crate::job::{CodeKey, Functions, Job, Outcome};

/// Bytes of code that may wait to be written.
const WAITING: usize = 32 << 20;
/// How long functions of one module are compiled ahead.
const AHEAD_TIME: Duration = Duration::from_secs(20);
/// Functions of one module that are compiled ahead.
const AHEAD_FUNCTIONS: usize = 4096;

/// A module that is open here.
struct Opened {
    /// Before its container, which it needs.
    module: orc::OrcModule,
    container: Rc<Bytes>,
}

/// Code that waits to be written, with its description.
struct Source {
    container: Rc<Bytes>,
    level: i32,
    /// Of each unit, whether it is a function that was optimised alone.
    alone: Vec<bool>,
    /// The functions that programs have had compiled, by program.
    ran: BTreeMap<String, BTreeSet<u32>>,
}

/// The state of a compiler.
struct Compiler {
    engine: orc::Engine,
    socket: File,
    cache: Option<Directory>,
    modules: HashMap<CodeKey, Opened>,
    pending: Writer<Source>,
    waiting: usize,
    incoming: Incoming,
    /// What came while something was compiled ahead.
    later: VecDeque<(Job, Option<Blob>)>,
}

/// Works until the daemon is gone; before the first job, unless that is there already, LLVM is made `warm`.
pub fn run(engine: orc::Engine, socket: File, cache: Option<Directory>, warm: bool) {
    let mut compiler = Compiler {
        engine,
        socket,
        cache,
        modules: HashMap::new(),
        pending: Writer::new(),
        waiting: 0,
        incoming: Incoming::default(),
        later: VecDeque::new(),
    };
    if warm && compiler.listen() == Ok(true) && compiler.later.is_empty() {
        engine::warm(engine);
    }
    while let Ok(Some((job, container))) = compiler.next_job() {
        if compiler.work(job, container).is_err() {
            return;
        }
    }
}

fn wait(socket: &File, events: i16) {
    let mut wanted = [Wanted { fd: socket.descriptor(), events, revents: 0 }];
    // Interrupted or not: the caller tries again.
    let _ = poll(&mut wanted, None);
}

/// Bytes of memory that this process has for itself.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = |at: usize| statm.split(' ').nth(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    pages(1).saturating_sub(pages(2)) * 4096
}

impl Compiler {
    /// The next job; none if the daemon is gone.
    fn next_job(&mut self) -> Result<Option<(Job, Option<Blob>)>, Errno> {
        loop {
            let next = self.later.pop_front();
            if next.is_some() || !self.listen()? {
                return Ok(next);
            }
            if self.later.is_empty() {
                wait(&self.socket, libc::POLLIN);
            }
        }
    }

    /// Takes in what the daemon has sent by now; false if it has ended.
    fn listen(&mut self) -> Result<bool, Errno> {
        loop {
            while let Some(mut packet) = self.incoming.take_whole().map_err(|_| Errno(libc::EPROTO))? {
                let container = packet.blob.take();
                self.later.push_back((Job::of(&packet).ok_or(Errno(libc::EPROTO))?, container));
            }
            match self.incoming.fill(&self.socket) {
                Ok(true) => {}
                Err(Errno(libc::EAGAIN)) => return Ok(true),
                Ok(false) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn work(&mut self, job: Job, container: Option<Blob>) -> Result<(), Errno> {
        match job {
            Job::Compile { code_key, what, map, alone, keep, program, done } => {
                let opened = self.open(&code_key, container, what == Scope::Everything);
                let compiled = opened.and_then(|()| {
                    self.compile(&code_key, what, &map, |index| !alone && !done.contains(index))
                });
                match compiled {
                    Ok(unit) => {
                        let functions = self.deliver(code_key, unit.as_ref())?;
                        if let Some(unit) = unit.filter(|_| keep && what != Scope::Everything) {
                            let often = matches!(what, Scope::Often(_));
                            self.keep(code_key, unit, &functions, Some(program), often);
                        }
                    }
                    Err(reason) => self.send(&Outcome::Failed(reason), None)?,
                }
                if what == Scope::Everything {
                    self.modules.remove(&code_key);
                }
                Ok(())
            }
            Job::Prefetch { code_key, done } => {
                if self.open(&code_key, container, false).is_ok() {
                    self.compile_ahead(code_key, done)?;
                }
                // Written when it is this compiler's turn: two that wrote at once could lose what one of them adds.
                self.idle()
            }
            Job::Write => {
                self.write();
                self.idle()
            }
            Job::Close(code_key) => {
                self.modules.remove(&code_key);
                Ok(())
            }
            // It has come too late.
            Job::Compiled { .. } => Ok(()),
        }
    }

    /// Sends a unit, and returns which functions it has.
    fn deliver(&self, code_key: CodeKey, unit: Option<&Unit<'_>>) -> Result<Functions, Errno> {
        let mut functions = Functions::default();
        // The engine may have left out what could not be compiled.
        unit.into_iter().flat_map(defined).for_each(|index| functions.insert(index));
        let bytes = unit.map_or(Vec::new(), |unit| bundle::encode(unit, &key_of(&code_key)));
        let outcome = Outcome::Code { code_key, functions: functions.clone(), memory: memory() };
        self.send(&outcome, Some(&bytes))?;
        Ok(functions)
    }

    fn idle(&self) -> Result<(), Errno> {
        self.send(&Outcome::Idle { pending: !self.pending.is_empty(), memory: memory() }, None)
    }

    fn send(&self, outcome: &Outcome, code: Option<&[u8]>) -> Result<(), Errno> {
        let mut outgoing = Outgoing::default();
        outcome.push(&mut outgoing, code.map(Blob::new));
        while !outgoing.flush(&self.socket)? {
            wait(&self.socket, libc::POLLOUT);
        }
        Ok(())
    }

    /// Opens a module, unless it is open. One that is described in full is opened anew.
    fn open(&mut self, code_key: &CodeKey, container: Option<Blob>, full_debug: bool) -> Result<(), String> {
        if full_debug {
            let known = self.modules.remove(code_key).map(|opened| opened.container);
            let container = match (known, container) {
                (_, Some(blob)) => Rc::new(blob.open().map_err(|error| error.to_string())?),
                (Some(container), None) => container,
                (None, None) => return Err("its container is not there".into()),
            };
            return self.insert(*code_key, container, true);
        }
        if self.modules.contains_key(code_key) {
            return Ok(());
        }
        let blob = container.ok_or("its container is not there")?;
        let container = Rc::new(blob.open().map_err(|error| error.to_string())?);
        self.insert(*code_key, container, false)
    }

    fn insert(&mut self, code_key: CodeKey, container: Rc<Bytes>, full_debug: bool) -> Result<(), String> {
        // SAFETY: Opened keeps the container as long as the module, and drops it later.
        let module = unsafe { self.engine.open(&container, code_key.level, full_debug)? };
        self.modules.insert(code_key, Opened { module, container });
        Ok(())
    }

    /// Compiles. Nothing if that is nothing.
    fn compile(
        &mut self,
        code_key: &CodeKey,
        what: Scope,
        map: &[u8],
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Option<Unit<'static>>, String> {
        let opened = self.modules.get_mut(code_key).ok_or("its module is not open")?;
        let granted = RefCell::new(BTreeSet::from_iter(what.function()));
        let claim = |index| match what {
            Scope::Function(_) => wanted(index) && granted.borrow_mut().insert(index),
            Scope::Often(_) | Scope::Continuation(_) => false,
            Scope::Everything => true,
        };
        let made = opened.module.compile(&Request { what, stack_map: map, claim: &claim });
        made.map(|made| made.map(|Made { unit, .. }| unit)).map_err(|error| error.to_string())
    }

    /// Compiles what ran when the module was another one, and what that calls.
    fn compile_ahead(&mut self, code_key: CodeKey, mut done: Functions) -> Result<(), Errno> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let Some(opened) = self.modules.get(&code_key) else { return Ok(()) };
        let Ok(container) = Container::parse(&opened.container) else { return Ok(()) };
        let function = |name: &str| match container.find(name) {
            Some(autojit_store::Symbol::Function(index)) => Some(index),
            _ => None,
        };
        let names = autojit_cache::profile::ran(cache, container.source());
        let mut roots: Vec<u32> = names.iter().filter_map(|name| function(name)).collect();
        // Where a program begins, of which nothing else is known; unless the program compiles that itself, without LLVM.
        let level = if code_key.level < 0 { container.opt_level().speed.into() } else { code_key.level };
        roots.extend(function("main").filter(|_| level > 0));
        // What the cache has already.
        let key = key_of(&code_key);
        if let Ok(bytes) = cache.read(&key, autojit_cache::Kind::Code)
            && let Ok(unit) = autojit_code::pack::decode(&bytes, &key)
        {
            defined(&unit).for_each(|index| done.insert(index));
        }
        let (start, mut compiled) = (Instant::now(), 0);
        for root in roots {
            if !self.listen()? {
                return Err(Errno(libc::EPIPE));
            }
            self.later.retain(|(job, _)| match job {
                Job::Compiled { code_key: of, functions } => {
                    if *of == code_key {
                        functions.iter().for_each(|index| done.insert(index));
                    }
                    false
                }
                _ => true,
            });
            if done.contains(root) {
                continue;
            }
            if start.elapsed() > AHEAD_TIME || compiled > AHEAD_FUNCTIONS {
                break;
            }
            // An error is reported when a client asks for the function.
            let Ok(Some(unit)) =
                self.compile(&code_key, Scope::Function(root), &[], |index| !done.contains(index))
            else {
                done.insert(root);
                continue;
            };
            let functions = self.deliver(code_key, Some(&unit))?;
            functions.iter().for_each(|index| done.insert(index));
            compiled += functions.iter().count();
            self.keep(code_key, unit, &functions, None, false);
        }
        Ok(())
    }

    /// Keeps a unit to be written to the cache, and that `program` has run its functions. `alone`: it was optimised alone, as it
    /// runs often.
    fn keep(
        &mut self,
        code_key: CodeKey,
        unit: Unit<'static>,
        functions: &Functions,
        program: Option<String>,
        alone: bool,
    ) {
        let Some(opened) = self.modules.get(&code_key).filter(|_| self.cache.is_some()) else { return };
        let Ok(container) = Container::parse(&opened.container) else { return };
        let lines = unit.lines.iter().map(|lines| lines.object.len());
        self.waiting += unit.segments.iter().map(|segment| segment.len()).chain(lines).sum::<usize>();
        let local = autojit_cache::local_functions(&container, &unit);
        let source = || Source {
            container: Rc::clone(&opened.container),
            level: code_key.level,
            alone: Vec::new(),
            ran: BTreeMap::new(),
        };
        let source = self.pending.add(key_of(&code_key), unit, local, source);
        source.alone.push(alone);
        if let Some(program) = program {
            source.ran.entry(program).or_default().extend(functions.iter());
        }
        if self.waiting > WAITING {
            self.write();
        }
    }

    /// Writes what waits to the cache. What cannot be written is lost: it can be compiled again.
    fn write(&mut self) {
        self.waiting = 0;
        let pending = self.pending.take();
        let Some(cache) = &self.cache else { return };
        pending.write(
            cache,
            |Pending { of: Source { container, level, alone, ran }, units, .. }, written| {
                let Ok(container) = Container::parse(&container) else { return };
                let alone = units.iter().zip(alone).filter_map(|(unit, alone)| alone.then_some(unit));
                let mut written = written.and_then(|_| by_content::record(cache, &container, level, alone));
                for (program, ran) in &ran {
                    let names =
                        ran.iter().filter_map(|index| container.function(*index)).map(|info| info.name);
                    written = written.and(autojit_cache::profile::record(
                        cache,
                        container.source(),
                        program,
                        names,
                    ));
                }
                if let Err(error) = written {
                    crate::say(format_args!(
                        "writing to the cache {}: {error}",
                        String::from_utf8_lossy(cache.path())
                    ));
                }
            },
        );
    }
}

/// The key of what is compiled of a module.
fn key_of(code_key: &CodeKey) -> Key {
    autojit_cache::key_of(&GENERATOR, &code_key.key, code_key.level)
}
