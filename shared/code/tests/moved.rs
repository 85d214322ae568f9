//! Lines that have moved: an object of an earlier source is described as one of the source of now, or not at all.

mod support;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use autojit_code::describe::{BASE, Linked, elf};
use autojit_code::moved::{Moved, digest_of_file};
use goblin::elf::Elf;
use goblin::elf::section_header::SHF_EXECINSTR;
use support::compile;

const BIN: &str = concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/");
/// Where code is said to be.
const CODE: usize = 0x7000_0000;
/// Bytes from a section of code to the next.
const STEP: usize = 0x1000;

/// The parts of a source file, and the file that a part is from.
const PARTS: [(&str, &str); 5] = [
    ("/src/work.cpp", "extern \"C\" int outside(int);\n"),
    (
        "/src/inner/box.h",
        "inline int boxed(int x) {\n  if (x > 3)\n    return outside(x) + 2;\n  return x;\n}\n",
    ),
    ("/src/work.cpp", "static int square(int x) {\n\n  int y = outside(x);\n  return y * boxed(x);\n}\n"),
    (
        "/src/work.cpp",
        "template <int N> int deep(int x) {\n  return outside(N) + square(x);\n}\n\n\nint first(int n) {\n  int sum = 0;\n\
         for (int i = 0; i < n; ++i)\n    sum += deep<1>(i) * square(i + 1);\n  return sum;\n}\n",
    ),
    (
        "/src/work.cpp",
        "int second(int n) {\n  auto twice = [n](int m) {\n    return boxed(m + n);\n  };\n  return twice(n) + first(n);\n}\n",
    ),
];

/// The source with so many lines in front of each part, and where each part is then: the lines of it.
fn source(inserted: [usize; 5]) -> (String, [(u32, u32); 5]) {
    let mut text = String::new();
    let mut next = [("/src/work.cpp", 1), ("/src/inner/box.h", 1)];
    let lines = std::array::from_fn(|number| {
        let (name, part) = PARTS[number];
        let next = &mut next.iter_mut().find(|(file, _)| *file == name).expect("it is one of them").1;
        let first = *next + inserted[number];
        *next = first + part.lines().count();
        text += &format!("# {first} \"{name}\"\n{part}");
        (first as u32, *next as u32 - 1)
    });
    (text, lines)
}

/// The object, with its sections of code.
fn object(text: &str, flags: &[&str]) -> (&'static [u8], &'static [(u32, usize)]) {
    let flags = [&["-O2", "-std=c++17", "-fdebug-compilation-dir=/src"], flags].concat();
    let object = compile("c++", text, &flags);
    let elf = Elf::parse(&object).expect("it is an object");
    let code = elf.section_headers.iter().zip(0..);
    let code =
        code.filter(|(header, _)| header.sh_flags & u64::from(SHF_EXECINSTR) != 0 && header.sh_size != 0);
    let sections: Vec<_> = code.zip(0..).map(|((_, index), at)| (index, CODE + BASE + at * STEP)).collect();
    (object.leak(), sections.leak())
}

fn file(objects: &[Linked<'static>]) -> Vec<u8> {
    elf(&(CODE..CODE + 16 * STEP), [], objects.iter().copied(), [])
}

/// An object of another source.
fn other() -> Linked<'static> {
    let (object, sections) = object("int other(int n) {\n  return n + 7;\n}\n", FORMATS[0]);
    let sections = vec![(sections[0].0, CODE + BASE + 15 * STEP)].leak();
    Linked { object, sections, moved: &[] }
}

/// What a tool says of a file.
fn said(tool: &str, arguments: &[&str], file: &[u8], input: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("moved-{}", std::process::id()));
    std::fs::write(&path, file).expect("it can be written");
    let mut command = Command::new(format!("{BIN}{tool}"));
    command.args(arguments).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the tool is there");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    std::fs::remove_file(&path).expect("it is there");
    assert!(output.status.success(), "{tool} {arguments:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Functions, files and lines of all addresses, inlined calls too.
fn frames(file: &[u8], sections: usize) -> String {
    let addresses: String = (0..sections)
        .flat_map(|section| (0..0x200).map(move |at| CODE + section * STEP + at))
        .map(|address| format!("{address:#x}\n"))
        .collect();
    said("llvm-symbolizer", &["--verbose", "--inlines", "--obj"], file, &addresses)
}

fn moved(before: [(u32, u32); 5], now: [(u32, u32); 5]) -> &'static [Moved] {
    let all: Vec<_> = (0..5)
        .map(|number| Moved {
            file: digest_of_file(b"/", PARTS[number].0.as_bytes()),
            first: before[number].0,
            last: before[number].1,
            by: now[number].0.cast_signed() - before[number].0.cast_signed(),
        })
        .collect();
    all.leak()
}

