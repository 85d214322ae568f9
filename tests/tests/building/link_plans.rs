//! Plans of links: a link by one makes what clang's driver has the linker make, says what it says, and never follows a plan that
//! is out of date.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use autojit_tests::kept::files;
use autojit_tests::links::Linked;
use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, LINKERS};
use autojit_tests::run::{attempt, bare_command, command, run, tool};
use autojit_tests::scratch::dist;
use autojit_tests::stats::Stats;

/// The usual way: the third link starts the linker by the plan that was made behind the second.
#[test]
fn a_link_that_is_done_again_has_its_plan_kept() {
    for linker in LINKERS {
        for flags in ["", "-shared -Wl,-soname,part.so -lm", "-O2 -g -no-pie -s -pthread -Wl,--gc-sections"] {
            let linked = Linked::new(&format!("again-{linker}"), &format!("-fuse-ld={linker} {flags}"));
            let what = format!("{linker} {flags}");
            let result = linked.warm(&what);
            assert_eq!((result.status, result.said.as_str()), (Some(0), ""), "{what}");
            assert_eq!(
                ["n", "a", "m", "u"].map(|event| linked.count(event.chars().next().unwrap())),
                [2, 1, 1, 1]
            );
            if !flags.contains("-shared") {
                let program = linked.scratch.path().join("program");
                let outcome =
                    run(&mut bare_command(program, linked.scratch.path()), linked.scratch.path(), b"");
                assert_eq!(outcome.assert_code(0).text(), "42\n", "{what}");
                Stats::read(&linked.scratch.path().join("stats")).assert_lazy();
            }
        }
    }
}

/// Objects and libraries are read by the linker each time.
#[test]
fn what_is_linked_is_read_each_time() {
    let mut linked = Linked::new("inputs", "-Lfirst -Lsecond -lpart");
    for (directory, value) in [("second", 1), ("first", 2)] {
        linked.compile("part", &format!("int part(void) {{ return {value}; }}\n"));
        linked.scratch.directory(directory);
        let archive = format!("{directory}/libpart.a");
        tool(command("ar").args(["rcs", &archive, "part.o"]).current_dir(linked.scratch.path()));
        if value == 1 {
            linked.compile("helper", "int part(void);\nint helper(int x) { return x + part(); }\n");
            linked.warm("one library");
        }
    }
    let prints = |linked: &Linked| {
        let directory = linked.scratch.path();
        run(&mut bare_command(directory.join("program"), directory), directory, b"").text()
    };
    assert!(linked.compare("a library in front").0, "{}", linked.reasons());
    assert_eq!(prints(&linked), "44\n");
    linked.compile("helper", "int part(void);\nint helper(int x) { return x + 3 * part(); }\n");
    assert!(linked.compare("another object").0, "{}", linked.reasons());
    assert_eq!(prints(&linked), "52\n");
    // Another order of the directories is another link.
    linked.arguments.swap(4, 5);
    assert!(!linked.compare("directories exchanged").0);
}

