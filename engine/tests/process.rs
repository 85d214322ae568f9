//! The engine within a process: threads, memory, the program's allocator, the end of the process, and what the
//! library needs and shows.

mod common;

use std::fmt::Write;
use std::process::Command;

use autojit_abi::OpenOptions;
use common::{AS_BUILT, Module, Parsed, level};

/// `count` functions, each of which calls the next two and a library function with a string of its own.
fn many(count: usize, prefix: &str) -> (String, Vec<String>) {
    let mut source = String::from("extern int printf(const char *, ...);\n");
    let names: Vec<_> = (0..count).map(|i| format!("{prefix}{i}")).collect();
    for name in &names {
        writeln!(source, "int {name}(int);").unwrap();
    }
    for (i, name) in names.iter().enumerate() {
        let (next, other) = (&names[(i + 1) % count], &names[(i + 2) % count]);
        writeln!(
            source,
            "int {name}(int x) {{
                 if (x > 3) return {next}(x - 1) + {other}(x - 2);
                 for (int i = 0; i < x; i++) x += printf(\"{name} %d\", i);
                 return x; }}"
        )
        .unwrap();
    }
    (source, names)
}

fn container(count: usize, prefix: &str, flags: &[&str], speed: u8) -> Vec<u8> {
    let (source, names) = many(count, prefix);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    common::container_of_c(&source, flags, &names, level(speed))
}

#[test]
fn the_same_calls_give_the_same_objects() {
    let container = container(40, "f", &["-O2", "-g"], 2);
    for opt_override in [-1, 0] {
        let objects = || {
            let mut module = Module::open(&container, OpenOptions { opt_override, ..AS_BUILT }).unwrap();
            [7, 0, 30].map(|root| module.compile(root, |index| index % 3 != 0).unwrap().to_vec())
        };
        assert_eq!(objects(), objects());
    }
}

#[test]
fn modules_are_compiled_at_once() {
    let threads: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .enumerate()
        .map(|(i, prefix)| {
            let speed = if i % 2 == 0 { 0 } else { 2 };
            let container = container(60, prefix, &["-O1", "-g"], speed);
            std::thread::spawn(move || {
                let mut module =
                    Module::open(&container, OpenOptions { batch_limit: 2, ..AS_BUILT }).unwrap();
                for root in 0..60 {
                    let object = module.compile(root, |_| true).unwrap();
                    let parsed = Parsed::new(&object);
                    let root_name = format!("{prefix}{root}");
                    assert!(parsed.defined().contains(&root_name.as_str()));
                    assert!(parsed.defined().iter().all(|name| name.starts_with(prefix)));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_module_moves_between_threads() {
    let container = container(6, "f", &["-O0", "-g"], 0);
    let mut module = Module::open(&container, AS_BUILT).unwrap();
    for root in 0..6 {
        let thread = std::thread::spawn(move || {
            let object = module.compile(root, |_| false).unwrap();
            assert_eq!(Parsed::new(&object).defined().len(), 1);
            module
        });
        module = thread.join().unwrap();
    }
}

/// Resident memory of this process, in KiB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

/// Resident memory after `batches` batches and after twice that, in a process of its own.
fn growth(name: &str, speed: u8, batches: u32) -> Option<(usize, usize)> {
    const CHILD: &str = "AUTOJIT_TEST_MEMORY_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let out = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let stdout = String::from_utf8_lossy(&out.stdout);
        let line = stdout.lines().find_map(|line| line.split_once("resident: ")).expect("figures").1;
        let (before, after) = line.split_once(' ').unwrap();
        println!("{line} KiB");
        return Some((before.parse().unwrap(), after.trim().parse().unwrap()));
    }
    let container = container(100, "f", &["-O1"], speed);
    let mut module = Module::open(&container, OpenOptions { batch_limit: 1, ..AS_BUILT }).unwrap();
    let mut figures = [0; 2];
    for figure in &mut figures {
        for batch in 0..batches {
            module.compile(batch % 100, |_| true).unwrap();
        }
        *figure = resident();
    }
    println!("\nresident: {} {}", figures[0], figures[1]);
    None
}

#[test]
fn memory_does_not_grow_with_batches() {
    if let Some((before, after)) = growth("memory_does_not_grow_with_batches", 0, 2000) {
        assert!(after < before + 6_000, "{before} KiB after 2000 batches, {after} KiB after 4000");
    }
}

#[test]
fn memory_does_not_grow_with_optimised_batches() {
    if let Some((before, after)) = growth("memory_does_not_grow_with_optimised_batches", 2, 250) {
        assert!(after < before + 6_000, "{before} KiB after 250 batches, {after} KiB after 500");
    }
}

#[test]
fn leaves_the_program_s_malloc_alone_and_works_to_the_end() {
    let dir = common::scratch();
    let (program, file) = (dir.join("host"), dir.join("host.ajc"));
    let mut clang = Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/clang"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host.c");
    common::run(clang.args(["-O1", "-fno-builtin", "-rdynamic", source, "-o"]).arg(&program), b"");
    for (speed, flag) in [(0, "-O0"), (2, "-O2")] {
        std::fs::write(&file, container(12, "f", &[flag, "-g"], speed)).unwrap();
        let out = Command::new(&program).arg(common::library()).arg(&file).output().unwrap();
        let stdout = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{:?} {}", out.status, String::from_utf8_lossy(&out.stderr));
        assert_eq!(stdout, "first: 0\nsecond: 0\nexit handler: 0\ndestructor: 0\n", "at {flag}");
    }
}

#[test]
fn needs_libc_only_and_shows_one_symbol() {
    let library = common::read(&common::library());
    let elf = goblin::elf::Elf::parse(&library).unwrap();
    for name in &elf.libraries {
        assert!(["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"].contains(name), "needs {name}");
    }
    assert_eq!(elf.soname, Some("libautojit-engine.so"));
    let shown = elf.dynsyms.iter().filter(|sym| sym.st_shndx != 0);
    let shown: Vec<_> = shown.map(|sym| &elf.dynstrtab[sym.st_name]).collect();
    assert_eq!(shown, ["__autojit_engine"]);
    // Relocations that take a look-up or 24 bytes each, not the packed relative ones.
    let relocations = elf.dynrelas.len() + elf.pltrelocs.len();
    assert!(relocations < 500, "{relocations} relocations");
}
