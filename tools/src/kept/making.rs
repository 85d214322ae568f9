//! Makes what is kept, in a process of its own: detached from the build, when the command that asked for it has ended, at the
//! lowest priority, one at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::key::Key;
use super::manifest::{Found, Manifest};
use super::storage::{Event, Lookup, Storage};

/// So long the command that asked may take.
const COMMAND: Duration = Duration::from_secs(600);
/// Processor time, in seconds, for each command here.
const PROCESSOR_TIME: u64 = 300;
/// Files are newer than a time if they changed so long before it, as clocks of file systems tick: what they were just before is
/// not certain.
const TICK: Duration = Duration::from_millis(50);

/// Where it is to be kept.
pub struct Place<'a> {
    pub key: &'a Key,
    pub storage: &'a Storage,
    /// What all of the kind may take.
    pub limit: u64,
}

/// How it is made.
pub trait Work {
    /// Makes it, and the record of it. Names of its files begin with the manifest's stem.
    ///
    /// # Errors
    /// It was not made.
    fn make(&self, manifest: &mut Manifest) -> Result<(), Stop>;

    /// Removes what is not kept of these files.
    fn clean(&self, stem: &str, kept: bool);
}

/// Why nothing was made.
pub enum Stop {
    /// It cannot be, until the files or the flags change.
    Refused(String),
    /// Perhaps next time: files changed, or the directory cannot be written.
    Later,
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Self {
        Self::Later
    }
}

/// Says that it cannot be.
pub fn refused<T>(reason: &str) -> Result<T, Stop> {
    Err(Stop::Refused(reason.to_owned()))
}

/// Starts a process that does the work, and goes on.
pub fn start(place: &Place, work: &impl Work) {
    // SAFETY: no arguments.
    let compiler = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) } as i32;
    if compiler < 0 {
        return;
    }
    place.storage.count(Event::Asked);
    // SAFETY: the process has one thread; the children leave by _exit.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            // A child of the child is not the build's to wait for.
            if libc::fork() == 0 {
                detach(compiler);
                if await_end() {
                    place.storage.count(make(place, work));
                }
            }
            libc::_exit(0);
        }
        if child > 0 {
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        libc::close(compiler);
    }
}

/// Where [`detach`] puts the descriptor of the process that asked.
const COMPILER: i32 = 3;

/// Gives up what the build could wait for, and the priority. No descriptor but [`COMPILER`] stays open.
fn detach(compiler: i32) {
    // SAFETY: descriptors of this process alone, which nothing here has in use.
    unsafe {
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        (0..3).for_each(|standard| {
            libc::dup2(null, standard);
        });
        if compiler != COMPILER {
            libc::dup2(compiler, COMPILER);
        }
        libc::syscall(libc::SYS_close_range, COMPILER + 1, u32::MAX, 0);
        libc::nice(19);
        let parameters = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters);
        const IDLE: i32 = 3 << 13;
        libc::syscall(libc::SYS_ioprio_set, 1, 0, IDLE);
        let limit = libc::rlimit { rlim_cur: PROCESSOR_TIME, rlim_max: PROCESSOR_TIME };
        libc::setrlimit(libc::RLIMIT_CPU, &raw const limit);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// Waits for the command to end.
fn await_end() -> bool {
    let mut poll = libc::pollfd { fd: COMPILER, events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure of ours.
    unsafe { libc::poll(&raw mut poll, 1, COMMAND.as_millis() as i32) == 1 }
}

/// Makes it, if it is still wanted; what became of it.
fn make(place: &Place, work: &impl Work) -> Event {
    let storage = place.storage;
    let Some(_lock) = storage.waiting_lock() else { return Event::Left };
    let Some(_turn) = storage.turn() else { return Event::Left };
    if let Lookup::Found(manifest, _) = storage.find(place.key)
        && manifest.difference().is_none()
    {
        return Event::Left;
    }
    let stem = format!("{}.{:x}", place.key.digits(), now());
    let mut manifest = Manifest::new(&place.key.0, &stem);
    let event = match work.make(&mut manifest) {
        Ok(()) => Event::Made,
        Err(Stop::Refused(reason)) => {
            manifest.stem.clear();
            manifest.reason = reason;
            Event::Unfit
        }
        Err(Stop::Later) => Event::Left,
    };
    let kept = event != Event::Left && storage.keep(place.key, &manifest).is_ok();
    work.clean(&stem, kept && event == Event::Made);
    storage.evict(place.limit);
    if kept { event } else { Event::Left }
}

fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// The time at which a look at files begins.
#[derive(Clone, Copy)]
pub struct Begin(i128);

impl Begin {
    /// Now. Files that change from here on are known by their times.
    pub fn now() -> Self {
        let begin = now() as i128;
        std::thread::sleep(TICK);
        Self(begin)
    }

    /// Has a manifest list what was `seen` since; of what `only_there` names it only matters that it is there.
    ///
    /// # Errors
    /// Some of it has changed since, or may have.
    pub fn list(
        self,
        manifest: &mut Manifest,
        mut seen: BTreeMap<PathBuf, Found>,
        only_there: impl Fn(&std::path::Path) -> bool,
    ) -> Result<(), Stop> {
        for (path, found) in &mut seen {
            if only_there(path) && matches!(found, Found::Exactly(_)) {
                *found = Found::File;
            }
            if Found::at(path, matches!(found, Found::Exactly(_))).map(|now| now.as_known(*found))
                != Some(*found)
            {
                return Err(Stop::Later);
            }
        }
        if manifest.take(&seen).is_none() || manifest.newest() > self.0 {
            return Err(Stop::Later);
        }
        manifest.distrust_after(self.0 - TICK.as_nanos() as i128);
        Ok(())
    }
}
