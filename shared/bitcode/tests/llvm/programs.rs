//! Makes bitcode of the test programs.

use std::path::{Path, PathBuf};
use std::process::Command;

const LEVELS: [&[&str]; 4] =
    [&["-O0", "-g"], &["-O2", "-Xclang", "-disable-llvm-passes"], &["-O2", "-g"], &["-O3", "-mavx2"]];
const RUST_LEVELS: [&[&str]; 2] = [&["-Cdebuginfo=2", "-Cno-prepopulate-passes"], &["-Copt-level=3"]];

/// One of so many files is compiled by default.
const SHARE: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The source files of the test programs in these languages, each with its program's flags.
fn sources(language: &str) -> Vec<(PathBuf, Vec<String>)> {
    let mut found = Vec::new();
    let programs = std::fs::read_dir(root().join("tests/sources")).expect("the programs are there");
    for program in programs {
        let program = program.expect("readable").path();
        let Ok(files) = std::fs::read_dir(&program) else { continue };
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let main = ["c", "cpp", "rs"].map(|ending| program.join(format!("{name}.{ending}")));
        let main = main.iter().find_map(|main| std::fs::read_to_string(main).ok()).unwrap_or_default();
        let flags = main.lines().filter_map(|line| line.strip_prefix("//# flags:"));
        let flags: Vec<String> =
            flags.flat_map(|flags| flags.split_whitespace().map(str::to_owned)).collect();
        for file in files {
            let file = file.expect("readable").path();
            if file.extension().is_some_and(|ending| ending == language) {
                found.push((file, flags.clone()));
            }
        }
    }
    found.sort();
    found
}

/// Compiles the programs of these languages, and gives the bitcode files.
pub fn compile(languages: &[&str]) -> Vec<PathBuf> {
    let all = std::env::var("AUTOJIT_BITCODE_TEST").is_ok_and(|value| value == "all");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bitcode");
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let mut made = Vec::new();
    for language in languages {
        let levels: &[&[&str]] = if *language == "rs" { &RUST_LEVELS } else { &LEVELS };
        for (number, (file, flags)) in sources(language).iter().enumerate() {
            for (index, level) in levels.iter().enumerate() {
                if all || number % SHARE == 0 && index == number / SHARE % levels.len() {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let out = directory.join(format!("{number}-{index}-{name}.bc"));
                    made.extend(make(language, file, flags, level, &out));
                }
            }
        }
    }
    made
}

fn make(language: &str, file: &Path, flags: &[String], level: &[&str], out: &Path) -> Option<PathBuf> {
    let mut command = match language {
        "rs" => {
            let mut command = Command::new("rustc");
            command.args(["--edition", "2024", "--emit=llvm-bc", "--crate-name", "program", "-Awarnings"]);
            command.arg("-Ccodegen-units=1");
            command
        }
        _ => {
            let mut command = Command::new(if language == "c" {
                concat!("clang-", env!("LLVM_RELEASE"))
            } else {
                concat!("clang++-", env!("LLVM_RELEASE"))
            });
            command.args(["-w", "-emit-llvm", "-c"]);
            command
        }
    };
    let flags = flags.iter().filter(|flag| !flag.contains("codegen-units"));
    let output =
        command.args(level).args(flags).arg(file).arg("-o").arg(out).output().expect("the compiler runs");
    if output.status.success() {
        return Some(out.to_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    // Programs of several crates are not built here.
    let crates = message.contains("error[E0432]") || message.contains("error[E0433]");
    assert!(language == "rs" && crates, "{command:?}: {message}");
    None
}

/// Assembles the IR files beside this one.
pub fn assemble() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ir"))
        .expect("the files are there");
    let mut made = Vec::new();
    for file in files {
        let file = file.expect("readable").path();
        let out = directory.join(file.file_name().unwrap_or_default()).with_extension("bc");
        let mut command = Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-as"));
        let output = command.arg(&file).arg("-o").arg(&out).output().expect("the assembler runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made.push(out);
    }
    made
}
