//! Makes a preamble, behind the compile that asked for it ([`crate::kept::making`]).
//!
//! Before a preamble is kept, the source is compiled without and with it: objects, messages and make rules have to be the same.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::flags::Compile;
use super::{contents, declarations, rules, scan};
use crate::kept::making::{Begin, Place, Stop, Work, refused};
use crate::kept::{Found, Manifest, create, trace};

/// What is to be made.
pub struct Order<'a> {
    pub program: &'a Path,
    /// The compiler's name and the flags for the plugin.
    pub command: &'a [OsString],
    pub compile: &'a Compile,
    /// The directives that the key is of.
    pub preamble: &'a [u8],
    pub place: Place<'a>,
}

impl Work for Order<'_> {
    fn make(&self, manifest: &mut Manifest) -> Result<(), Stop> {
        Job { order: self, stem: manifest.stem.clone() }.run(manifest)
    }

    fn clean(&self, stem: &str, kept: bool) {
        Job { order: self, stem: stem.to_owned() }.clean(kept);
    }
}

struct Job<'a> {
    order: &'a Order<'a>,
    stem: String,
}

impl Job<'_> {
    fn file(&self, suffix: &str) -> PathBuf {
        self.order.place.storage.file(&format!("{}.{suffix}", self.stem))
    }

    /// The directives, in the language of the source.
    fn directives(&self) -> PathBuf {
        self.file(self.order.compile.extension())
    }

    /// Removes what is not kept.
    fn clean(&self, kept: bool) {
        let outputs =
            ["txt", "i", "d", "new", "plain.o", "plain.txt", "plain.d", "with.o", "with.txt", "with.d"];
        outputs.iter().for_each(|suffix| drop(fs::remove_file(self.file(suffix))));
        if !kept {
            let _ = fs::remove_file(self.file("pch"));
            let _ = fs::remove_file(self.directives());
        }
    }

    /// Makes the preamble, and the record of it.
    fn run(&self, manifest: &mut Manifest) -> Result<(), Stop> {
        let compile = self.order.compile;
        let source = fs::read(&compile.source)?;
        let Some(end) = scan::preamble(&source).filter(|end| source[..*end] == *self.order.preamble) else {
            return Err(Stop::Later);
        };
        let begin = Begin::now();
        let directives = self.directives();
        fs::write(&directives, contents::directives(&compile.source, &source[..end]))?;
        let seen = self.emit(manifest)?;
        begin.list(manifest, seen, |_| false)?;
        let folder = scan::needs_folder(self.order.preamble).then(|| compile.folder());
        let of = contents::Files { source: &compile.source, folder, headers: &manifest.list };
        if let Some(reason) = contents::objection(manifest.files(), &of) {
            return refused(&reason);
        }
        let preprocessed = self.preprocess()?;
        let lost = || declarations::lost_declaration(&preprocessed).map(str::to_owned);
        if let Some(what) = contents::lost_pragma(&preprocessed).or_else(lost) {
            return refused(&format!("the headers have {what}"));
        }
        fs::rename(self.file("new"), self.file("pch"))?;
        // Neither the source nor a header changed while both were compiled.
        let same = |manifest: &Manifest| {
            fs::read(&compile.source).is_ok_and(|now| now == source) && manifest.difference().is_none()
        };
        match self.compare(manifest, end) {
            Err(Stop::Refused(_)) if !same(manifest) => return Err(Stop::Later),
            other => other?,
        }
        let made = manifest.add_file(&self.file("pch")).and_then(|()| manifest.add_file(&directives));
        made.ok_or(Stop::Later)?;
        if same(manifest) { Ok(()) } else { Err(Stop::Later) }
    }

    /// The arguments of each compile here: those that decide what is compiled, and the make rules if they are wanted.
    fn line(&self, with_plugin: bool, name: &str) -> Vec<OsString> {
        let command = self.order.command;
        let mut line = if with_plugin { command.to_vec() } else { command[..1].to_vec() };
        line.extend(self.order.compile.flags.iter().cloned());
        // Also if the build wants no rules: they tell which headers were found, and in which order.
        let rules = self.order.compile.rules.as_ref();
        let option = rules.map_or("-MD", |rules| rules.option);
        line.extend([option, "-MT", "object", "-MF"].map(OsString::from));
        line.push(self.file(&format!("{name}d")).into());
        if rules.is_some_and(|rules| rules.phony) {
            line.push("-MP".into());
        }
        line
    }

    /// The directives as an input of a compile, as if they were in the source's directory.
    fn input(&self) -> Vec<OsString> {
        let mut input = Vec::new();
        if scan::needs_folder(self.order.preamble) {
            input.extend([OsString::from("-iquote"), self.order.compile.folder().into()]);
        }
        input.push(self.directives().into());
        input
    }

    /// The directives as the preprocessor leaves them.
    fn preprocess(&self) -> Result<Vec<u8>, Stop> {
        let mut line = self.order.command[..1].to_vec();
        line.extend(self.order.compile.flags.iter().filter(|flag| *flag != "-c").cloned());
        line.extend(["-E", "-P", "-w", "-o"].map(OsString::from));
        line.push(self.file("i").into());
        line.extend(self.input());
        match self.run_compiler(&line, &self.file("txt"))? {
            Some(0) => Ok(fs::read(self.file("i"))?),
            _ => Err(Stop::Later),
        }
    }

    /// Has the compiler make the preamble; what it looked at.
    fn emit(&self, manifest: &mut Manifest) -> Result<std::collections::BTreeMap<PathBuf, Found>, Stop> {
        let mut line = self.line(false, "");
        line.extend(self.input());
        line.extend(["-Xclang", "-emit-pch", "-Wdate-time", "-o"].map(OsString::from));
        line.push(self.file("new").into());
        let messages = create(&self.file("txt"))?;
        let storage = self.order.place.storage;
        let Some(traced) = trace::run(self.order.program, &line, &messages, |path| storage.has(path)) else {
            return refused("the compiler cannot be traced");
        };
        if let Some(why) = traced.incomplete {
            return refused(&why);
        }
        let said = fs::read(self.file("txt"))?;
        if traced.status != Some(0) || !said.is_empty() {
            // It is the headers' fault: when they change, the next try is due.
            let _ = manifest.take(&traced.paths);
            return refused("the headers cause messages");
        }
        let rules = fs::read(self.file("d"))?;
        let Some(headers) = rules::headers(&rules, &self.directives()) else {
            return refused("the make rules have another form");
        };
        manifest.list = headers;
        Ok(traced.paths)
    }

    /// Compiles the source without and with the preamble, and compares.
    fn compare(&self, manifest: &Manifest, end: usize) -> Result<(), Stop> {
        let plain = self.compile("plain.", &[])?;
        // A source with errors may have no rules. Another time it has none.
        let rules = fs::read(self.file("plain.d")).map_err(|_| Stop::Later)?;
        let headers = rules::headers(&rules, &self.order.compile.source).unwrap_or_default();
        if !headers.starts_with(&manifest.list) {
            return refused("a plain compile finds other headers");
        }
        let with = self.compile("with.", &super::arguments(&self.file("pch"), end))?;
        // If it says something, the plain compile follows when it is used.
        if with.0 != Some(0) || !with.1.is_empty() {
            return Ok(());
        }
        if plain != with {
            return refused("a plain compile had other messages");
        }
        let read = |suffix: &str| fs::read(self.file(suffix)).ok();
        if read("plain.o") != read("with.o") {
            return refused("a plain compile had another object");
        }
        if let Some(rules) = &self.order.compile.rules {
            let source = &self.order.compile.source;
            let with = read("with.d").and_then(|text| {
                rules::plain(&text, source, &manifest.list, &self.directives(), rules.phony)
            });
            if with != read("plain.d") {
                return refused("a plain compile had other make rules");
            }
        }
        Ok(())
    }

    /// One compile without debug information, which is allowed to differ: exit status and messages.
    fn compile(&self, name: &str, more: &[OsString]) -> Result<(Option<i32>, Vec<u8>), Stop> {
        let mut line = self.line(true, name);
        line.extend(more.iter().cloned());
        line.extend([self.order.compile.source.clone().into(), OsString::from("-g0"), "-o".into()]);
        line.push(self.file(&format!("{name}o")).into());
        let messages = self.file(&format!("{name}txt"));
        let status = self.run_compiler(&line, &messages)?;
        Ok((status, fs::read(messages)?))
    }

    /// Runs the compiler with its messages in a file; its exit status.
    fn run_compiler(&self, line: &[OsString], messages: &Path) -> Result<Option<i32>, Stop> {
        let mut command = Command::new(self.order.program);
        std::os::unix::process::CommandExt::arg0(&mut command, &line[0]);
        // What is compiled here is for nothing: the daemon is not to know, and a store is not to have it.
        command.env("AUTOJIT_PREFETCH", "Off").env_remove("AUTOJIT_STORE");
        let command = command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        let _ = fs::remove_file(messages);
        Ok(command.stderr(create(messages)?).status()?.code())
    }
}
