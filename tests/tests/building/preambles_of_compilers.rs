//! Kept preambles and what decides besides text and flags: which compiler it is, and where it runs. A preamble is of one compiler
//! and one working directory; none is used elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use autojit_tests::llvm::RELEASE;
use autojit_tests::preambles::{Project, copy};
use autojit_tests::run::{attempt, command, tool};
use autojit_tests::scratch::{dist, repository};

const FLAGS: &str = "-O0 -I first -I second -MD -MP -Wall";

/// The other releases of clang that are installed, and whose plugin is.
fn others() -> Vec<String> {
    let installed = tool(&mut command(repository().join("scripts/compilers"))).text();
    installed.split_whitespace().map(str::to_owned).collect()
}

/// The same compile as the wrapper's, by the launcher.
fn launched(project: &Project) -> Command {
    let wrapper = project.command("always");
    let mut launcher = command(dist("bin/autojit"));
    launcher.arg(project.compiler()).args(wrapper.get_args()).current_dir(project.path());
    launcher.envs(wrapper.get_envs().filter_map(|(name, value)| Some((name, value?))));
    launcher.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env_remove("AUTOJIT_CXX");
    launcher
}

/// Every release keeps preambles, behind the wrapper and behind the launcher.
#[test]
fn other_releases_keep_preambles_of_their_own() {
    let mut project = Project::new("releases", "main.cpp", FLAGS);
    let releases = [vec![RELEASE.to_owned()], others()].concat();
    for release in &releases {
        project.release.clone_from(release);
        let (used, _) = project.compare("always", release);
        assert!(!used, "clang {release} uses a preamble of another release");
        project.wait_for_preambles();
        assert!(project.compare("always", release).0, "clang {release}: {}", project.reasons());
        let before = project.count('u');
        let result = project.result(&attempt(&mut launched(&project)));
        project.wait_for_preambles();
        assert!(result == project.compile("off"), "clang {release}, launched");
        let again = project.result(&attempt(&mut launched(&project)));
        assert!(again == result && project.count('u') > before, "clang {release}, launched once more");
    }
    // Each finds its own again.
    for release in &releases {
        project.release.clone_from(release);
        project.append("main.cpp", "int more;\n");
        assert!(project.compare("on", release).0, "clang {release} behind the others: {}", project.reasons());
        project.write(
            "main.cpp",
            &fs::read_to_string(repository().join("tests/preambles/main.cpp")).expect("it is there"),
        );
    }
}

/// A compiler is known by the file that it is, not by its name.
#[test]
fn a_compiler_that_was_replaced_is_another_one() {
    let mut project = Project::new("replaced", "main.cpp", FLAGS);
    let compiler = project.path().join(format!("bin/{}", project.compiler()));
    let script = |words: &str| format!("#!/bin/sh\nexec {} {words} \"$@\"\n", project.compiler());
    project.script("real/one", &script("-DNEAR_H -DNEAR=1"));
    project.script("real/two", &script("-DNEAR_H -DNEAR=2"));
    fs::create_dir(project.path().join("bin")).expect("the directory is ours");
    let install = |name: &str| {
        let _ = fs::remove_file(&compiler);
        symlink(format!("../real/{name}"), &compiler).expect("the directory is ours");
    };
    let environment = vec![("AUTOJIT_CXX".to_owned(), compiler.display().to_string())];
    install("one");
    project.environment = environment;
    project.warm("the first compiler");
    install("two");
    assert!(!project.compare("always", "another file of the same name").0);
    project.wait_for_preambles();
    assert!(project.compare("on", "another file of the same name, again").0, "{}", project.reasons());
    install("one");
    assert!(project.compare("on", "the first one again").0, "{}", project.reasons());
}

/// Nor does it help that the command is the same file, if what that runs is not.
#[test]
fn a_program_behind_the_compiler_that_was_replaced_is_noticed() {
    let mut project = Project::new("behind", "main.cpp", FLAGS);
    let inner = |near: u32| format!("#!/bin/sh\nexec {} -DNEAR_H -DNEAR={near} \"$@\"\n", project.compiler());
    let behind = project.script("behind", &inner(1));
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", behind.display());
    let compiler = project.script(&format!("bin/{}", project.compiler()), &text);
    let second = inner(2);
    project.environment = vec![("AUTOJIT_CXX".to_owned(), compiler.display().to_string())];
    project.warm("at first");
    project.script("behind", &second);
    let changed = project.count('c');
    assert!(!project.compare("on", "another program behind it").0);
    assert_eq!(project.count('c'), changed + 1);
}

/// The names of headers mean other files elsewhere.
#[test]
fn a_working_directory_has_preambles_of_its_own() {
    let project = Project::new("directories", "main.cpp", FLAGS);
    project.warm("at first");
    let elsewhere = project.path().join("elsewhere");
    copy(&repository().join("tests/preambles"), &elsewhere);
    project.write("elsewhere/second/second.h", "#define SECOND 70\n");
    let compile = |preamble: &str| {
        let mut compiler = project.command(preamble);
        compiler.current_dir(&elsewhere).args(["-o", "../out.o", "-MF", "../out.d"]);
        project.result(&attempt(&mut compiler))
    };
    let used = project.count('u');
    let (kept, plain) = (compile("on"), compile("off"));
    assert!(kept.compiled() && kept == plain && project.count('u') == used, "{}", project.reasons());
    assert!(kept.object() != project.compile("off").object(), "another value of SECOND");
    assert!(project.compare("on", "as at first").0, "{}", project.reasons());
}
