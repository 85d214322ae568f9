//! What a process inherits from the one that started it and a daemon must not keep: it serves other programs, for longer.
//!
//! Limits, priorities, processors, signals and preloaded libraries of a build tool or of a program under test would slow down or end the
//! compiles of all others. What the system does not let it change stays. A daemon in the foreground keeps everything: a
//! service manager has chosen it.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// Limits that are raised as far as the system allows.
const LIMITS: [libc::__rlimit_resource_t; 9] = [
    libc::RLIMIT_AS,
    libc::RLIMIT_CPU,
    libc::RLIMIT_DATA,
    libc::RLIMIT_FSIZE,
    libc::RLIMIT_LOCKS,
    libc::RLIMIT_MEMLOCK,
    libc::RLIMIT_NPROC,
    libc::RLIMIT_RSS,
    libc::RLIMIT_STACK,
];

/// What makes the loader put libraries of others into a process: a runtime like ours, or one under test.
const PRELOADED: [&str; 2] = ["LD_PRELOAD", "LD_AUDIT"];

/// Starts this program again without the libraries that it was preloaded with; returns if there are none, or nothing
/// can be done. To be called while there is one thread.
pub fn shed_libraries() {
    if PRELOADED.iter().all(|name| std::env::var_os(name).is_none()) {
        return;
    }
    let own = CString::from(c"/proc/self/exe");
    // SAFETY: there is one thread (caller).
    PRELOADED.iter().for_each(|name| unsafe { std::env::remove_var(name) });
    let arguments: Vec<_> =
        std::env::args_os().map(|argument| CString::new(argument.into_vec()).unwrap_or_default()).collect();
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: C strings and a null-terminated array of them. Without /proc it fails, and the process goes on.
    unsafe { libc::execv(own.as_ptr(), pointers.as_ptr()) };
}

/// Puts the process into the state of one that a login has started. Signals are neither blocked nor ignored afterwards,
/// but for SIGXFSZ: a file that may not grow is an error.
pub fn leave() {
    // SAFETY: none of the calls gets a pointer to anything but a valid structure or string; nothing in this process
    // relies on what they change. Each may fail, and then something stays as it was.
    unsafe {
        for resource in LIMITS {
            raise(resource);
        }
        let lowest = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const lowest);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        // No class of its own: the nice value decides.
        const IOPRIO_WHO_PROCESS: i32 = 1;
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
        let all: libc::cpu_set_t = std::mem::transmute([0xff_u8; size_of::<libc::cpu_set_t>()]);
        libc::sched_setaffinity(0, size_of_val(&all), &raw const all);
        libc::umask(0o077);
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    autojit_sys::set_signal_mask(0);
    // One that is protected could have others ended in its place.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}

/// Raises a limit: away, or to what is allowed.
fn raise(resource: libc::__rlimit_resource_t) {
    let none = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    let mut limit = none;
    // SAFETY: the calls get valid structures.
    unsafe {
        if libc::setrlimit(resource, &raw const none) != 0 && libc::getrlimit(resource, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(resource, &raw const limit);
        }
    }
}
