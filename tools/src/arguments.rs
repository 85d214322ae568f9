//! The command line of autojit-run. One table makes the parser, `autojit-run --help`, docs/seeing.md, the man page and what
//! shells complete.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::Failure;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
    /// Print what the cache has.
    CacheStats,
    /// Empty the cache.
    CacheClear,
    /// Print what is lazy in files.
    List(Vec<OsString>),
    /// Print what refers to a symbol, the first word, in the files behind it.
    Where(Vec<OsString>),
    /// Write the lines of compiled code in a core file, the first word, to the file behind it.
    CoreLines(Vec<OsString>),
    /// Look for what is wrong with the installation and the system.
    Doctor,
    /// Run a program.
    Program(Start),
}

/// A program to start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// AUTOJIT_STATS.
    pub stats: Option<OsString>,
    /// AUTOJIT_TRACE.
    pub trace: Option<OsString>,
    /// Show what is compiled on the terminal.
    pub progress: bool,
    /// AUTOJIT_MODE.
    pub mode: Option<&'static str>,
    /// The program and its arguments, not empty.
    pub line: Vec<OsString>,
}

/// What an option does.
enum Action {
    /// It is all that is to be done, whatever follows.
    Task(fn() -> Task),
    /// What follows are files.
    Files(fn(Vec<OsString>) -> Task),
    /// It has no value.
    Plain(fn(&mut Start)),
    /// A value may follow behind "=".
    Optional(fn(&mut Start, Option<OsString>)),
    /// A value follows behind "=", or as the next argument.
    Value(fn(&mut Start, OsString)),
}

/// One option.
struct Row {
    name: &'static str,
    /// Name and value as the help has them.
    form: &'static str,
    doc: &'static str,
    action: Action,
}

const TABLE: &[Row] = &[
    Row {
        name: "--stats",
        form: "--stats[=FILE]",
        doc: "print at exit what was compiled, by what and how long it took; as JSON in FILE (%p in the name: the process id)",
        action: Action::Optional(|start, file| start.stats = Some(file.unwrap_or_else(|| "text".into()))),
    },
    Row {
        name: "--trace",
        form: "--trace FILE",
        doc: "write at exit a timeline of first calls, which ui.perfetto.dev shows, to FILE (%p likewise)",
        action: Action::Value(|start, file| start.trace = Some(file)),
    },
    Row {
        name: "--progress",
        form: "--progress",
        doc: "while a large program warms up, show on the terminal how many functions were compiled",
        action: Action::Plain(|start| start.progress = true),
    },
    Row {
        name: "--daemon",
        form: "--daemon",
        doc: "have autojitd compile; start it if it does not run yet",
        action: Action::Plain(|start| start.mode = Some("daemon")),
    },
    Row {
        name: "--inprocess",
        form: "--inprocess",
        doc: "have the program compile for itself, whether or not autojitd runs",
        action: Action::Plain(|start| start.mode = Some("inprocess")),
    },
    Row {
        name: "--list",
        form: "--list FILE...",
        doc: "print what is lazy in programs, libraries, object files and archives",
        action: Action::Files(Task::List),
    },
    Row {
        name: "--where",
        form: "--where SYMBOL FILE...",
        doc: "print which lazy functions of object files and archives refer to a symbol or define it, and their lines",
        action: Action::Files(Task::Where),
    },
    Row {
        name: "--core-lines",
        form: "--core-lines CORE FILE",
        doc: "write the lines of compiled code in a core file to FILE, and print gdb's command for it",
        action: Action::Files(Task::CoreLines),
    },
    Row {
        name: "--doctor",
        form: "--doctor",
        doc: "check compilers, installation, cache, limits and kernel, and say how to mend what is wrong",
        action: Action::Task(|| Task::Doctor),
    },
    Row {
        name: "--cache-stats",
        form: "--cache-stats",
        doc: "print what the cache of compiled code has: directory, limit, files and bytes of each kind",
        action: Action::Task(|| Task::CacheStats),
    },
    Row {
        name: "--cache-clear",
        form: "--cache-clear",
        doc: "remove what it has; running programs go on",
        action: Action::Task(|| Task::CacheClear),
    },
    Row {
        name: "--version",
        form: "--version",
        doc: "print the version",
        action: Action::Task(|| Task::Version),
    },
    Row { name: "--help", form: "--help", doc: "print this help", action: Action::Task(|| Task::Help) },
    Row { name: "--", form: "--", doc: "the program's name follows", action: Action::Plain(|_| ()) },
];

/// The help text, in front of the environment variables.
pub fn help() -> String {
    let mut text = String::from(
        "\
Usage: autojit-run [options] program [argument...]

Runs a program that was compiled lazily: each function is compiled when it is first called.

Options:
",
    );
    for row in TABLE {
        // Writing to a String cannot fail.
        let mut line = format!("  {:<15}", row.form);
        for word in row.doc.split(' ') {
            if line.len() + 1 + word.len() > 110 {
                let _ = writeln!(text, "{line}");
                line = " ".repeat(17);
            }
            let _ = write!(line, " {word}");
        }
        let _ = writeln!(text, "{line}");
    }
    text += "
Exit status: the program's; 127 if the program, libautojit.so or autojitd is not found, 126 if the program cannot be
executed, 2 for a wrong option, 1 if --doctor finds something wrong, --list nothing lazy, --where no place, or
--core-lines no lazy program, 3 if that cannot have its lines.
";
    text
}

