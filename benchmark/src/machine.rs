//! The machine and the tools that results depend on.

use std::fs;

use anyhow::{Context, Result, ensure};
use autojit_tests::run::command;
use serde::{Deserialize, Serialize};

/// Where a run took place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// Processors that the run could use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// How many processes wanted to run when the run began (mean of a minute): times are worth little if other work
    /// went on.
    pub load: f64,
    /// The version of clang.
    pub clang: String,
    /// The version of rustc.
    pub rustc: String,
    /// The version of the LLVM libraries, which the engine has in it.
    pub llvm: String,
}

impl Machine {
    /// This machine.
    ///
    /// # Errors
    /// /proc is not as it should be, or a tool is missing.
    pub fn this() -> Result<Self> {
        let load = read("/proc/loadavg")?;
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        let memory = value(&read("/proc/meminfo")?, "MemTotal")?;
        let memory = memory.trim_end_matches(" kB").parse::<u64>().context("/proc/meminfo has no number")?;
        Ok(Self {
            cpu: value(&read("/proc/cpuinfo")?, "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: memory / 1024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load.context("/proc/loadavg has no number")?,
            clang: first_line(concat!("clang-", env!("LLVM_RELEASE")), &["--version"])?,
            rustc: first_line("rustc", &["--version"])?,
            llvm: first_line(concat!("llvm-config-", env!("LLVM_RELEASE")), &["--version"])?,
        })
    }
}

/// The day, as the system has it.
///
/// # Errors
/// There is no `date`.
pub fn today() -> Result<String> {
    first_line("date", &["-u", "+%F"])
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The value of the first line `key: value`.
fn value(text: &str, key: &str) -> Result<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| name.trim() == key);
    Ok(found.with_context(|| format!("/proc names no '{key}'"))?.1.trim().to_owned())
}

/// The first line that a tool prints.
fn first_line(tool: &str, arguments: &[&str]) -> Result<String> {
    let output = command(tool).args(arguments).output().with_context(|| format!("cannot run {tool}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && !text.is_empty(), "{tool} {arguments:?} tells nothing");
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::this().unwrap();
        assert!(machine.cores > 0 && machine.memory_mib > 100, "{machine:?}");
        assert!(machine.clang.contains("clang version 22"), "{machine:?}");
        assert!(
            machine.llvm.starts_with(concat!(env!("LLVM_RELEASE"), "."))
                && machine.rustc.starts_with("rustc 1."),
            "{machine:?}"
        );
        assert!(machine.kernel.contains('.') && !machine.cpu.is_empty(), "{machine:?}");
    }

    #[test]
    fn days_are_written_as_in_iso_8601() {
        let today = today().unwrap();
        assert_eq!(today.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2], "{today}");
    }

    #[test]
    fn values_are_found_by_their_key() {
        let text = "processor\t: 0\nmodel name\t: A: B\nmodel name\t: C\n";
        assert_eq!(value(text, "model name").unwrap(), "A: B");
        assert!(value(text, "model").unwrap_err().to_string().contains("'model'"));
    }
}
