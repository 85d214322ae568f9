//! Code that counts is kept: later runs begin with it, count anew, and have replaced what runs often in them.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use autojit_tests::cache::{assert_cold, assert_warm, files};
use autojit_tests::compile::{How, Link, object};
use autojit_tests::daemon;
use autojit_tests::run::{run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, tiered};

/// Modules, each with a function that the next one calls, a static one, an inline one that all have, and one whose address is
/// taken. `argv[1]`: rounds of the work; `argv[2]`: a child does the same, or after a pause the program itself.
const MODULES: usize = 10;

fn module(number: usize) -> String {
    let next = if number + 1 < MODULES { format!("f{}", number + 1) } else { "last".to_owned() };
    format!(
        "unsigned {next}(unsigned);\n\
         static inline unsigned all(unsigned x) {{ return x * 2654435761u ^ x >> 7; }}\n\
         __attribute__((noinline)) static unsigned own(unsigned x) {{ return all(x) + {number}; }}\n\
         unsigned taken{number}(unsigned x) {{ return x + own(x); }}\n\
         unsigned (*volatile pointer{number})(unsigned) = taken{number};\n\
         unsigned f{number}(unsigned x) {{\n\
         unsigned sum = 0;\n\
         for (unsigned i = 0; i < x % 4 + 1; i++) sum += own(x + i) ^ pointer{number}(i);\n\
         return {next}(x) + sum;\n}}\n"
    )
}

const MAIN: &str = include_str!("tiers_kept/main.c");

/// The program, of one module or of many, which image packs want.
fn build(scratch: &Scratch, how: How, in_one: bool) -> PathBuf {
    let mut sources: Vec<String> = (0..MODULES).map(module).chain([MAIN.to_owned()]).collect();
    if in_one {
        let mut all = String::new();
        for (number, text) in sources.iter().enumerate() {
            // Each has its own functions.
            let text = text.replace("own", &format!("own{number}")).replace("all(", &format!("all{number}("));
            writeln!(all, "{text}").expect("a string");
        }
        sources = vec![all];
    }
    let directory = scratch.directory(&format!("{how:?}"));
    let compile = |(number, text): (usize, &String)| {
        let source = scratch.file(&format!("module{number}.c"), text);
        object(how, &source, &["-O2".to_owned(), "-g".to_owned()], &directory)
    };
    let objects: Vec<_> = sources.iter().enumerate().map(compile).collect();
    let output = directory.join("program");
    Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &output);
    output
}

/// A program, as it is run again and again with what earlier runs have kept.
struct Program {
    scratch: Scratch,
    plain: PathBuf,
    lazy: PathBuf,
}

impl Program {
    fn new(name: &str, in_one: bool) -> Self {
        let scratch = Scratch::new(name);
        let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, in_one));
        Self { scratch, plain, lazy }
    }

    /// Runs it for so many rounds; functions are replaced after `calls` calls, loops after `loops` rounds.
    fn run(&self, arguments: &[&str], (calls, loops): (u32, u32), change: impl Fn(&mut Command)) -> Stats {
        let mut plain = autojit_tests::run::command(&self.plain);
        let plain = run(plain.args(arguments), self.scratch.path(), b"");
        let mut command = tiered(&self.lazy, &self.scratch, "inprocess", Path::new(NOWHERE));
        command.env("AUTOJIT_TIER_CALLS", calls.to_string()).env("AUTOJIT_TIER_LOOPS", loops.to_string());
        change(command.args(arguments));
        let outcome = run(&mut command, self.scratch.path(), b"");
        // There is one if perf was to be told.
        drop(fs::remove_file(format!("/tmp/perf-{}.map", outcome.pid)));
        plain.assert_same(&outcome, &format!("plain program and one with tiers, {arguments:?}"));
        Stats::read(&self.scratch.path().join(format!("stats.{}", outcome.pid)))
    }

    /// Where it is noted how long programs have waited.
    fn waited(&self) -> PathBuf {
        self.scratch.path().join("cache/code/.waited")
    }

    /// Runs it so that nothing is replaced.
    fn run_cold(&self) -> Stats {
        self.run(&["3"], NEVER, |_| ())
    }
}

const NEVER: (u32, u32) = (1_000_000_000, 1_000_000_000);

