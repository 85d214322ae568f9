//! Kept preambles against plain compiles: after each edit of many in random order, and for many sources, the object, the messages
//! and the make rules are the same.
//!
//! `AUTOJIT_ROUNDS=1000` has so many rounds, `AUTOJIT_SEED=N` other ones. `AUTOJIT_SOURCES=DIR` compiles all sources of a
//! directory (tests/sources, a project) with `AUTOJIT_SOURCES_FLAGS`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use autojit_tests::preambles::{Project, copy};
use autojit_tests::scratch::repository;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The files that are edited, and texts for each; a round may also remove those that are not there at first.
const TEXTS: &[(&str, &[&str])] = &[
    (
        "shape.h",
        &[
            "#pragma once\ntemplate <typename T> struct Twice { static T of(T value) { return value + value; } };\ninline int shape_area(int width, int height) { return width * height; }\n",
            "template <typename T> struct Twice { static T of(T value) { return value * 2; } };\nstatic int shape_area(int width, int) { return width; }\n",
            "#include \"near/near.h\"\ntemplate <typename T> struct Twice { static T of(T value) { return NEAR; } };\n#define shape_area(a, b) (a + b + __COUNTER__)\n",
            "#warning shapes\ntemplate <typename T> struct Twice { static T of(T value); };\nint shape_area(int, int);\n",
            "#error no shapes\n",
            "template <typename T> struct Twice { static T of(T value) { return value.none; } };\ninline int shape_area(int a, int b) { int unused; return a - b; }\n",
        ],
    ),
    (
        "near/near.h",
        &[
            "#ifndef NEAR_H\n#define NEAR_H\n#define NEAR 3\n#if __has_include(\"optional.h\")\n#include \"optional.h\"\n#endif\n#endif\n",
            "#define NEAR 4\n",
            "#undef NEAR\n#define NEAR 5\n#pragma pack(2)\n",
        ],
    ),
    (
        "second/second.h",
        &[
            "#define SECOND 7\n",
            "#define SECOND __LINE__\n",
            "inline int second() { return __LINE__; }\n#define SECOND second()\n",
        ],
    ),
    ("first/second.h", &["#define SECOND 11\n", "#include_next <second.h>\n"]),
    ("second.h", &["#define SECOND 12\n"]),
    ("first/optional.h", &["#undef NEAR\n#define NEAR 13\n"]),
    ("second/optional.h", &["#undef NEAR\n#define NEAR 14\n"]),
    ("first/stddef.h", &["typedef unsigned long size_t;\n"]),
];

const DIRECTIVES: &[&str] = &[
    "#include <stddef.h>\n#include \"near/near.h\"\n#include \"second.h\"\n#include \"shape.h\"\n",
    "#include \"second.h\"\n#include \"shape.h\"\n#include \"near/near.h\"\n",
    "#define OWN 1\n#if OWN\n#include \"shape.h\"\n#endif\n#include \"near/near.h\"\n#include \"second.h\"\n",
];

const BODIES: &[&str] = &[
    "int body(int value) { return Twice<int>::of(value) + shape_area(value, NEAR) + SECOND; }\n",
    "int body(int value) { return shape_area(value, NEAR) - SECOND; }\nint other() { int unused; return NEAR; }\n",
    "int body(int value) { return Twice<long>::of(value) + __COUNTER__; }\nconst char *file = __FILE__;\n",
    "#include \"shape.h\"\nstruct Last { char a; long b; };\nunsigned long body() { return sizeof(Last) + NEAR; }\n",
    "int body(int value { return value; }\n",
];

const FLAGS: &[&str] = &[
    "-O0 -I first -I second",
    "-O2 -I first -I second -MD",
    "-O1 -I second -I first -Wall -MMD -MP",
    "-O0 -DNEAR_H -DNEAR=1 -I first -I second",
];

