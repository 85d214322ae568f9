//! Makes the plan of a link, behind the link that asked for it ([`crate::kept::making`]): the driver prints what it would call
//! (`-###`), and everything is taken down that it looks at before.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::kept::making::{Begin, Stop, Work, refused};
use crate::kept::{Manifest, Storage, create, trace};

/// Longer command lines the driver may put into a file for the linker, which it removes.
const LONGEST: usize = 64 << 10;

/// What the driver prints about itself in front of its jobs.
const ABOUT: &[&str] = &[
    "Target: ",
    "Thread model: ",
    "InstalledDir: ",
    "Build config: ",
    "Configuration file: ",
    "System configuration file directory: ",
    "User configuration file directory: ",
];

/// What is to be planned.
pub struct Order<'a> {
    pub program: &'a Path,
    /// The whole command line.
    pub line: &'a [OsString],
    pub storage: &'a Storage,
}

impl Work for Order<'_> {
    fn make(&self, manifest: &mut Manifest) -> Result<(), Stop> {
        let begin = Begin::now();
        let path = self.messages(&manifest.stem);
        let messages = create(&path)?;
        let mut line = self.line.to_vec();
        line.insert(1, "-###".into());
        let Some(traced) = trace::run(self.program, &line, &messages, |path| self.storage.has(path)) else {
            return refused("the compiler cannot be traced");
        };
        // An object may be missing for a while. The link failed then, too.
        if traced.status != Some(0) {
            return Err(Stop::Later);
        }
        // Objects and libraries are the linker's to read. What is linked to is the last link's.
        let is_word = |path: &Path| self.line[1..].iter().any(|word| word == path.as_os_str());
        begin.list(manifest, traced.paths, is_word)?;
        if let Some(why) = traced.incomplete {
            return refused(&why);
        }
        let Some(plan) = only_job(&fs::read(&path)?) else {
            return refused("the driver does more than to call a linker");
        };
        if plan.iter().map(Vec::len).sum::<usize>() > LONGEST {
            return refused("the command line is too long");
        }
        if !plan.first().is_some_and(|linker| Path::new(OsStr::from_bytes(linker)).is_absolute()) {
            return refused("the linker has no path");
        }
        manifest.list = plan;
        Ok(())
    }

    fn clean(&self, stem: &str, _kept: bool) {
        let _ = fs::remove_file(self.messages(stem));
    }
}

impl Order<'_> {
    fn messages(&self, stem: &str) -> std::path::PathBuf {
        self.storage.file(&format!("{stem}.txt"))
    }
}

/// The words of the only job in what `-###` prints. None if there are several, or anything else is said.
fn only_job(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = text.strip_suffix(b"\n")?;
    let mut job = None;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.starts_with(b" \"") {
            if job.replace(words(line)?).is_some() {
                return None;
            }
        } else {
            let line = std::str::from_utf8(line).ok()?;
            let version = number == 0 && line.contains("clang version ");
            if !(version || ABOUT.iter().any(|known| line.starts_with(known))) {
                return None;
            }
        }
    }
    job
}

/// The words of a job: each in quotes, behind a blank, with backslashes in front of what would end it.
pub fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    while let Some(blank) = bytes.next() {
        if blank != b' ' || bytes.next() != Some(b'"') {
            return None;
        }
        let mut word = Vec::new();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => word.push(bytes.next()?),
                byte => word.push(byte),
            }
        }
        words.push(word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Debian clang version 22.1.2\nTarget: x86_64-pc-linux-gnu\nInstalledDir: /usr/bin\n";

    fn job(rest: &str) -> Option<Vec<String>> {
        let words = only_job(format!("{HEAD}{rest}").as_bytes())?;
        Some(words.into_iter().map(|word| String::from_utf8(word).expect("it is text")).collect())
    }

    #[test]
    fn a_job_is_words_in_quotes() {
        let line = " \"/usr/bin/ld\" \"a b\" \"\" \"c\\\"d\\\\e\\$f\"\n";
        assert_eq!(job(line).expect("it is one job"), ["/usr/bin/ld", "a b", "", "c\"d\\e$f"]);
    }

    #[test]
    fn anything_else_is_no_plan() {
        for text in [
            "",
            " \"a\"\n \"b\"\n",
            " \"a\"",
            " \"a\n\"\n",
            " \"a\" b\n",
            " \"a\n",
            " (in-process)\n \"a\"\n",
            "clang: warning: argument unused during compilation: '-c'\n \"a\"\n",
            " \"a\"\nclang: error: no such file or directory: 'b.o'\n",
        ] {
            assert_eq!(job(text), None, "{text}");
        }
        assert_eq!(only_job(b" \"a\"\nclang version 22\n"), None);
    }
}