#[test]
fn later_runs_compile_nothing() {
    for in_one in [true, false] {
        let program = Program::new(&format!("tiers-kept-{in_one}"), in_one);
        let first = program.run_cold();
        assert_cold(&first, "first");
        assert_eq!(first.number("compiled"), 0.0, "{first}");
        let packs = files(&program.scratch, ".aji");
        assert_eq!(packs.len(), usize::from(!in_one));
        let later = program.run_cold();
        assert_warm(&later, "later");
        assert_eq!(later.number("cache_files"), 1.0, "{later}");
        assert!(later.number("bound") >= first.number("baseline"), "{later}");
        assert_eq!(files(&program.scratch, ".aji"), packs, "nothing is written");
        // With the thresholds that the code was kept with.
        let usual = program.run(&["3"], (30, 20_000), |_| ());
        assert_warm(&usual, "usual");
        assert_eq!(usual.number("tier_requests"), 0.0, "{usual}");
    }
}

#[test]
fn kept_code_is_replaced_when_it_runs_often() {
    for in_one in [true, false] {
        for (thresholds, mapped) in [((1, 1), true), ((30, 20_000), true), ((1, 1), false)] {
            let program = Program::new(&format!("tiers-hot-{in_one}-{}-{mapped}", thresholds.0), in_one);
            program.run_cold();
            // Code that perf is told of is linked in memory.
            let perf = |command: &mut Command| {
                if !mapped {
                    command.env("AUTOJIT_PERF_MAP", "1");
                }
            };
            let hot = program.run(&["200000"], thresholds, perf);
            assert_eq!(hot.number("baseline"), 0.0, "{hot}");
            assert!(hot.number("from_cache") >= 3.0 * MODULES as f64, "{hot}");
            let functions = 2 * MODULES + 1;
            assert!(hot.number("optimized") >= functions as f64, "{in_one} {thresholds:?} {mapped}: {hot}");
            // And its running loop is continued.
            assert!(hot.number("replaced_on_stack") >= 1.0, "{in_one} {thresholds:?} {mapped}: {hot}");
            // What was optimised is there, when it is wanted, in whichever file.
            let later = program.run(&["200000"], thresholds, perf);
            assert_eq!((later.number("optimized"), later.number("baseline")), (0.0, 0.0), "{later}");
            // Code that counts and code that replaces it.
            assert!(later.number("from_cache") >= functions as f64, "{later}");
        }
    }
}

/// Programs that end at once are spared; others are optimised, also if their exit does not wait for it.
#[test]
fn what_runs_for_long_is_optimised_without_waiting() {
    let program = Program::new("tiers-kept-on", false);
    program.run_cold();
    let hot = program.run(&["2000000"], (30, 20_000), |command| {
        command.env("AUTOJIT_TIER", "on");
    });
    assert_eq!(hot.number("baseline"), 0.0, "{hot}");
    assert!(hot.number("optimized") >= MODULES as f64, "{hot}");
}

/// A program that has waited, for whatever or for a processor, is no older for that.
#[test]
fn pauses_do_not_make_programs_older() {
    for in_one in [true, false] {
        let program = Program::new(&format!("tiers-kept-pauses-{in_one}"), in_one);
        program.run_cold();
        let paused = program.run(&["100", "pause"], (30, 20_000), |command| {
            command.env("AUTOJIT_TIER", "on");
        });
        assert_eq!((paused.number("baseline"), paused.number("tier_requests")), (0.0, 0.0), "{paused}");
        assert!(paused.number("from_cache") > 0.0, "{paused}");
    }
}

/// Counters of short programs run out hundreds of times before anything is to come of it: few of them look at the time for that.
#[test]
fn counting_in_vain_takes_few_system_calls() {
    let program = Program::new("tiers-kept-vain", false);
    program.run_cold();
    let mut strace = tiered(Path::new("strace"), &program.scratch, "inprocess", Path::new(NOWHERE));
    strace.env("AUTOJIT_TIER", "on").env("AUTOJIT_TIER_CALLS", "30").env("AUTOJIT_TIER_LOOPS", "20000");
    strace.args(["-e", "trace=clock_gettime", "-o", "trace"]).arg(&program.lazy).arg("300");
    run(&mut strace, program.scratch.path(), b"").assert_code(0);
    let trace = fs::read_to_string(program.scratch.path().join("trace")).expect("strace writes it");
    let looked = trace.lines().filter(|line| line.contains("CLOCK_PROCESS_CPUTIME_ID")).count();
    // There are about 850.
    assert!((2..=60).contains(&looked), "{trace}");
}

