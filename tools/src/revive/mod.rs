//! --core-lines: the lines of compiled code in a core file. What knows them is the runtime in the core file's memory. So the
//! memory is put into a process of its own, where the runtime is asked as a debugger asks it in a living process
//! (decisions/0074).
//!
//! Receives the paths of a core file and of the file to write; hands on what gdb is to do with that.

mod arch;
mod calls;
mod core_file;
mod files;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use goblin::elf::program_header::{PF_R, PF_W, PF_X};

use crate::Failure;
use calls::Calls;
use core_file::{Core, Segment, Unusable};
use files::Now;
use process::{Ending, Process};

/// The function of the runtime.
const DESCRIBE: &str = "__autojit_describe";
/// Exit statuses: there is nothing of ours in it, and it could not be asked.
const NOTHING: u8 = 1;
const IMPOSSIBLE: u8 = 3;
/// What is read at once, and the longest answer.
const PORTION: u64 = 1 << 20;
const MOST: u64 = 4 << 30;
const PAGE: u64 = 4096;

/// What the runtime answers, as it lies in memory.
struct Answer {
    base: u64,
    bytes: u64,
    len: u64,
    /// Files that were wanted for it, and are not what they were.
    missing: BTreeSet<OsString>,
}

/// A core file at hand.
struct Asked<'a> {
    path: &'a Path,
    file: File,
    core: &'a Core,
    /// What is now at the paths of the files that were mapped.
    files: BTreeMap<&'a OsStr, Now>,
}

/// Writes the lines of `core` to `output`, and prints gdb's command for it.
pub fn print(core: &OsStr, output: &OsStr) -> Result<(), Failure> {
    let path = Path::new(core);
    let file = File::open(path).map_err(|error| of(path, &format_args!("cannot be opened: {error}")))?;
    let core = core_file::read(&file).map_err(|why| match why {
        Unusable::Io(error) => of(path, &format_args!("cannot be read: {error}")),
        Unusable::Content(why) => of(path, &why),
        Unusable::Truncated => of(path, &"it is truncated (ulimit -c, a full disk?)"),
    })?;
    let time = file.metadata().and_then(|status| status.modified()).ok();
    let files = files::compare(&core, &file, time);
    let asked = Asked { path, file, core: &core, files };
    let entry = asked.entry()?;
    let process = asked.revive().map_err(|error| asked.impossible(&error))?;
    let Some(answer) = asked.ask(&process, entry)? else { return Ok(()) };
    write(&process, &answer, Path::new(output))
        .map_err(|error| Failure::new(IMPOSSIBLE, format!("cannot write '{}': {error}", output.display())))?;
    for path in answer.missing {
        eprintln!("autojit-run: {}: its functions have no lines", said(&path, asked.now(&path)));
    }
    println!("add-symbol-file {} -o {:#x}", output.display(), answer.base);
    Ok(())
}

fn of(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(IMPOSSIBLE, format!("'{}': {why}", path.display()))
}

/// What became of a file.
fn said(path: &OsStr, now: Now) -> String {
    let path = path.display();
    match now {
        Now::Gone => format!("'{path}' is not there any more"),
        _ => format!("'{path}' is not the file any more that the process had"),
    }
}