/// Each table that an object may have.
const FORMATS: [&[&str]; 4] = [
    &["-gdwarf-4", "-gline-tables-only", "-fdebug-info-for-profiling"],
    &["-gdwarf-5", "-gline-tables-only", "-fdebug-info-for-profiling"],
    &["-gdwarf-5", "-gline-tables-only", "-ffunction-sections"],
    &[
        "-gdwarf-4",
        "-gline-tables-only",
        "-fdebug-info-for-profiling",
        "-ffunction-sections",
        "-ggnu-pubnames",
    ],
];

#[test]
fn objects_are_described_as_those_of_the_source_of_now() {
    let (text, _) = source([0; 5]);
    // One of another source, in front.
    let in_front = other();
    for flags in FORMATS {
        let (object_before, sections) = object(&text, flags);
        assert_eq!(sections.len() > 1, flags.contains(&"-ffunction-sections"));
        // Parts move alike, differently, beyond a byte and two, and back.
        for (from, to) in [
            ([0; 5], [3, 0, 0, 0, 0]),
            ([0; 5], [0, 1, 2, 0, 5]),
            ([0; 5], [1, 250, 240, 10, 70_000]),
            ([1, 250, 240, 10, 70_000], [0; 5]),
            ([2, 9, 0, 0, 4], [2, 4, 1, 3, 0]),
        ] {
            let ((text, before), (text_now, now)) = (source(from), source(to));
            let ((old, sections), (new, _)) = (object(&text, flags), object(&text_now, flags));
            let linked = |object, moved| Linked { object, sections, moved };
            let shown = file(&[in_front, linked(old, moved(before, now))]);
            let expected = file(&[in_front, linked(new, &[])]);
            let frames_shown = frames(&shown, sections.len());
            assert_eq!(frames_shown, frames(&expected, sections.len()), "{flags:?} {from:?} {to:?}");
            assert!(frames_shown.contains("box.h"), "{frames_shown}");
            let rows = |file: &[u8]| {
                let text = said("llvm-dwarfdump", &["--debug-line"], file, "");
                let rows = text.lines().filter(|line| line.starts_with("0x"));
                // Whether a row begins a statement says whether the one in front has another line, of whatever file.
                rows.map(|row| format!("{}\n", row.replace(" is_stmt", ""))).collect::<String>()
            };
            assert_eq!(rows(&shown), rows(&expected), "{flags:?} {from:?} {to:?}");
            assert!(said("llvm-dwarfdump", &["--verify"], &shown, "").contains("No errors"));
        }
        // Without that it would not be.
        let (text_now, _) = source([3, 0, 0, 0, 0]);
        let (new, _) = object(&text_now, flags);
        let unmoved = |object| frames(&file(&[Linked { object, sections, moved: &[] }]), sections.len());
        assert_ne!(unmoved(object_before), unmoved(new));
    }
}

#[test]
fn what_cannot_be_said_is_left_out() {
    let (text, before) = source([0; 5]);
    let (_, now) = source([0, 1, 0, 2, 0]);
    let whole = moved(before, now);
    let in_front = other();
    let alone = file(&[in_front]);
    let shown = |flags: &[&str], moved: &'static [Moved]| {
        let (object, sections) = object(&text, flags);
        file(&[in_front, Linked { object, sections, moved }])
    };
    for flags in FORMATS {
        assert_ne!(shown(flags, whole), alone);
        // Parts that no line is known of.
        for missing in 1..5 {
            let mut known = whole.to_vec();
            known.remove(missing);
            assert!(shown(flags, known.leak()) == alone, "{flags:?} {missing}");
        }
        // A part of which the last lines are not known.
        let mut short = whole.to_vec();
        short[4].last = short[4].first;
        assert!(shown(flags, short.leak()) == alone, "{flags:?}");
        // In front of the file.
        let mut far = whole.to_vec();
        far[1].by = -9;
        assert!(shown(flags, far.leak()) == alone, "{flags:?}");
    }
    // Types and variables are at lines, too.
    assert!(shown(&["-g"], whole) == alone);
}

/// Sections that are damaged are described, or not; nothing else happens.
#[test]
fn damage_is_no_more_than_lines_that_are_missing() {
    let (text, before) = source([0; 5]);
    let (_, now) = source([0, 1, 0, 2, 0]);
    let moved = moved(before, now);
    for flags in &FORMATS[..2] {
        let (object, sections) = object(&text, flags);
        let elf = Elf::parse(object).expect("it is an object");
        for header in &elf.section_headers {
            let name = elf.shdr_strtab.get_at(header.sh_name);
            if !matches!(name, Some(".debug_line" | ".debug_info" | ".debug_abbrev" | ".debug_line_str")) {
                continue;
            }
            for at in header.file_range().expect("it has bytes") {
                let mut damaged = object.to_vec();
                damaged[at] ^= 1 << (at % 8);
                let object = damaged.leak();
                let _ = file(&[Linked { object, sections, moved }]);
            }
        }
    }
}