/// What the arguments ask for.
///
/// # Errors
/// An option is unknown or misses its value, or there is nothing to do.
pub fn parse(arguments: Vec<OsString>) -> Result<Task, Failure> {
    let mut start = Start::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if !argument.as_bytes().starts_with(b"-") {
            start.line.push(argument);
            start.line.extend(arguments);
            break;
        }
        let mut parts = argument.as_bytes().splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().map(|value| OsString::from_vec(value.to_vec()));
        let wrong = |why: &str| {
            Failure::new(2, format!("{why} '{}'; autojit-run --help lists them", argument.display()))
        };
        let row = TABLE.iter().find(|row| row.name.as_bytes() == name);
        let row = row.ok_or_else(|| wrong("unknown option"))?;
        if value.as_ref().is_some_and(|value| value.is_empty()) {
            return Err(wrong("no value in option"));
        }
        match (&row.action, value) {
            (Action::Task(task), None) => return Ok(task()),
            (Action::Files(task), None) => {
                let files: Vec<_> = arguments.collect();
                return if files.is_empty() { Err(wrong("no file behind option")) } else { Ok(task(files)) };
            }
            (Action::Plain(apply), None) => apply(&mut start),
            (Action::Optional(apply), value) => apply(&mut start, value),
            (Action::Value(apply), value) => {
                let value = value.or_else(|| arguments.next()).filter(|value| !value.is_empty());
                apply(&mut start, value.ok_or_else(|| wrong("no value behind option"))?);
            }
            _ => return Err(wrong("unknown option")),
        }
        if row.name == "--" {
            start.line.extend(arguments);
            break;
        }
    }
    if start.line.is_empty() {
        return Err(Failure::new(2, "no program given; autojit-run --help tells more"));
    }
    Ok(Task::Program(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autojit_manual::{Entry, compare_part};

    fn parsed(line: &[&str]) -> Result<Task, Failure> {
        parse(line.iter().map(OsString::from).collect())
    }

    fn start(stats: Option<&str>, mode: Option<&'static str>, line: &[&str]) -> Result<Task, Failure> {
        let line = line.iter().map(OsString::from).collect();
        Ok(Task::Program(Start {
            stats: stats.map(OsString::from),
            mode,
            line,
            trace: None,
            progress: false,
        }))
    }

    #[test]
    fn options_end_at_the_program() {
        assert_eq!(parsed(&["a", "--stats"]), start(None, None, &["a", "--stats"]));
        assert_eq!(parsed(&["--", "--stats"]), start(None, None, &["--stats"]));
        assert_eq!(parsed(&["--stats", "--daemon", "a"]), start(Some("text"), Some("daemon"), &["a"]));
        assert_eq!(parsed(&["--stats=f", "--inprocess", "a"]), start(Some("f"), Some("inprocess"), &["a"]));
        for line in [&["--trace", "f", "a"][..], &["--trace=f", "a"]] {
            let Ok(Task::Program(start)) = parsed(line) else { panic!("{line:?}") };
            assert_eq!((start.trace, start.line), (Some("f".into()), vec!["a".into()]));
        }
        let Ok(Task::Program(start)) = parsed(&["--progress", "a", "--progress"]) else {
            panic!("a program")
        };
        assert_eq!((start.progress, start.line.len()), (true, 2));
        assert_eq!(parsed(&["--help", "a"]), Ok(Task::Help));
        assert_eq!(parsed(&["--list", "a", "--b"]), Ok(Task::List(vec!["a".into(), "--b".into()])));
        assert_eq!(parsed(&["--where", "a", "b.o"]), Ok(Task::Where(vec!["a".into(), "b.o".into()])));
        assert_eq!(
            parsed(&["--core-lines", "core", "f"]),
            Ok(Task::CoreLines(vec!["core".into(), "f".into()]))
        );
        for wrong in [
            &["--nothing", "a"][..],
            &["-x"],
            &["--stats=", "a"],
            &["--help=x"],
            &["--daemon=x", "a"],
            &["--trace"],
            &["--trace="],
            &["--list"],
            &["--"],
            &[],
        ] {
            assert_eq!(parsed(wrong).map_err(|failure| failure.status), Err(2), "{wrong:?}");
        }
    }

    #[test]
    fn man_page_and_shells_have_the_table() {
        let entries: Vec<_> = TABLE.iter().map(|row| Entry { form: row.form, doc: row.doc }).collect();
        compare_part("docs/man/autojit-run.1", "options", &autojit_manual::man(&entries));
        for (shell, wanted) in [
            ("bash", autojit_manual::bash("autojit-run", &entries)),
            ("zsh", autojit_manual::zsh(&entries)),
            ("fish", autojit_manual::fish("autojit-run", &entries)),
        ] {
            compare_part(&format!("scripts/completions/autojit.{shell}"), "autojit-run", &wanted);
        }
    }

    #[test]
    fn the_page_has_the_help() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/seeing.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        let (begin, end) = ("<!-- help -->\n```text\n", "```\n<!-- end -->");
        let (before, rest) = page.split_once(begin).expect("its begin is marked");
        let (found, after) = rest.split_once(end).expect("its end is marked");
        if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(path, [before, begin, &help(), end, after].concat()).expect("it is writable");
        } else {
            assert_eq!(found, help(), "docs/seeing.md differs; BLESS=1 rewrites it");
        }
    }
}
