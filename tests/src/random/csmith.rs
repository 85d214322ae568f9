//! Programs that csmith writes: expressions, statements and data within one file, which is split in two for some
//! seeds, so that functions and data become external.

use std::path::Path;

use super::choice::Choice;
use super::{Case, Part, Run, Unit};
use crate::run::{attempt, command};

/// Always given: a program stays small enough for a test.
const ALWAYS: [&str; 4] = ["--max-funcs", "8", "--concise", "--no-argc"];

/// Each given with some seeds.
const SOMETIMES: [&[&str]; 9] = [
    &["--float"],
    &["--inline-function", "--inline-function-prob", "40"],
    &["--no-packed-struct"],
    &["--no-bitfields"],
    &["--max-array-dim", "2"],
    &["--max-pointer-depth", "4"],
    &["--addr-taken-of-locals"],
    &["--const-as-condition"],
    &["--max-struct-fields", "20"],
];

/// The program of a seed, or why there is none.
pub fn generate(seed: u64, directory: &Path) -> Result<Case, String> {
    let mut choice = Choice::new(seed);
    let mut options: Vec<&str> = ALWAYS.to_vec();
    let cxx = choice.percent(15);
    // csmith's C++ header lacks what floating-point numbers need.
    let chosen = choice.some(&SOMETIMES, 25).into_iter().filter(|one| !cxx || one[0] != "--float");
    options.extend(chosen.flat_map(|one| one.iter()));
    // Many of csmith's builtin functions are not clang's.
    if choice.percent(8) {
        options.extend(["--builtins", "--builtin-function-prob", "20"]);
    }
    if cxx {
        options.extend(["--lang-cpp", "--cpp11"]);
    }
    let extension = if cxx { "cpp" } else { "c" };
    let output = directory.join(format!("generated.{extension}"));
    let mut csmith = command("csmith");
    csmith.args(["--seed", &seed.to_string()]).args(&options).arg("-o").arg(&output).current_dir(directory);
    let outcome = attempt(&mut csmith);
    if !outcome.status.success() {
        return Err(format!("csmith gives up: {outcome}"));
    }
    let text = std::fs::read_to_string(&output).map_err(|error| format!("csmith wrote nothing: {error}"))?;
    let unit = |stem: &str, text| Unit { file: format!("{stem}.{extension}"), text, part: Part::Program };
    let units = match (!cxx && choice.percent(40)).then(|| split(&text)).flatten() {
        Some([first, second]) => vec![unit("first", first), unit("second", second)],
        None => vec![unit("whole", text)],
    };
    // csmith converts floating-point numbers to integers that cannot hold them.
    let flags = [
        "-I/usr/include/csmith",
        "-w",
        "-Wno-c++11-narrowing",
        "-Wno-incompatible-pointer-types",
        "-fno-strict-float-cast-overflow",
        // What never ends by its text may end by optimisation.
        "-fno-finite-loops",
    ]
    .map(str::to_owned)
    .to_vec();
    let lazy = vec![true; units.len()];
    Ok(Case {
        name: format!("csmith-{seed}"),
        units,
        flags,
        link: vec!["-lm".to_owned()],
        lazy,
        passes: None,
        runs: Run::in_all_modes(),
    })
}

/// Splits a program: the first file keeps the data and every second function, the others go into the second file.
/// csmith writes each declaration on one line, and each function from a line that begins its definition to a `}`.
fn split(text: &str) -> Option<[String; 2]> {
    let (mut first, mut second) = (String::new(), String::new());
    let mut functions = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let plain = ["inline static ", "static "].iter().find_map(|prefix| line.strip_prefix(prefix));
        match plain {
            None if line.starts_with("int main") => {
                first.push_str(line);
                first.push('\n');
                for line in lines.by_ref() {
                    first.push_str(line);
                    first.push('\n');
                }
            }
            // Includes, types and comments.
            None => [&mut first, &mut second].into_iter().for_each(|file| *file += &format!("{line}\n")),
            Some(plain) if plain.ends_with(");") && !plain.contains('=') => {
                [&mut first, &mut second].into_iter().for_each(|file| *file += &format!("{plain}\n"));
            }
            Some(plain) if plain.contains(';') => {
                first += &format!("{plain}\n");
                let end = plain.find(" = ").or_else(|| plain.find(';'))?;
                second += &format!("extern {};\n", &plain[..end]);
            }
            Some(plain) => {
                functions += 1;
                let file = if functions % 2 == 0 { &mut second } else { &mut first };
                *file += &format!("{plain}\n");
                for line in lines.by_ref() {
                    *file += &format!("{line}\n");
                    if line == "}" {
                        break;
                    }
                }
            }
        }
    }
    (functions > 1).then_some([first, second])
}
