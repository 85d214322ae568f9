//! A process that does the same work again and again, when it is told to: `benchmark/programs/passes.h`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The process, between two passes. It ends when it is dropped.
#[derive(Debug)]
pub struct Passes {
    child: Child,
    orders: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    /// What each pass has computed.
    result: String,
}

impl Passes {
    /// Starts it, and waits for the end of its first pass, which is not measured.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub fn start(command: &mut Command) -> Result<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.with_context(|| format!("cannot run {command:?}"))?;
        let (orders, lines) = (child.stdin.take(), child.stdout.take().context("its output is a pipe")?);
        let mut passes = Self { child, orders, lines: BufReader::new(lines), result: String::new() };
        passes.result = passes.read().with_context(|| format!("{command:?}"))?.1;
        Ok(passes)
    }

    /// What each pass computes.
    pub fn result(&self) -> &str {
        &self.result
    }

    /// Has it do the work once more; returns the processor time that this took, in milliseconds.
    ///
    /// # Errors
    /// It ends, or computes something else.
    pub fn pass(&mut self) -> Result<f64> {
        self.orders.as_mut().context("its input is a pipe")?.write_all(b"\n").context("it has ended")?;
        let (time, result) = self.read()?;
        ensure!(result == self.result, "passes compute {} and {result}", self.result);
        Ok(time)
    }

    /// Has it end, for the sake of what it does only then.
    ///
    /// # Errors
    /// It does not exit with status 0.
    pub fn end(mut self) -> Result<()> {
        drop(self.orders.take());
        let status = self.child.wait().context("cannot wait for its end")?;
        ensure!(status.success(), "after its last pass: {status}");
        Ok(())
    }

    fn read(&mut self) -> Result<(f64, String)> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let pass = || {
            let (time, result) = line.trim_end().split_once(' ')?;
            Some((time.parse().ok()?, result.to_owned()))
        };
        pass().with_context(|| format!("not the time of a pass: '{line}'"))
    }
}

impl Drop for Passes {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its result is known, or it has failed; how it ends does not matter any more.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Passes> {
        Passes::start(Command::new("sh").arg("-c").arg(script))
    }

    #[test]
    fn passes_are_done_when_they_are_ordered() {
        let mut passes = shell("n=1; while echo $n.5 17 ab; do n=$((n + 1)); read x || exit; done").unwrap();
        assert_eq!(passes.result(), "17 ab");
        assert_eq!((passes.pass().unwrap(), passes.pass().unwrap()), (2.5, 3.5));
    }

    #[test]
    fn what_is_done_at_the_end_counts() {
        shell("echo 1 2; read x; exit 0").unwrap().end().unwrap();
        let message = shell("echo 1 2; read x; exit 3").unwrap().end().unwrap_err().to_string();
        assert_eq!(message, "after its last pass: exit status: 3");
    }

    #[test]
    fn anything_else_is_an_error() {
        for (script, part) in [
            ("exit 1", "not the time of a pass: ''"),
            ("echo", "not the time"),
            ("echo 1", "not the time"),
            ("echo x y", "not the time of a pass: 'x y"),
        ] {
            let message = format!("{:#}", shell(script).unwrap_err());
            assert!(message.contains(part), "{script}: {message}");
        }
        let message = shell("echo 1 2; read x; echo 1 3").unwrap().pass().unwrap_err().to_string();
        assert_eq!(message, "passes compute 2 and 3");
        assert!(shell("echo 1 2").unwrap().pass().is_err());
    }
}