/// What decides how the driver calls the linker, and where it finds it.
#[test]
fn what_the_driver_would_find_is_noticed() {
    let mut linked = Linked::new("found", "-fuse-ld=lld");
    let tools = linked.scratch.directory("tools");
    linked.environment = vec![("COMPILER_PATH".to_owned(), tools.display().to_string())];
    linked.warm("at first");
    let linker = tool(command(CLANG).arg("-print-prog-name=ld.lld")).text();
    let script = format!("#!/bin/sh\necho other >>log\nexec {} --build-id=none \"$@\"\n", linker.trim());
    fs::write(tools.join("ld.lld"), script).expect("the directory is ours");
    fs::set_permissions(tools.join("ld.lld"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let changed = linked.count('c');
    assert!(!linked.compare("a linker in front of the other").0);
    assert_eq!(linked.count('c'), changed + 1, "{}", linked.reasons());
    linked.wait();
    let lines = || fs::read_to_string(linked.scratch.path().join("log")).unwrap_or_default().lines().count();
    let before = lines();
    assert!(linked.compare("the other linker").0, "{}", linked.reasons());
    assert_eq!(lines(), before + 2, "both links are by the other linker");
    fs::remove_file(tools.join("ld.lld")).expect("it is ours");
    assert!(!linked.compare("it is gone").0);
}

#[test]
fn other_variables_have_other_plans() {
    let mut linked = Linked::new("variables", "");
    linked.warm("at first");
    let directory = linked.scratch.path().display().to_string();
    let path = std::env::var("PATH").expect("it is set");
    for (name, value) in [
        ("LIBRARY_PATH", directory.clone()),
        ("COMPILER_PATH", directory.clone()),
        ("PATH", format!("{path}:{directory}")),
    ] {
        linked.environment = vec![(name.to_owned(), value)];
        assert!(!linked.compare(name).0, "{name}");
    }
    // The driver does more, or something else.
    linked.environment = vec![("CCC_OVERRIDE_OPTIONS".to_owned(), "#^-s".to_owned())];
    let events = linked.count('n');
    assert!(!linked.compare("CCC_OVERRIDE_OPTIONS").0);
    assert_eq!(linked.count('n'), events);
    linked.environment = vec![("LANG".to_owned(), "C".to_owned())];
    assert!(linked.compare("a locale").0, "{}", linked.reasons());
}

/// A compiler is known by the file that it is.
#[test]
fn a_compiler_that_was_replaced_makes_plans_of_its_own() {
    let mut linked = Linked::new("replaced", "");
    let compiler = linked.scratch.directory("bin").join(CLANG);
    for (name, words) in [("one", "-Wl,--build-id=none"), ("two", "-s")] {
        let script = linked.scratch.file(name, format!("#!/bin/sh\nexec {CLANG} \"$@\" {words}\n"));
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let install = |name: &str| {
        let _ = fs::remove_file(&compiler);
        symlink(format!("../{name}"), &compiler).expect("the directory is ours");
    };
    linked.environment = vec![("AUTOJIT_CC".to_owned(), compiler.display().to_string())];
    install("one");
    let first = linked.warm("the first compiler");
    install("two");
    let (used, second) = linked.compare("another file of the same name");
    assert!(!used && first != second);
    install("one");
    assert_eq!(linked.compare("the first one again"), (true, first));
}

#[test]
fn messages_are_the_drivers() {
    let linked = Linked::new("messages", "-fuse-ld=lld");
    linked.warm("at first");
    linked.compile("helper", "int other(int);\nint helper(int x) { return other(x); }\n");
    let told = linked.count('t');
    let (_, failed) = linked.compare("an undefined symbol");
    assert_eq!((failed.status, linked.count('t')), (Some(1), told + 1));
    assert!(failed.said.contains("undefined symbol: other"), "{}", failed.said);
    assert!(failed.said.contains("linker command failed"), "{}", failed.said);
    let note = "autojit-cc: note: 'other' is referred to by helper (helper.c)\n";
    assert!(failed.said.ends_with(note), "{}", failed.said);
    fs::remove_file(linked.scratch.path().join("helper.o")).expect("it is ours");
    let (_, missing) = linked.compare("a missing object");
    assert!(missing.said.contains("no such file or directory: 'helper.o'"), "{}", missing.said);
    linked.compile("helper", HELPER);
    linked.wait();
    linked.compare("mended");
    linked.wait();
    assert!(linked.compare("mended, again").0, "{}", linked.reasons());
}

/// A link that always says something is done once, not twice.
#[test]
fn a_linker_that_warns_is_started_by_the_driver() {
    for flags in
        ["-fuse-ld=lld -Wl,-z,unheard-of", "-fuse-ld=lld -Wl,--print-map", "-fuse-ld=bfd -Wl,--trace"]
    {
        let linked = Linked::new("warns", flags);
        for _ in 0..2 {
            let (used, result) = linked.compare(flags);
            assert!(!used && result.status == Some(0) && !result.said.is_empty(), "{flags}: {result:?}");
        }
        linked.wait();
        for _ in 0..2 {
            assert!(!linked.compare(flags).0);
        }
        assert_eq!((linked.count('t'), linked.count('s')), (1, 1), "{flags}: {}", linked.reasons());
    }
}

#[test]
fn what_asks_the_driver_is_answered_by_it() {
    let linked = Linked::new("asks", "");
    linked.warm("at first");
    linked.scratch.file("words", linked.arguments.join(" "));
    let before = fs::read(linked.kept().join("events")).expect("there are some");
    for words in [
        &["-v"][..],
        &["-###"],
        &["-save-temps"],
        &["--version"],
        &["-flto", "-fwhole-program-vtables"],
        &["helper.c", "-Dhelper=more"],
    ] {
        let ask = |plan: &str| {
            let outcome = attempt(linked.command(plan).args(words));
            // Names of files for a while.
            let text = outcome.errors().replace(char::is_numeric, "");
            (outcome.status, outcome.text(), text.len())
        };
        assert_eq!(ask("on"), ask("off"), "{words:?}");
    }
    let mut file = linked.command("on");
    let mut response = command(file.get_program());
    response.envs(file.get_envs().filter_map(|(name, value)| Some((name, value?)))).arg("@words");
    tool(response.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").current_dir(linked.scratch.path()));
    assert_eq!(fs::read(linked.kept().join("events")).expect("there are some"), before);
    tool(file.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1"));
    assert_eq!(fs::read(linked.kept().join("events")).expect("there are some"), before);
}

/// Damage, other users' files, and directories that cannot be written.
#[test]
fn what_cannot_be_trusted_is_not_used() {
    let linked = Linked::new("trust", "");
    fs::write(linked.cache(), "").expect("the directory is ours");
    for _ in 0..2 {
        assert!(!linked.compare("no cache").0);
    }
    fs::remove_file(linked.cache()).expect("it is ours");
    linked.warm("a cache");
    let plan = files(&linked.kept(), "ajm").remove(0);
    let bytes = fs::read(&plan).expect("it is there");
    let at = bytes.windows(8).position(|bytes| bytes == b"helper.o").expect("it names them");
    let mut damaged = bytes.clone();
    damaged[at] ^= 1;
    fs::write(&plan, damaged).expect("it is ours");
    assert!(!linked.compare("damaged").0);
    linked.wait();
    assert!(linked.compare("made again").0, "{}", linked.reasons());
    for (path, mode, own) in [(plan.clone(), 0o666, 0o600), (linked.kept(), 0o777, 0o700)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        assert!(!linked.compare("others can write").0, "{}", path.display());
        linked.wait();
        fs::set_permissions(&path, fs::Permissions::from_mode(own)).expect("it is ours");
        assert!(linked.compare("nobody else can").0, "{}: {}", path.display(), linked.reasons());
    }
    fs::set_permissions(linked.kept(), fs::Permissions::from_mode(0o500)).expect("it is ours");
    assert_eq!(linked.link("on"), linked.link("off"));
    fs::set_permissions(linked.kept(), fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn the_cache_counts_and_clears_plans() {
    let linked = Linked::new("stats", "");
    linked.warm("at first");
    let ask = |option: &str| {
        tool(command(dist("bin/autojit-run")).env("AUTOJIT_CACHE_DIR", linked.cache()).arg(option)).text()
    };
    let text = ask("--cache-stats");
    for line in ["links  1", "link events  1 used", "link events  1 made"] {
        assert!(text.lines().any(|found| found == line), "no '{line}' in:\n{text}");
    }
    ask("--cache-clear");
    assert!(ask("--cache-stats").contains("links  0\nlink bytes  0\n"));
    assert!(!linked.compare("cleared").0);
}

#[test]
fn links_at_once_do_not_disturb_each_other() {
    let linked = Linked::new("at-once", "-fuse-ld=lld");
    let plain = linked.link("off");
    for round in 0..4 {
        let mut builds: Vec<_> = (0..4)
            .map(|number| {
                let mut link = linked.command("on");
                // The same command line each time, elsewhere.
                let directory = linked.scratch.directory(&format!("at-{number}"));
                for object in ["main.o", "helper.o"] {
                    fs::copy(linked.scratch.path().join(object), directory.join(object)).expect("it is ours");
                }
                link.current_dir(directory).spawn().expect("it is built")
            })
            .collect();
        builds.extend((0..2).map(|_| linked.command("on").spawn().expect("it is built")));
        for mut build in builds {
            assert!(build.wait().expect("it is ours").success(), "round {round}");
        }
        linked.wait();
        for directory in ["", "at-0/", "at-1/", "at-2/", "at-3/"] {
            let program = fs::read(linked.scratch.path().join(format!("{directory}program"))).ok();
            assert!(program == plain.output, "round {round}: {directory}");
        }
    }
    assert!(linked.count('u') > 0, "{}", linked.reasons());
}