/// Code of an image pack runs without its containers.
#[test]
fn what_cannot_be_optimised_any_more_runs_on() {
    let program = Program::new("tiers-kept-gone", false);
    program.run_cold();
    let mut objcopy = autojit_tests::run::command(concat!("llvm-objcopy-", env!("LLVM_RELEASE")));
    tool(objcopy.args(["--remove-section", ".autojit.store"]).arg(&program.lazy));
    let hot = program.run(&["2000"], (1, 1), |_| ());
    assert!(hot.number("from_cache") > 0.0, "{hot}");
    assert_eq!((hot.number("baseline"), hot.number("tier_requests")), (0.0, 0.0), "{hot}");
}

#[test]
fn a_daemon_optimises_what_was_kept() {
    let program = Program::new("tiers-kept-daemon", false);
    program.run_cold();
    let by_daemon = |command: &mut Command| {
        command.env("AUTOJIT_MODE", "daemon").env("AUTOJIT_SOCKET_PATH", daemon::shared());
    };
    let hot = program.run(&["200000"], (30, 20_000), by_daemon);
    assert_eq!((hot.number("baseline"), hot.number("engine_load_ms")), (0.0, 0.0), "{hot}");
    assert!(hot.number("from_daemon") >= 2.0 * MODULES as f64, "{hot}");
}

/// The end of a process waits for what autojitd optimises, and until it is written: the next run begins with all of it.
#[test]
fn what_was_waited_for_is_there_in_the_next_run() {
    let program = Program::new("tiers-kept-wait", false);
    program.run_cold();
    let run = |tier: &str| {
        program.run(&["200000"], (30, 20_000), |command| {
            command.env("AUTOJIT_TIER", tier).env("AUTOJIT_MODE", "auto");
            command.env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"));
        })
    };
    let first = run("wait");
    assert!(first.number("optimized") >= 2.0 * MODULES as f64, "{first}");
    let next = run("on");
    assert_warm(&next, "next");
    assert_eq!(next.number("tier_requests"), 0.0, "{next}");
}

/// The time that programs of the scratch's cache have run with something to be optimised; None while something is.
fn waited(program: &Program) -> Option<Duration> {
    let file = File::open(program.waited()).expect("a run has waited");
    file.try_lock().ok()?;
    let bytes = fs::read(program.waited()).expect("it is readable").try_into().unwrap_or_default();
    Some(Duration::from_nanos(u64::from_le_bytes(bytes)))
}

/// Programs that end before anything comes of what they want are optimised by what one of them leaves behind, once all have run for
/// long enough.
#[test]
fn short_runs_are_optimised_in_the_end() {
    for in_one in [true, false] {
        let program = Program::new(&format!("tiers-short-{in_one}"), in_one);
        program.run_cold();
        let run = || {
            program.run(&["100"], (30, 20_000), |command| {
                command.env("AUTOJIT_TIER", "on").env("AUTOJIT_MODE", "auto");
                command.env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"));
            })
        };
        // Calls are remembered only if they come late or have cost much already.
        let first = run();
        assert_eq!((first.number("baseline"), first.number("optimized")), (0.0, 0.0), "{first}");
        let so_far = waited(&program).expect("nothing was left behind");
        assert!(so_far > Duration::ZERO && so_far < Duration::from_millis(200), "{so_far:?}");
        // As if many had run.
        let many = Duration::from_secs(1).as_nanos() as u64;
        fs::write(program.waited(), many.to_le_bytes()).expect("it is writable");
        let due = run();
        assert!(due.number("tier_requests") >= 2.0 * MODULES as f64, "{due}");
        // Each run tells of everything that it wants, until there is nothing left.
        let start = Instant::now();
        let later = loop {
            while waited(&program).is_none() {
                thread::sleep(Duration::from_millis(10));
            }
            fs::write(program.waited(), many.to_le_bytes()).expect("it is writable");
            let later = run();
            assert_eq!((later.number("baseline"), later.number("compiled")), (0.0, 0.0), "{later}");
            if later.number("tier_requests") == 0.0 {
                break later;
            }
            // At idle priority, beside other tests.
            assert!(start.elapsed() < Duration::from_secs(300), "nothing has come of it: {later}");
        };
        assert!(later.number("from_cache") >= 2.0 * MODULES as f64, "{later}");
    }
}