#[test]
fn rounds_of_edits_compile_as_plainly() {
    let (rounds, seed) = (number("AUTOJIT_ROUNDS", 20), number("AUTOJIT_SEED", 1));
    let mut numbers = Numbers(seed);
    let mut project = Project::new("rounds", "main.cpp", FLAGS[0]);
    let (mut directives, mut body, mut used) = (DIRECTIVES[0], BODIES[0], 0);
    let mut before = (directives, body, project.flags.clone());
    for round in 0..rounds {
        // Mostly what a programmer does, the rest what may go wrong.
        let now = (directives, body, project.flags.clone());
        // Whatever the rest is like, and however slow the machine, some rounds use a preamble.
        let calm = round < 3;
        let what = match numbers.below(13) {
            _ if calm => "calm".to_owned(),
            12 => {
                (directives, body, project.flags) = before;
                "reverted".to_owned()
            }
            0..4 => {
                body = BODIES[numbers.below(BODIES.len() as u64) as usize];
                "another body".to_owned()
            }
            4 => {
                directives = DIRECTIVES[numbers.below(DIRECTIVES.len() as u64) as usize];
                "other directives".to_owned()
            }
            5 => {
                let flags = FLAGS[numbers.below(FLAGS.len() as u64) as usize];
                project.flags = flags.split(' ').map(String::from).collect();
                format!("flags {flags}")
            }
            6 => {
                let header = project.path().join("near/near.h");
                let now = SystemTime::now();
                fs::File::options()
                    .write(true)
                    .open(header)
                    .and_then(|file| file.set_modified(now))
                    .expect("it is ours");
                "a header touched".to_owned()
            }
            7 => {
                let (file, _) = TEXTS[3 + numbers.below(TEXTS.len() as u64 - 3) as usize];
                let _ = fs::remove_file(project.path().join(file));
                format!("{file} removed")
            }
            _ => {
                let (file, texts) = TEXTS[numbers.below(TEXTS.len() as u64) as usize];
                project.write(file, texts[numbers.below(texts.len() as u64) as usize]);
                format!("{file} written")
            }
        };
        before = now;
        project.write("main.cpp", &format!("{directives}// round {round}\n{body}"));
        let preamble = if numbers.below(4) == 0 && !calm { "on" } else { "always" };
        let what = format!("round {round} of seed {seed}: {what}");
        // Another build at the same time.
        let object = project.path().join("beside.o");
        let beside = (numbers.below(8) == 0).then(|| {
            let _ = fs::remove_file(&object);
            let mut compiler = project.command("always");
            compiler.arg("-o").arg(&object).stdin(Stdio::null()).stderr(Stdio::null());
            compiler.spawn().expect("the compiler is there")
        });
        let (has, result) = project.compare(preamble, &what);
        used += usize::from(has);
        if let Some(mut beside) = beside {
            beside.wait().expect("it was started");
            assert!(fs::read(&object).ok().as_deref() == result.object(), "{what}: a build beside it");
        }
        if numbers.below(8) == 0 && !calm {
            project.kill_makers();
        }
        if preamble == "always" {
            // What has warned would be compiled the plain way for some minutes.
            drop(fs::remove_file(project.kept().join("seen")));
        }
        // Sometimes the next edit comes while a preamble is in the making.
        if numbers.below(4) > 0 || calm {
            project.wait_for_preambles();
        }
    }
    project.wait_for_preambles();
    println!("{rounds} rounds, {used} with a preamble, {}", project.reasons());
    // Many headers cannot be kept.
    assert!(used as u64 >= (rounds / 16).min(2), "{used} of {rounds} rounds used a preamble");
}

/// All C and C++ sources below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| ["c", "cpp", "cc"].iter().any(|known| kind == *known)) {
            found.push(path);
        }
    }
}

#[test]
fn other_sources_compile_as_plainly() {
    let given = std::env::var_os("AUTOJIT_SOURCES").map(PathBuf::from);
    let tree = given.clone().unwrap_or_else(|| repository().join("tests/sources"));
    let flags = std::env::var("AUTOJIT_SOURCES_FLAGS").unwrap_or_default();
    let mut all = Vec::new();
    sources(&tree, &mut all);
    all.sort();
    // A few of the suite's own.
    let step = if given.is_some() { 1 } else { all.len() / 3 };
    let mut project = Project::new("sources", "main.cpp", "");
    copy(&tree, &project.path());
    let (mut compiled, mut used) = (0, 0);
    for (number, source) in all.iter().enumerate().step_by(step.max(1)) {
        project.source = source.strip_prefix(&tree).expect("it is below it").display().to_string();
        let level = ["-O0", "-O2", "-O1 -MD"][number % 3];
        project.flags = format!("{level} -I. {flags}").split_whitespace().map(String::from).collect();
        let what = format!("{} {level}", source.display());
        for _ in 0..2 {
            let (has, result) = project.compare("always", &what);
            used += usize::from(has);
            compiled += usize::from(result.compiled());
            project.wait_for_preambles();
            project.append(&project.source, "\nstruct AutojitEdited { int edited; };\n");
        }
    }
    println!("{} sources, {compiled} compiles, {used} with a preamble", all.len() / step.max(1));
    assert!(used > 0 && compiled >= used);
}
