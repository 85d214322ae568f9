//! A compiler: one of the daemon's child processes, with the engine in it. Receives [`Job`]s; hands on objects, and
//! writes what it has compiled to the object cache when it is told to.
//!
//! A crash of LLVM ends this process and no other. The daemon decides what is open here, so that it always knows.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use autojit_cache::Directory;
use autojit_code::describe;
use autojit_protocol::packet::Bytes;
use autojit_protocol::{Blob, Incoming, Outgoing, What};
use autojit_store::Container;
use autojit_sys::{Errno, File, Wanted, poll};

use crate::engine::{Engine, Module, Output};
use crate::job::{Functions, Job, Outcome, Variant};

/// Bytes of objects that may wait to be written.
const WAITING: usize = 32 << 20;
/// How long functions of one module are compiled ahead.
const AHEAD_TIME: Duration = Duration::from_secs(20);
/// Functions of one module that are compiled ahead.
const AHEAD_FUNCTIONS: usize = 4096;

/// A module that is open here.
struct Opened {
    /// Before its container, which it needs.
    module: Module,
    container: Rc<Bytes>,
}

/// What waits to be written of a module.
struct Pending {
    container: Rc<Bytes>,
    objects: Vec<Output>,
    /// The functions that programs have had compiled, by program.
    ran: BTreeMap<String, BTreeSet<u32>>,
}

/// The state of a compiler.
struct Compiler {
    engine: Engine,
    socket: File,
    cache: Option<Directory>,
    modules: HashMap<Variant, Opened>,
    pending: BTreeMap<Variant, Pending>,
    waiting: usize,
    incoming: Incoming,
    /// What came while something was compiled ahead.
    later: VecDeque<(Job, Option<Blob>)>,
}