impl Asked<'_> {
    fn impossible(&self, why: &dyn std::fmt::Display) -> Failure {
        of(self.path, &format_args!("the runtime in it cannot be asked: {why}"))
    }

    /// The address of the runtime's function.
    fn entry(&self) -> Result<u64, Failure> {
        let runtimes: Vec<_> = self.files.iter().filter(|(path, _)| files::is_runtime(path)).collect();
        for (path, now) in &runtimes {
            if **now != Now::Same {
                return Err(self.impossible(&format_args!(
                    "{}; install the release that the program ran with",
                    said(path, **now)
                )));
            }
            if let Some(entry) = files::function(self.core, path, DESCRIBE) {
                return Ok(entry);
            }
        }
        // What is linked into a program gives way to a library (preload/src/startup/exports_static.rs).
        let inside = self.files.iter().filter(|(_, now)| **now == Now::Same);
        if let Some(entry) = inside.filter_map(|(path, _)| files::noted_function(self.core, path)).next() {
            return Ok(entry);
        }
        let other = self
            .files
            .iter()
            .find(|(path, now)| **now != Now::Same && files::had_note(self.core, &self.file, path));
        if let Some((path, now)) = other {
            return Err(self.impossible(&said(path, *now)));
        }
        let why = if runtimes.is_empty() {
            "no process that ran with autojit's runtime"
        } else {
            "its runtime is one of an older release"
        };
        Err(Failure::new(NOTHING, format!("'{}': {why}", self.path.display())))
    }

    /// A process with the memory of the core file.
    fn revive(&self) -> io::Result<Process> {
        let segments = self.core.segments.iter().map(|segment| segment.range.clone());
        let busy: Vec<_> = segments.chain(self.core.files.iter().map(|part| part.range.clone())).collect();
        let process = Process::start(&busy)?;
        let core = process.open(&CString::new(std::fs::canonicalize(self.path)?.as_os_str().as_bytes())?)?;
        for segment in &self.core.segments {
            self.map(&process, segment, core)?;
        }
        process.close(core);
        for (path, now) in &self.files {
            self.map_rest(&process, path, *now == Now::Same)?;
        }
        Ok(process)
    }

    /// Maps what the core file has of a segment.
    fn map(&self, process: &Process, segment: &Segment, core: u64) -> io::Result<()> {
        let Segment { range, offset, kept, flags } = segment;
        let len = kept.next_multiple_of(PAGE).min(range.end - range.start);
        if len == 0 {
            return Ok(());
        }
        if offset.is_multiple_of(PAGE) {
            return process.map(range.start, len, protection(*flags), Some((core, *offset)));
        }
        // gdb writes such files.
        process.map(range.start, len, protection(*flags), None)?;
        let mut done = 0;
        while done < *kept {
            let mut bytes = vec![0; (*kept - done).min(PORTION) as usize];
            self.file.read_exact_at(&mut bytes, offset + done)?;
            process.write(&bytes, range.start + done)?;
            done += bytes.len() as u64;
        }
        Ok(())
    }

    /// Maps what the core file does not have of a file that was mapped; nothing that may be touched if that `is_same` no more.
    fn map_rest(&self, process: &Process, path: &OsStr, is_same: bool) -> io::Result<()> {
        let mut file = None;
        for part in self.core.files.iter().filter(|part| part.path == path) {
            let mut next = part.range.start;
            while next < part.range.end {
                let before = self.core.segments.partition_point(|segment| segment.range.end <= next);
                let segment =
                    self.core.segments.get(before).filter(|segment| segment.range.start < part.range.end);
                // The pages of it that are there; none behind the last segment.
                let there = segment.map_or(part.range.end..part.range.end, |segment| {
                    segment.range.start..segment.range.start + segment.kept.next_multiple_of(PAGE)
                });
                let is_in = segment.filter(|segment| segment.range.start <= next);
                let end = match is_in {
                    Some(_) if next < there.end => {
                        next = there.end;
                        continue;
                    }
                    Some(segment) => segment.range.end,
                    None => there.start,
                };
                let (len, offset) = (end.min(part.range.end) - next, part.offset + (next - part.range.start));
                if is_same && file.is_none() {
                    file = Some(process.open(&CString::new(path.as_bytes())?)?);
                }
                let flags = if is_same { is_in.map_or(PF_R | PF_X, |segment| segment.flags) } else { 0 };
                process.map(next, len, protection(flags), file.map(|file| (file, offset)))?;
                next += len;
            }
        }
        if let Some(file) = file {
            process.close(file);
        }
        Ok(())
    }

    fn now(&self, path: &OsStr) -> Now {
        self.files.get(path).copied().unwrap_or(Now::Gone)
    }

    /// Asks the runtime. None if it has nothing to tell.
    fn ask(&self, process: &Process, entry: u64) -> Result<Option<Answer>, Failure> {
        let mut calls = Calls::default();
        let (mut missing, mut instead) = (BTreeSet::new(), BTreeSet::new());
        // Zeros stand for what is read of another file, once: checksums tell the runtime that it is damaged.
        let zeros = |address: u64| {
            let part = self.core.files.iter().find(|part| part.range.contains(&address))?;
            let is_new = self.now(&part.path) != Now::Same && instead.insert(part.range.start);
            is_new.then(|| {
                missing.insert(part.path.clone());
                part.range.clone()
            })
        };
        let ending = process.run(entry, 0, self.core.thread_pointer, &mut calls, zeros);
        let why = match ending.map_err(|error| self.impossible(&error))? {
            Ending::Returned(0) => return Ok(None),
            Ending::Returned(place) => {
                let word = |number: u64| {
                    let mut bytes = [0; 8];
                    process.read(&mut bytes, place.wrapping_add(8 * number))?;
                    Ok::<_, io::Error>(u64::from_le_bytes(bytes))
                };
                let words = || Ok([word(1)?, word(2)?, word(3)?]);
                let [base, bytes, len] = words().map_err(|error: io::Error| self.impossible(&error))?;
                let answer = Answer { base, bytes, len, missing };
                if len > MOST {
                    return Err(self.impossible(&"its answer makes no sense"));
                }
                return Ok(Some(answer));
            }
            Ending::Waits => "a thread was in it, or in the loader, and held a lock".to_owned(),
            Ending::Late => "it takes too long".to_owned(),
            Ending::Gone => "it has ended".to_owned(),
            Ending::Crashed { signal, at, address } => self.crash(signal, at, address),
        };
        let files = missing.iter().map(|path| format!("; {}", said(path, self.now(path))));
        Err(self.impossible(&format_args!("{why}{}", files.collect::<String>())))
    }

    /// What is said of a crash.
    fn crash(&self, signal: i32, at: u64, address: u64) -> String {
        if signal == libc::SIGILL {
            return format!("this processor does not know an instruction of it, at {at:#x}");
        }
        let place = |address: u64| {
            let part = self.core.files.iter().find(|part| part.range.contains(&address));
            part.map(|part| format!(" in '{}'", part.path.display())).unwrap_or_default()
        };
        format!("it crashed at {at:#x}{} because of {address:#x}{}", place(at), place(address))
    }
}

/// What mmap takes for the flags of a segment.
fn protection(flags: u32) -> u64 {
    let pairs = [(PF_R, libc::PROT_READ), (PF_W, libc::PROT_WRITE), (PF_X, libc::PROT_EXEC)];
    let set = pairs.iter().filter(|(flag, _)| flags & flag != 0);
    set.fold(0, |all, (_, protection)| all | *protection as u64)
}

/// Writes an answer to a file.
fn write(process: &Process, answer: &Answer, output: &Path) -> io::Result<()> {
    let mut file = File::create(output)?;
    let mut done = 0;
    while done < answer.len {
        let mut bytes = vec![0; (answer.len - done).min(PORTION) as usize];
        process.read(&mut bytes, answer.bytes.wrapping_add(done))?;
        file.write_all(&bytes)?;
        done += bytes.len() as u64;
    }
    Ok(())
}
