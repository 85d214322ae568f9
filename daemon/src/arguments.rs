//! The command line. One table makes the parser, `autojitd --help`, docs/autojitd.md, the man page and what shells complete.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

/// What autojitd is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve all programs of the user, at a socket.
    Serve,
    /// Serve one client on standard input and output.
    Stdio,
    /// Print the state of the daemon that runs.
    Status,
    /// End the daemon that runs.
    Stop,
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// The command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What to do.
    pub action: Action,
    /// Whether to go to the background.
    pub detach: bool,
    /// Processes that compile for programs at the same time.
    pub jobs: usize,
    /// How long the daemon stays without a client; for ever if none.
    pub idle_exit: Option<Duration>,
    /// Bytes that the processes which compile may have together.
    pub memory: u64,
}

/// How an option changes the arguments; its value is empty if it has none.
type Apply = fn(&mut Arguments, &str) -> Result<(), &'static str>;

/// One option.
struct Row {
    name: &'static str,
    /// The form of its value; empty if it has none.
    form: &'static str,
    doc: &'static str,
    apply: Apply,
}

macro_rules! action {
    ($action:ident) => {
        |arguments, _| {
            arguments.action = Action::$action;
            Ok(())
        }
    };
}

const TABLE: &[Row] = &[
    Row {
        name: "--detach",
        form: "",
        doc: "go to the background once programs are served; nothing happens if a daemon serves them already",
        apply: |arguments, _| {
            arguments.detach = true;
            Ok(())
        },
    },
    Row {
        name: "--stdio",
        form: "",
        doc: "serve one client on standard input and output, and end with it",
        apply: action!(Stdio),
    },
    Row { name: "--status", form: "", doc: "print what the daemon does, as JSON", apply: action!(Status) },
    Row { name: "--stop", form: "", doc: "end the daemon", apply: action!(Stop) },
    Row {
        name: "--jobs",
        form: "N",
        doc: "compile up to N requests at the same time [number of processors]",
        apply: |arguments, value| {
            arguments.jobs = value.parse().ok().filter(|jobs| (1..=256).contains(jobs)).ok_or("1 to 256")?;
            Ok(())
        },
    },
    Row {
        name: "--idle-exit",
        form: "SECONDS",
        doc: "end when no program was connected for so long [never]",
        apply: |arguments, value| {
            let seconds = value.parse::<u32>().map_err(|_| "a number of seconds")?;
            arguments.idle_exit = Some(Duration::from_secs(seconds.into()));
            Ok(())
        },
    },
    Row {
        name: "--memory",
        form: "MEGABYTES",
        doc: "memory that compilers may have together before they are started anew [1024]",
        apply: |arguments, value| {
            let megabytes: u32 = value.parse().ok().filter(|n| *n >= 64).ok_or("at least 64")?;
            arguments.memory = u64::from(megabytes) << 20;
            Ok(())
        },
    },
    Row { name: "--version", form: "", doc: "print the version", apply: action!(Version) },
    Row { name: "--help", form: "", doc: "print this help", apply: action!(Help) },
];

impl Arguments {
    /// Understands the command line, without the program's name.
    ///
    /// # Errors
    /// An option that there is not, or a value that it cannot have: in words.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut parsed =
            Self { action: Action::Serve, detach: false, jobs, idle_exit: None, memory: 1024 << 20 };
        let mut arguments =
            arguments.into_iter().map(|argument| String::from_utf8_lossy(&argument.into_vec()).into_owned());
        while let Some(argument) = arguments.next() {
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let row = TABLE
                .iter()
                .find(|row| row.name == name)
                .ok_or_else(|| format!("unknown option {argument}; see autojitd --help"))?;
            let value = match (row.form, attached) {
                ("", None) => String::new(),
                ("", Some(_)) => return Err(format!("{name} has no value")),
                (form, None) => arguments.next().ok_or_else(|| format!("{name} needs a value: {form}"))?,
                (_, Some(value)) => value,
            };
            (row.apply)(&mut parsed, &value).map_err(|wanted| format!("{name} {value}: {wanted}"))?;
        }
        if parsed.detach && parsed.action != Action::Serve {
            return Err("--detach goes with none of --stdio, --status, --stop".into());
        }
        Ok(parsed)
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let mut text = "\
Usage: autojitd [options]

Compiles the functions of lazily compiled programs for all programs of its user, which find it by its socket:
$AUTOJIT_SOCKET_PATH, else $XDG_RUNTIME_DIR/autojitd.sock, else run/autojitd.sock in the cache directory.

Options:
"
    .to_owned();
    for row in TABLE {
        let name = [row.name, row.form].join(" ");
        writeln!(text, "  {:<20} {}", name.trim_end(), row.doc).expect("a String takes everything");
    }
    text.push_str(
        "
Exit status: 0; 1 if it cannot serve, or if --status or --stop finds no daemon; 2 for a wrong option.
",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use autojit_manual::{Entry, compare_part};

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(arguments.iter().map(|argument| (*argument).into()))
    }

    #[test]
    fn options_are_understood() {
        let parsed = parse(&["--detach", "--jobs", "3", "--idle-exit=60", "--memory=64"]).unwrap();
        assert_eq!((parsed.action, parsed.detach, parsed.jobs), (Action::Serve, true, 3));
        assert_eq!((parsed.idle_exit, parsed.memory), (Some(Duration::from_secs(60)), 64 << 20));
        for (option, action) in
            [("--stdio", Action::Stdio), ("--status", Action::Status), ("--stop", Action::Stop)]
        {
            assert_eq!(parse(&[option]).unwrap().action, action);
        }
    }

    #[test]
    fn wrong_options_are_named() {
        let wrong = |arguments: &[&str]| parse(arguments).unwrap_err();
        assert!(wrong(&["--fast"]).contains("unknown option --fast"));
        assert!(wrong(&["--jobs"]).contains("--jobs needs a value: N"));
        assert!(wrong(&["--jobs=0"]).contains("--jobs 0: 1 to 256"));
        assert!(wrong(&["--stop=now"]).contains("has no value"));
        assert!(wrong(&["--idle-exit", "soon"]).contains("seconds"));
        assert!(wrong(&["--stdio", "--detach"]).contains("--detach"));
    }

    #[test]
    fn man_page_and_shells_have_the_table() {
        let forms: Vec<_> = TABLE.iter().map(|row| [row.name, row.form].join(" ")).collect();
        let entries =
            TABLE.iter().zip(&forms).map(|(row, form)| Entry { form: form.trim_end(), doc: row.doc });
        let entries: Vec<_> = entries.collect();
        compare_part("docs/man/autojitd.8", "options", &autojit_manual::man(&entries));
        for (shell, wanted) in [
            ("bash", autojit_manual::bash("autojitd", &entries)),
            ("zsh", autojit_manual::zsh(&entries)),
            ("fish", autojit_manual::fish("autojitd", &entries)),
        ] {
            compare_part(&format!("scripts/completions/autojit.{shell}"), "autojitd", &wanted);
        }
    }

    #[test]
    fn documentation_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/autojitd.md");
        let found = std::fs::read_to_string(path).unwrap();
        let (begin, end) = ("<!-- help -->\n```text\n", "```\n<!-- end -->");
        let start = found.find(begin).expect("the help") + begin.len();
        let stop = start + found[start..].find(end).expect("its end");
        let wanted = [&found[..start], &help(), &found[stop..]].concat();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert_eq!(found, wanted, "docs/autojitd.md differs from the table; BLESS=1 rewrites it");
        }
    }
}