/// Works until the daemon is gone; before the first job, unless that is there already, LLVM is made `warm`.
pub fn run(engine: Engine, socket: File, cache: Option<Directory>, warm: bool) {
    let mut compiler = Compiler {
        engine,
        socket,
        cache,
        modules: HashMap::new(),
        pending: BTreeMap::new(),
        waiting: 0,
        incoming: Incoming::default(),
        later: VecDeque::new(),
    };
    if warm && compiler.listen() == Ok(true) && compiler.later.is_empty() {
        engine.warm();
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
            while let Some(mut packet) = self.incoming.take().map_err(|_| Errno(libc::EPROTO))? {
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
            Job::Compile { variant, what, map, alone, keep, program, done } => {
                let opened = self.open(&variant, container, what == What::Everything);
                let compiled = opened.and_then(|()| {
                    self.compile(&variant, what, &map, |index| !alone && !done.contains(index))
                });
                match compiled {
                    Ok((object, functions)) => {
                        self.send(
                            &Outcome::Code { variant, functions: functions.clone(), memory: memory() },
                            Some(object.bytes()),
                        )?;
                        if keep && what != What::Everything {
                            self.keep(variant, object, &functions, Some(program));
                        }
                    }
                    Err(reason) => self.send(&Outcome::Failed(reason), None)?,
                }
                if what == What::Everything {
                    self.modules.remove(&variant);
                }
                Ok(())
            }
            Job::Prefetch { variant, done } => {
                if self.open(&variant, container, false).is_ok() {
                    self.compile_ahead(variant, done)?;
                }
                // Written when it is this compiler's turn: two that wrote at once could lose what one of them adds.
                self.idle()
            }
            Job::Write => {
                self.write();
                self.idle()
            }
            Job::Close(variant) => {
                self.modules.remove(&variant);
                Ok(())
            }
            // It has come too late.
            Job::Compiled { .. } => Ok(()),
        }
    }

    fn idle(&self) -> Result<(), Errno> {
        self.send(&Outcome::Idle { pending: !self.pending.is_empty(), memory: memory() }, None)
    }

    fn send(&self, outcome: &Outcome, object: Option<&[u8]>) -> Result<(), Errno> {
        let mut outgoing = Outgoing::default();
        outcome.push(&mut outgoing, object.map(Blob::new));
        while !outgoing.flush(&self.socket)? {
            wait(&self.socket, libc::POLLOUT);
        }
        Ok(())
    }

    /// Opens a module, unless it is open. One that is described in full is opened anew.
    fn open(&mut self, variant: &Variant, container: Option<Blob>, full_debug: bool) -> Result<(), String> {
        if full_debug {
            let known = self.modules.remove(variant).map(|opened| opened.container);
            let container = match (known, container) {
                (_, Some(blob)) => Rc::new(blob.open().map_err(|error| error.to_string())?),
                (Some(container), None) => container,
                (None, None) => return Err("its container is not there".into()),
            };
            return self.insert(*variant, container, true);
        }
        if self.modules.contains_key(variant) {
            return Ok(());
        }
        let blob = container.ok_or("its container is not there")?;
        let container = Rc::new(blob.open().map_err(|error| error.to_string())?);
        self.insert(*variant, container, false)
    }

    fn insert(&mut self, variant: Variant, container: Rc<Bytes>, full_debug: bool) -> Result<(), String> {
        // SAFETY: Opened keeps the container as long as the module, and drops it later.
        let module = unsafe { self.engine.open(&container, variant.level, full_debug)? };
        self.modules.insert(variant, Opened { module, container });
        Ok(())
    }

    /// Compiles, and says which functions are in the object.
    fn compile(
        &mut self,
        variant: &Variant,
        what: What,
        map: &[u8],
        mut wanted: impl FnMut(u32) -> bool,
    ) -> Result<(Output, Functions), String> {
        let opened = self.modules.get_mut(variant).ok_or("its module is not open")?;
        let mut granted = BTreeSet::new();
        granted.extend(what.function());
        let everything = what == What::Everything;
        let mut wanted = |index| match what {
            What::Function(_) => wanted(index),
            What::Often(_) | What::Continuation(_) => false,
            What::Everything => true,
        };
        let object = opened.module.compile(what, map, |index| wanted(index) && granted.insert(index))?;
        let mut functions = Functions::default();
        if everything {
            granted.into_iter().for_each(|index| functions.insert(index));
        } else {
            // The engine may have left out what could not be compiled.
            let container = Container::parse(&opened.container).map_err(|error| error.to_string())?;
            let unit = autojit_cache::unit_of(object.bytes(), &container);
            let unit = unit.map_err(|error| format!("linking its code: {error}"))?;
            for function in unit.functions.iter().filter(|function| function.global) {
                if let autojit_code::Symbol::Function(index) = function.symbol {
                    functions.insert(index);
                }
            }
        }
        Ok((object, functions))
    }

    /// Compiles what ran when the module was another one, and what that calls.
    fn compile_ahead(&mut self, variant: Variant, mut done: Functions) -> Result<(), Errno> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let Some(opened) = self.modules.get(&variant) else { return Ok(()) };
        let Ok(container) = Container::parse(&opened.container) else { return Ok(()) };
        let function = |name: &str| match container.find(name) {
            Some(autojit_store::Symbol::Function(index)) => Some(index),
            _ => None,
        };
        let names = autojit_cache::profile::ran(cache, container.source());
        let mut roots: Vec<u32> = names.iter().filter_map(|name| function(name)).collect();
        // Where a program begins, of which nothing else is known.
        roots.extend(function("main"));
        // What the cache has already.
        let key = autojit_cache::key_of(&variant.key, variant.level);
        if let Ok(bytes) = cache.read(&key, autojit_cache::Kind::Code)
            && let Ok(unit) = autojit_code::pack::decode(&bytes, &key)
        {
            for function in unit.functions.iter().filter(|function| function.global) {
                if let autojit_code::Symbol::Function(index) = function.symbol {
                    done.insert(index);
                }
            }
        }
        let (start, mut compiled) = (Instant::now(), 0);
        for root in roots {
            if !self.listen()? {
                return Err(Errno(libc::EPIPE));
            }
            self.later.retain(|(job, _)| match job {
                Job::Compiled { variant: of, functions } => {
                    if *of == variant {
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
            let Ok((object, functions)) =
                self.compile(&variant, What::Function(root), &[], |index| !done.contains(index))
            else {
                done.insert(root);
                continue;
            };
            functions.iter().for_each(|index| done.insert(index));
            compiled += functions.iter().count();
            let memory = memory();
            self.send(
                &Outcome::Code { variant, functions: functions.clone(), memory },
                Some(object.bytes()),
            )?;
            self.keep(variant, object, &functions, None);
        }
        Ok(())
    }

    /// Keeps an object to be written to the cache, and that `program` has run its functions.
    fn keep(&mut self, variant: Variant, object: Output, functions: &Functions, program: Option<String>) {
        let Some(opened) = self.modules.get(&variant).filter(|_| self.cache.is_some()) else { return };
        let pending = self.pending.entry(variant).or_insert_with(|| Pending {
            container: Rc::clone(&opened.container),
            objects: Vec::new(),
            ran: BTreeMap::new(),
        });
        self.waiting += object.bytes().len();
        pending.objects.push(object);
        if let Some(program) = program {
            pending.ran.entry(program).or_default().extend(functions.iter());
        }
        if self.waiting > WAITING {
            self.write();
        }
    }

    /// Writes what waits to the cache. What cannot be written is lost: it can be compiled again.
    fn write(&mut self) {
        self.waiting = 0;
        let pending = std::mem::take(&mut self.pending);
        let Some(cache) = &self.cache else { return };
        for (variant, pending) in pending {
            let Ok(container) = Container::parse(&pending.container) else { continue };
            let mut local = BTreeSet::new();
            let mut units = Vec::new();
            for object in &pending.objects {
                let Ok(mut unit) = autojit_cache::unit_of(object.bytes(), &container) else { continue };
                if describe::has_lines(object.bytes()) {
                    unit.lines.push(unit.lines_of(object.bytes()));
                }
                local.extend(autojit_cache::local_functions(&container, &unit));
                units.push(unit);
            }
            let key = autojit_cache::key_of(&variant.key, variant.level);
            let mut written = autojit_cache::add(cache, &key, &units, &local).map(drop);
            for (program, ran) in &pending.ran {
                let names = ran.iter().filter_map(|index| container.function(*index)).map(|info| info.name);
                written =
                    written.and(autojit_cache::profile::record(cache, container.source(), program, names));
            }
            if let Err(error) = written {
                crate::say(format_args!(
                    "writing to the cache {}: {error}",
                    String::from_utf8_lossy(cache.path())
                ));
            }
        }
    }
}