#[test]
fn children_go_on_with_kept_code() {
    for in_one in [true, false] {
        let program = Program::new(&format!("tiers-kept-fork-{in_one}"), in_one);
        program.run_cold();
        // The parent has replaced half of what it runs often when it forks.
        for calls in [1, 2000, 6000] {
            let hot = program.run(&["4000", "fork"], (calls, 3000), |_| ());
            assert_eq!(hot.number("baseline"), 0.0, "{hot}");
            let better = hot.number("optimized") + hot.number("from_cache");
            assert!(better > 3.0 * MODULES as f64 + 1.0, "{calls}: {hot}");
        }
    }
}

#[test]
fn processes_without_tiers_do_not_bind_what_counts() {
    for in_one in [true, false] {
        let program = Program::new(&format!("tiers-kept-off-{in_one}"), in_one);
        program.run_cold();
        for (variable, value) in [("AUTOJIT_TIER", "off"), ("AUTOJIT_BASELINE", "off")] {
            let off = program.run(&["3"], NEVER, |command| {
                command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "0").env(variable, value);
            });
            // The first of them leaves LLVM's code, which the second finds; the baseline compiler's has no part in it.
            assert_eq!(off.number("baseline"), 0.0, "{off}");
            let is_first = variable == "AUTOJIT_TIER";
            assert_eq!(off.number("from_cache") == 0.0, is_first, "{variable}: {off}");
        }
        // With tiers, optimised code comes first.
        let on = program.run_cold();
        assert_eq!((on.number("baseline"), on.number("compiled")), (0.0, 0.0), "{on}");
    }
}

/// Code that was kept calls a definition elsewhere of an inline function, which is not there any more after another link.
#[test]
fn inline_functions_may_lose_their_definition() {
    let scratch = Scratch::new("tiers-kept-inline");
    let inline = "__attribute__((always_inline)) inline unsigned twice(unsigned x) { return x * 2 + 1; }\n";
    let user = |number: usize| {
        let text =
            format!("{inline}unsigned user{number}(unsigned x) {{ return twice(x) ^ twice(x + 3); }}\n");
        (format!("user{number}.c"), text)
    };
    let main = format!(
        "#include <stdio.h>\n{inline}unsigned user0(unsigned), user1(unsigned), three(void);\n\
         int main(void) {{ printf(\"%u %u %u\\n\", user0(4), user1(5), twice(three())); }}\n"
    );
    let three = "unsigned three(void) { return 3; }\n";
    let defined = format!("{inline}extern inline unsigned twice(unsigned);\n{three}");
    // So many have an image pack.
    let sources: Vec<_> = (0..MODULES).map(user).chain([("main.c".to_owned(), main)]).collect();
    let definitions = [("with.c", defined), ("without.c", three.to_owned())];
    let directory = scratch.directory("objects");
    let compile = |name: &str, text: &str| {
        object(How::Lazy, &scratch.file(name, text), &["-O2".to_owned()], &directory)
    };
    let objects: Vec<_> = sources.iter().map(|(name, text)| compile(name, text)).collect();
    let definitions = definitions.map(|(name, text)| compile(name, &text));
    let program = scratch.path().join("program");
    for (number, definition) in [0, 1, 0, 1].into_iter().zip([0, 0, 1, 1]) {
        if number == 0 {
            let objects = [&objects[..], &definitions[definition..=definition]].concat();
            Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &program);
        }
        let mut command = tiered(&program, &scratch, "inprocess", Path::new(NOWHERE));
        let outcome = run(&mut command, scratch.path(), b"");
        assert_eq!(outcome.assert_code(0).text(), "6 26 7\n", "{number} {definition}: {outcome}");
        let stats = Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)));
        assert!(number == 0 || stats.number("from_cache") > 0.0, "{stats}");
    }
    assert_eq!(files(&scratch, ".aji").len(), 1);
}
