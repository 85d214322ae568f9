//! One build of a program: plain or lazy, at a level.
//!
//! Receives a description of sources; hands on what compiling took, commands that link, and the program. What the
//! compiler takes is told apart from what the linker takes: rustc and cargo, which do both, are asked for the command
//! that they link with, and that is run by itself.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use autojit_tests::kept;
use autojit_tests::run::command;

use crate::child::Usage;
use crate::programs::{Files, Level, Package, Source};
use crate::setup::{How, Setup, create_empty};

/// Named, so that build scripts and procedural macros are built apart from the program, and stay plain.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Makes each edit another one.
static EDITS: AtomicU32 = AtomicU32::new(0);

/// What compiling a program took, and building it again after a file was edited.
#[derive(Debug)]
pub struct Built {
    /// Processor time for all of it.
    pub cpu: Duration,
    /// By the clock, for compiling the edited file and linking the program.
    pub edited: Duration,
    /// The program after the edit.
    pub program: PathBuf,
    /// The same two with mold as the linker, in C and C++.
    pub by_mold: Option<(Duration, PathBuf)>,
}

/// A build.
#[derive(Debug)]
pub struct Build<'a> {
    setup: &'a Setup,
    name: &'static str,
    source: &'a Source,
    level: Level,
    how: How,
    directory: PathBuf,
    /// The directory for function bodies, if objects are not to have them.
    store: Option<PathBuf>,
    /// Where autojitd listens, if it is to be told of what is compiled.
    announced: Option<PathBuf>,
}

impl<'a> Build<'a> {
    /// The build of `source` as the program `name`. Builds in C and C++ share objects.
    ///
    /// # Errors
    /// No directory can be made for it.
    pub fn new(
        setup: &'a Setup,
        name: &'static str,
        source: &'a Source,
        level: Level,
        how: How,
    ) -> Result<Self> {
        let directory = setup.directory(&format!("{}-{}", level.name(), how.name()))?;
        let directory = match source {
            Source::Clang(_) => directory,
            Source::Rustc(_) | Source::Cargo(..) => directory.join(name),
        };
        let build = Self { setup, name, source, level, how, directory, store: None, announced: None };
        build.prepare()?;
        Ok(build)
    }

    /// The same program with its bodies in a directory, from scratch.
    ///
    /// # Errors
    /// No directory can be made for it.
    pub fn beside_store(&self) -> Result<Self> {
        let directory = self.setup.directory(&format!("store-{}-{}", self.level.name(), self.name))?;
        let store = Some(directory.join("store"));
        create_empty(&directory.join("store"))?;
        let build = Self { directory, store, announced: None, ..*self };
        build.prepare()?;
        Ok(build)
    }

    /// The same, with a daemon that is told of what is compiled. (In C and C++.)
    pub fn announced_at(&self, socket: &Path) -> Self {
        let (directory, store) = (self.directory.clone(), self.store.clone());
        Self { directory, store, announced: Some(socket.to_owned()), ..*self }
    }

    /// How it is compiled.
    pub fn how(&self) -> How {
        self.how
    }

    fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.directory)?;
        if let Source::Cargo(package) = self.source {
            // A copy, since its sources are going to be edited.
            create_empty(&self.directory.join("package/src"))?;
            let manifest = ["Cargo.toml", "Cargo.lock"].map(|file| (package.directory.join(file), file));
            for (from, to) in manifest.into_iter().chain([(package.main.clone(), "src/main.rs")]) {
                fs::copy(&from, self.directory.join("package").join(to))
                    .with_context(|| from.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Compiles everything, and builds the program after an edit. What cargo builds for the build itself is there before.
    /// Clang's compiling of the edited file counts for both in a plain build; in a lazy one it may have a kept preamble.
    ///
    /// # Errors
    /// It does not compile or link.
    pub fn build(&self) -> Result<Built> {
        let edit = EDITS.fetch_add(1, Ordering::Relaxed);
        match self.source {
            Source::Clang(files) => {
                let mut cpu = Duration::ZERO;
                let unedited = usize::from(self.how == How::Plain);
                for source in &files.sources[unedited..] {
                    cpu += self.setup.run(&mut self.clang_compile(files, source, &self.object(source)))?.cpu;
                }
                let (edited, built) = self.edit(files, edit)?;
                if self.how == How::Plain {
                    cpu += edited.cpu;
                }
                Ok(Built { cpu, ..built })
            }
            Source::Rustc(file) => {
                let compile = self.setup.run(&mut self.rustc_compile(file))?;
                let edited = self.edited_source(file, edit)?;
                let again = self.setup.run(&mut self.rustc_link(&edited))?;
                let program = self.directory.join(self.name);
                Ok(Built { cpu: compile.cpu, edited: again.wall, program, by_mold: None })
            }
            Source::Cargo(Package { main, program, .. }) => {
                let built = self.cargo_target();
                if !built.exists() {
                    self.setup.run(&mut self.cargo("build", program))?;
                }
                create_empty(&built)?;
                let compile = self.setup.run(&mut self.cargo("build", program))?;
                let edited = self.edited_source(main, edit)?;
                fs::copy(edited, self.directory.join("package/src/main.rs")).context("the edited source")?;
                let again = self.setup.run(&mut self.cargo("build", program))?;
                let program = self.cargo_output().join(program);
                Ok(Built { cpu: compile.cpu, edited: again.wall, program, by_mold: None })
            }
        }
    }

    /// The program after some edits in C or C++, when the wrappers have made what they keep; else as it is.
    ///
    /// # Errors
    /// It does not compile or link.
    pub fn settled(&self) -> Result<PathBuf> {
        let Source::Clang(files) = self.source else { return self.program() };
        self.ensure_objects(files)?;
        for _ in 0..2 {
            self.edit(files, EDITS.fetch_add(1, Ordering::Relaxed))?;
        }
        for kind in ["preamble", "link"] {
            kept::wait(&self.edit_cache()?.join(kind));
        }
        Ok(self.edit(files, EDITS.fetch_add(1, Ordering::Relaxed))?.1.program)
    }

    /// Whether programs that are built after an edit find the runtime themselves.
    pub fn names_runtime(&self) -> bool {
        matches!(self.source, Source::Clang(_))
    }

    /// The cache of builds after an edit: for what the wrappers keep, and for code.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn edit_cache(&self) -> Result<PathBuf> {
        self.setup.directory("edit-cache")
    }

    /// The edit of a program in C or C++, as a programmer has it: a function comes behind the first one of the first file, which is
    /// compiled, and the program linked, by the wrappers if it is lazy.
    fn edit(&self, files: &Files, edit: u32) -> Result<(Usage, Built)> {
        let source = &files.sources[0];
        let folder = self.directory.join("edited");
        fs::create_dir_all(&folder)?;
        let edited = folder.join(source.file_name().unwrap_or_default());
        let text = fs::read_to_string(source).with_context(|| format!("no {}", source.display()))?;
        let behind = text.find("\n}\n").map_or(text.len(), |at| at + 3);
        let (before, after) = text.split_at(behind);
        fs::write(&edited, format!("{before}int autojit_edit(void) {{ return {edit}; }}\n{after}"))
            .context("the edit of a source file")?;
        // Not in the place of the object that was not edited.
        let object = self.directory.join(format!("{}-edited.o", self.name));
        let mut compile = self.editor(is_cxx(source))?;
        // Headers beside the source.
        compile.arg("-iquote").arg(source.parent().unwrap_or(Path::new(".")));
        let compile = self.setup.run(self.compiling(&mut compile, files, &edited, &object))?;
        let link = |linker: &str| {
            let program = self.directory.join(format!("{}-edited-{linker}", self.name));
            let mut link = self.editor(files.sources.iter().any(|source| is_cxx(source)))?;
            self.linking(&mut link, files, &object).arg(format!("-fuse-ld={linker}")).arg("-o").arg(&program);
            Ok::<_, anyhow::Error>((compile.wall + self.setup.run(&mut link)?.wall, program))
        };
        let (edited, program) = link("lld")?;
        let built = Built { cpu: compile.cpu, edited, program, by_mold: Some(link("mold")?) };
        Ok((compile, built))
    }

    /// The compiler of builds after an edit.
    fn editor(&self, cxx: bool) -> Result<Command> {
        if self.how == How::Plain {
            return Ok(clang(cxx));
        }
        let mut command = command(self.setup.program(if cxx { "autojit-c++" } else { "autojit-cc" }));
        command.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", self.edit_cache()?);
        Ok(command)
    }

    /// The edit of a program in Rust: a copy of the file with another `main`.
    fn edited_source(&self, file: &Path, edit: u32) -> Result<PathBuf> {
        let text = fs::read_to_string(file).with_context(|| format!("no {}", file.display()))?;
        let main = "fn main() {\n";
        ensure!(text.contains(main), "main of {} looks otherwise", file.display());
        let edited = self.directory.join("edited.rs");
        fs::write(&edited, text.replace(main, &format!("{main}    std::hint::black_box({edit});\n")))
            .context("the edit of a source file")?;
        Ok(edited)
    }

    /// The program, linked as the compiler does by default.
    ///
    /// # Errors
    /// It does not compile or link.
    pub fn program(&self) -> Result<PathBuf> {
        let output = match self.source {
            Source::Clang(_) | Source::Rustc(_) => self.directory.join(self.name),
            Source::Cargo(package) => self.cargo_output().join(package.program),
        };
        if !output.exists() {
            match self.source {
                Source::Clang(files) => {
                    self.ensure_objects(files)?;
                    self.setup.run(
                        self.clang_link(files, &self.object(&files.sources[0])).arg("-o").arg(&output),
                    )?;
                }
                Source::Rustc(file) => drop(self.setup.run(&mut self.rustc_link(file))?),
                Source::Cargo(package) => drop(self.setup.run(&mut self.cargo("build", package.program))?),
            }
        }
        Ok(output)
    }

    /// The command that links the program with a linker.
    ///
    /// # Errors
    /// It does not compile.
    pub fn link(&self, linker: &str) -> Result<Command> {
        let output = self.directory.join(format!("{}-{linker}", self.name));
        match self.source {
            Source::Clang(files) => {
                self.ensure_objects(files)?;
                let mut command = self.clang_link(files, &self.object(&files.sources[0]));
                command.arg(format!("-fuse-ld={linker}")).arg("-o").arg(output);
                Ok(command)
            }
            Source::Rustc(_) | Source::Cargo(..) => {
                let line = self.link_line()?;
                let mut shell = command("sh");
                // Of options that are repeated, the last one counts.
                shell.arg("-c").arg(format!("{line} -fuse-ld={linker} -o '{}'", output.display()));
                Ok(shell)
            }
        }
    }

    /// Bytes of the program's object files; those in archives count with the archive.
    ///
    /// # Errors
    /// It does not compile.
    pub fn objects(&self) -> Result<f64> {
        match self.source {
            Source::Clang(files) => {
                self.ensure_objects(files)?;
                files.sources.iter().map(|source| size(&self.object(source))).sum()
            }
            Source::Rustc(file) => {
                let object = self.directory.join("program.o");
                if !object.exists() {
                    self.setup.run(&mut self.rustc_compile(file))?;
                }
                size(&object)
            }
            Source::Cargo(..) => {
                self.link_line()?;
                let is_object = |path: &Path| {
                    let name = path.to_string_lossy();
                    name.ends_with(".rlib") || name.ends_with(".rcgu.o")
                };
                sizes(&self.cargo_output().join("deps"), is_object)
            }
        }
    }

    /// Bytes of the files with function bodies, if they are not in the objects.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn stored(&self) -> Result<f64> {
        let directory = self.store.as_deref().context("bodies are in the objects")?;
        sizes(directory, |_| true)
    }

    fn ensure_objects(&self, files: &Files) -> Result<()> {
        for source in &files.sources {
            let object = self.object(source);
            if !object.exists() {
                self.setup.run(&mut self.clang_compile(files, source, &object))?;
            }
        }
        Ok(())
    }

    fn object(&self, source: &Path) -> PathBuf {
        self.directory.join(format!("{}.o", source.file_name().unwrap_or_default().display()))
    }

    fn clang_compile(&self, files: &Files, source: &Path, object: &Path) -> Command {
        let mut command = clang(is_cxx(source));
        if self.how == How::Lazy {
            command.arg(format!("-fpass-plugin={}", self.setup.plugin().display()));
        }
        self.compiling(&mut command, files, source, object);
        command
    }

    /// Adds what a compiler is given for a source.
    fn compiling<'c>(
        &self,
        command: &'c mut Command,
        files: &Files,
        source: &Path,
        object: &Path,
    ) -> &'c mut Command {
        command.envs(self.store.iter().map(|store| ("AUTOJIT_STORE", store)));
        command.envs(self.announced.iter().map(|socket| ("AUTOJIT_SOCKET_PATH", socket)));
        command.arg(format!("-{}", self.level.name())).arg("-g").args(&files.flags);
        command.arg("-c").arg(source).arg("-o").arg(object)
    }

    /// Links the program; `first` is the object of the first file.
    fn clang_link(&self, files: &Files, first: &Path) -> Command {
        let mut command = clang(files.sources.iter().any(|source| is_cxx(source)));
        self.linking(&mut command, files, first);
        command
    }

    /// Adds what a compiler is given to link.
    fn linking<'c>(&self, command: &'c mut Command, files: &Files, first: &Path) -> &'c mut Command {
        command.arg(first).args(files.sources[1..].iter().map(|source| self.object(source)));
        command.args(&files.link)
    }

    fn rustc(&self) -> Command {
        let mut command = command("rustc");
        command.envs(self.store.iter().map(|store| ("AUTOJIT_STORE", store)));
        let level = self.level.name().trim_start_matches('O');
        command.args(["--edition=2024", "-g", &format!("-Copt-level={level}")]);
        if self.how == How::Lazy {
            command.env("RUSTC_BOOTSTRAP", "1");
            command.arg(format!("-Zllvm-plugins={}", self.setup.plugin().display()));
        }
        command
    }

    fn rustc_compile(&self, file: &Path) -> Command {
        let mut command = self.rustc();
        command.arg("--emit=obj").arg(file).arg("-o").arg(self.directory.join("program.o"));
        command
    }

    fn rustc_link(&self, file: &Path) -> Command {
        let mut command = self.rustc();
        command.arg(file).arg("-o").arg(self.directory.join(self.name));
        command
    }

    fn cargo_target(&self) -> PathBuf {
        self.directory.join("target").join(TARGET)
    }

    fn cargo_output(&self) -> PathBuf {
        self.cargo_target().join(match self.level {
            Level::O0 => "debug",
            Level::O2 => "release",
        })
    }

    fn cargo(&self, subcommand: &str, program: &str) -> Command {
        let mut command = command("cargo");
        command.envs(self.store.iter().map(|store| ("AUTOJIT_STORE", store)));
        if self.how == How::Lazy {
            command.env("RUSTC_WRAPPER", self.setup.program("autojit-rustc"));
        }
        command.args([subcommand, "--quiet", "--locked", "--offline", "--target", TARGET, "--bin", program]);
        command.arg("--target-dir").arg(self.directory.join("target"));
        command.arg("--manifest-path").arg(self.directory.join("package/Cargo.toml"));
        if self.level == Level::O2 {
            command.arg("--release").env("CARGO_PROFILE_RELEASE_DEBUG", "2");
        }
        command
    }

    /// The command that rustc links with, for a shell. Its objects stay.
    fn link_line(&self) -> Result<String> {
        const KEEP: [&str; 2] = ["--print=link-args", "-Csave-temps"];
        let (kept, mut compiler) = match self.source {
            Source::Clang(_) => anyhow::bail!("clang has no command of its own to link with"),
            Source::Rustc(file) => (self.directory.join("link-line"), self.rustc_link(file)),
            Source::Cargo(package) => {
                let mut cargo = self.cargo("rustc", package.program);
                cargo.arg("--");
                // Goes when everything is compiled anew, as the objects do.
                (self.cargo_target().join("link-line"), cargo)
            }
        };
        if !kept.exists() {
            let told = self.setup.run(compiler.args(KEEP))?.stdout;
            fs::write(&kept, told).context("the command that links")?;
        }
        let line = fs::read_to_string(&kept).context("the command that links")?;
        ensure!(line.trim().lines().count() == 1, "{compiler:?} tells no command that links: '{line}'");
        Ok(line.trim().to_owned())
    }
}

fn clang(cxx: bool) -> Command {
    command(if cxx {
        concat!("clang++-", env!("LLVM_RELEASE"))
    } else {
        concat!("clang-", env!("LLVM_RELEASE"))
    })
}

fn is_cxx(source: &Path) -> bool {
    source.extension() == Some(OsStr::new("cpp"))
}

/// Bytes of a file.
///
/// # Errors
/// There is none.
pub fn size(file: &Path) -> Result<f64> {
    let length = fs::metadata(file).with_context(|| format!("no {} was written", file.display()))?.len();
    Ok(length as f64)
}

/// Bytes of some files of a directory.
fn sizes(directory: &Path, counts: impl Fn(&Path) -> bool) -> Result<f64> {
    let mut sum = 0.0;
    for entry in fs::read_dir(directory).with_context(|| format!("no {}", directory.display()))? {
        let path = entry?.path();
        if counts(&path) {
            sum += size(&path)?;
        }
    }
    Ok(sum)
}
