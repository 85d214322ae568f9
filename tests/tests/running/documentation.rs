//! The commands in the documentation are run, section by section, each in a project of its own (tests/programs/documented).
//! `sh not-run: REASON` behind the fence exempts a block.

use std::fs;
use std::path::Path;

use autojit_tests::run::{attempt, command};
use autojit_tests::scratch::{Scratch, dist, repository};
use serde_json::Value;

/// All pages but those that are written for developers of formats.
fn pages() -> Vec<String> {
    let docs = fs::read_dir(repository().join("docs")).expect("it is there");
    let mut pages: Vec<String> = docs
        .map(|entry| entry.expect("it is readable").file_name().into_string().expect("names are text"))
        .filter(|name| name.ends_with(".md") && !["cache-format.md", "protocol.md"].contains(&&**name))
        .map(|name| format!("docs/{name}"))
        .collect();
    pages.extend(["README.md", "CONTRIBUTING.md"].map(str::to_owned));
    pages
}

/// A block of commands.
struct Block {
    heading: String,
    /// Why it is not run.
    exempt: Option<String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository().join(page)).expect("the page is there");
    let (mut blocks, mut heading, mut open) = (Vec::new(), String::new(), None::<Block>);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, Some(language)) => {
                let exempt = language.strip_prefix("sh not-run: ").map(str::to_owned);
                // Others are output, marked as text and left out.
                open = Some(Block { heading: heading.clone(), exempt, text: String::new() });
                if language != "sh" && !language.starts_with("sh not-run: ") {
                    assert_eq!(language, "text", "{page}: a block is sh, 'sh not-run: REASON', or text");
                    open = open.map(|block| Block { exempt: Some("output".into()), ..block });
                }
            }
            (None, None) => {
                if let Some(title) = line.strip_prefix("## ") {
                    heading = title.to_owned();
                }
            }
        }
    }
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is readable").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).expect("it is ours");
        }
    }
}

/// Runs the commands under a heading; something lazy has to run, if `lazy`.
#[track_caller]
fn section(page: &str, heading: &str, lazy: bool) {
    let commands: String = blocks(page)
        .into_iter()
        .filter(|block| block.heading == heading && block.exempt.is_none())
        .map(|block| block.text)
        .collect();
    assert!(!commands.is_empty(), "{page} has no commands under {heading}");
    let name: String =
        heading.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let scratch = Scratch::new(&format!("documented-{}-{name}", page.rsplit('/').next().unwrap_or(page)));
    copy(&repository().join("tests/programs/documented"), scratch.path());
    let stats = scratch.directory("statistics");
    let bin = dist("bin/autojit").parent().expect("a file has a directory").to_owned();
    let mut shell = command("bash");
    shell.args(["-euxo", "pipefail", "-c", &commands]).current_dir(scratch.path());
    let path = std::env::var("PATH").expect("it is set");
    shell.env("PATH", format!("{}:{path}", bin.display())).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
    shell
        .env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"))
        .env("CCACHE_DIR", scratch.path().join("ccache"));
    shell
        .env("AUTOJIT_STATS", stats.join("%p"))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_CRATE_NAME");
    // Commands may write there; cargo's and rustup's own directories stay where they are.
    let home = std::env::var("HOME").expect("it is set");
    for (name, place) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if std::env::var_os(name).is_none() {
            shell.env(name, Path::new(&home).join(place));
        }
    }
    shell.env("HOME", scratch.directory("home"));
    for name in ["CC", "CXX", "CFLAGS", "MAKEFLAGS"] {
        shell.env_remove(name);
    }
    let outcome = attempt(&mut shell);
    outcome.assert_code(0);
    let ran = fs::read_dir(stats).expect("it is ours").filter(|entry| {
        let path = entry.as_ref().expect("it is readable").path();
        let text = fs::read_to_string(path).expect("it is readable");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        value["bound"].as_u64().is_some_and(|bound| bound > 0)
    });
    assert!(!lazy || ran.count() > 0, "nothing lazy ran: {outcome}");
}

/// A test for each section that has commands, and one that compares this list with the pages.
macro_rules! sections {
    ($($name:ident $page:literal $heading:literal $lazy:literal,)*) => {
        $(
            #[test]
            fn $name() {
                section($page, $heading, $lazy);
            }
        )*

        #[test]
        fn no_command_is_forgotten() {
            let known = [$(($page, $heading)),*];
            for page in pages() {
                for block in blocks(&page).iter().filter(|block| block.exempt.is_none()) {
                    let heading = &block.heading;
                    let found = known.iter().any(|(p, h)| page == *p && h == heading);
                    assert!(found, "{page}: the commands under '{heading}' are in no test");
                }
            }
        }
    };
}

sections! {
    readme_c "README.md" "C and C++" true,
    readme_rust "README.md" "Rust" true,
    readme_tools "README.md" "Without the wrappers" true,
    make "docs/howto.md" "make" true,
    cmake "docs/howto.md" "CMake" true,
    meson "docs/howto.md" "Meson" true,
    cargo "docs/howto.md" "cargo" true,
    ccache "docs/howto.md" "ccache" true,
    recorded "docs/howto.md" "Compile commands for clangd" false,
    ci "docs/howto.md" "CI with a kept cache" true,
    containers "docs/howto.md" "Containers" false,
    gdb "docs/howto.md" "gdb" true,
    opened "docs/howto.md" "Tools that look code up in files" true,
    sanitizers "docs/howto.md" "Sanitizers" true,
    python "docs/howto.md" "Python extensions" true,
    precompiled "docs/howto.md" "Precompiled headers" true,
    slower "docs/troubleshooting.md" "It is slower than I thought" true,
    compared "docs/troubleshooting.md" "Does it come from autojit?" true,
    doctor "docs/security.md" "Confined programs" false,
    unit "docs/autojitd.md" "Starting it" false,
}
