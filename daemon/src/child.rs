//! A compiler, as the daemon sees it: a child process, forked when the engine is loaded but has never been used.

use std::collections::VecDeque;
use std::io;

use autojit_cache::Directory;
use autojit_generator::orc::Engine;
use autojit_protocol::{Blob, Incoming, Outgoing, Packet};
use autojit_sys::{Errno, File};

use crate::compiler;
use crate::job::{CodeKey, Functions, Job};
use crate::requests::RequestId;

/// Modules that a compiler has open at most, each with its container. The engine itself sees to it that LLVM's part of
/// them stays small.
const OPEN: usize = 64;

/// What a compiler does.
#[derive(Debug)]
pub enum Task {
    /// Nothing.
    None,
    /// A request.
    Request(RequestId),
    /// Compiling ahead.
    Ahead,
    /// Writing to the cache.
    Write,
}

/// A compiler, as the daemon sees it.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub process: i32,
    socket: File,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The modules that it has open, the one used last at the end.
    open: VecDeque<CodeKey>,
    /// What it does.
    pub task: Task,
    /// Whether it compiles ahead only.
    pub background: bool,
    /// Whether it has something to write.
    pub pending: bool,
    /// Bytes of memory that it has.
    pub memory: u64,
}

/// The stack of a compiler's thread: what LLVM's recursive passes are used to, and more.
const STACK: usize = 256 << 20;

impl Child {
    /// Starts one.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn start(engine: Engine, cache: Option<Directory>, background: bool) -> io::Result<Self> {
        let errno = |error: Errno| io::Error::from_raw_os_error(error.0);
        let (socket, theirs) = File::socket_pair().map_err(errno)?;
        let daemon = std::process::id();
        // SAFETY: this process has one thread, so the child may call everything.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let status =
                    if become_compiler(engine, theirs, cache, background, daemon).is_ok() { 0 } else { 1 };
                autojit_sys::exit(status)
            }
            process => Ok(Self {
                process,
                socket,
                incoming: Incoming::default(),
                outgoing: Outgoing::default(),
                open: VecDeque::new(),
                task: Task::None,
                background,
                pending: false,
                memory: 0,
            }),
        }
    }

    /// Whether it has nothing to do.
    pub fn is_idle(&self) -> bool {
        matches!(self.task, Task::None)
    }

    /// The descriptor to wait for, and whether there is something to send.
    pub fn wanted(&self) -> (i32, bool) {
        (self.socket.descriptor(), !self.outgoing.is_empty())
    }

    /// Whether it has a module open.
    pub fn has(&self, code_key: &CodeKey) -> bool {
        self.open.contains(code_key)
    }

    /// Gives it a job; `container` is asked if it does not have the module.
    ///
    /// # Errors
    /// The container is not to be had.
    pub fn give(
        &mut self,
        job: &Job,
        task: Task,
        container: impl FnOnce(&CodeKey) -> Result<Blob, Errno>,
    ) -> Result<(), Errno> {
        let code_key = match job {
            Job::Compile { code_key, .. } | Job::Prefetch { code_key, .. } => Some(*code_key),
            Job::Write | Job::Close(_) | Job::Compiled { .. } => None,
        };
        let mut blob = None;
        if let Some(code_key) = code_key {
            match self.open.iter().position(|open| *open == code_key) {
                Some(at) => drop(self.open.remove(at)),
                None => blob = Some(container(&code_key)?),
            }
            // One that is described in full is closed again behind the job.
            let transient = matches!(job, Job::Compile { what: autojit_protocol::Scope::Everything, .. });
            if !transient {
                self.open.push_back(code_key);
            }
            if self.open.len() > OPEN
                && let Some(oldest) = self.open.pop_front()
            {
                Job::Close(oldest).push(&mut self.outgoing, None);
            }
        }
        job.push(&mut self.outgoing, blob);
        self.task = task;
        Ok(())
    }

    /// Tells it what it need not compile ahead.
    pub fn inform(&mut self, code_key: CodeKey, functions: &Functions) {
        if matches!(self.task, Task::Ahead) {
            Job::Compiled { code_key, functions: functions.clone() }.push(&mut self.outgoing, None);
        }
    }

    /// It could not open the module.
    pub fn forget(&mut self, code_key: &CodeKey) {
        if let Some(at) = self.open.iter().position(|open| open == code_key) {
            self.open.remove(at);
            Job::Close(*code_key).push(&mut self.outgoing, None);
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// Its end of the socket is closed.
    pub fn flush(&mut self) -> Result<(), Errno> {
        self.outgoing.flush(&self.socket).map(drop)
    }

    /// What it has sent. None at the end, or if it has sent nonsense.
    pub fn receive(&mut self) -> Option<Vec<Packet>> {
        let mut packets = Vec::new();
        loop {
            match self.incoming.fill(&self.socket) {
                Ok(true) => {}
                Err(Errno(libc::EAGAIN)) => return Some(packets),
                // What it sent before its end counts.
                Ok(false) | Err(_) => return (!packets.is_empty()).then_some(packets),
            }
            while let Some(packet) = self.incoming.take_whole().ok()? {
                packets.push(packet);
            }
        }
    }

    /// Waits for the end of a compiler whose socket is closed, and says how it ended.
    pub fn reap(self) -> String {
        let mut status = 0;
        // SAFETY: the kernel writes the status. A child that sent nonsense is ended here.
        unsafe {
            if libc::waitpid(self.process, &raw mut status, libc::WNOHANG) == 0 {
                libc::kill(self.process, libc::SIGKILL);
                libc::waitpid(self.process, &raw mut status, 0);
            }
        }
        if libc::WIFSIGNALED(status) {
            format!("signal {}", libc::WTERMSIG(status))
        } else {
            format!("exit status {}", libc::WEXITSTATUS(status))
        }
    }
}

/// In the child: leaves everything that is the daemon's, and compiles until the daemon is gone.
fn become_compiler(
    engine: Engine,
    socket: File,
    cache: Option<Directory>,
    background: bool,
    daemon: u32,
) -> io::Result<()> {
    /// Where the socket goes, behind the standard descriptors; all others are closed.
    const SOCKET: i32 = 3;
    // SAFETY: a process of its own with one thread; the descriptors that are closed are the daemon's, and their objects
    // in this copy of its memory are not used again.
    let socket = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The daemon may have ended before that.
        if libc::getppid() != daemon as i32 {
            return Ok(());
        }
        // A terminal's interrupt is the daemon's to handle.
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        autojit_sys::set_signal_mask(0);
        if libc::dup2(socket.descriptor(), SOCKET) < 0 {
            return Err(io::Error::last_os_error());
        }
        if socket.descriptor() == SOCKET {
            std::mem::forget(socket);
        }
        libc::syscall(libc::SYS_close_range, SOCKET + 1, u32::MAX, 0);
        libc::chdir(c"/".as_ptr());
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        libc::dup2(null, 0);
        libc::dup2(null, 1);
        if background {
            let lowest = libc::sched_param { sched_priority: 0 };
            libc::setpriority(libc::PRIO_PROCESS, 0, 19);
            libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const lowest);
        }
        <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(SOCKET)
    };
    let thread = std::thread::Builder::new().name("compiler".into()).stack_size(STACK);
    let thread = thread.spawn(move || compiler::run(engine, socket.into(), cache, !background))?;
    let _ = thread.join();
    Ok(())
}
