//! What is measured of each program at each level: one column of the table of results.

use serde::{Deserialize, Serialize};

/// A quantity that both builds of a program have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    Compile,
    LinkBfd,
    LinkLld,
    Objects,
    ObjectsStore,
    ObjectsAndStore,
    Program,
    First,
    FirstLlvm,
    FirstRss,
    Later,
    LaterRss,
    LaterOwn,
    LaterShared,
    Steady,
    SteadyBaseline,
    Edit,
    EditMold,
    Daemon,
    DaemonRss,
    Ahead,
    Jobs,
    Idle,
    Keep,
    OptLater,
    TiersFirst,
    TiersTotal,
    TiersLater,
    TiersEdited,
    TiersCounting,
}

/// What the figures of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds of processor time, user and system.
    CpuSeconds,
    /// Milliseconds of processor time, user and system.
    CpuMilliseconds,
    /// Milliseconds by the clock.
    WallMilliseconds,
    /// Bytes of files.
    Bytes,
    /// KiB of memory.
    Kibibytes,
}

/// How a target for the lazy build is set against the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Lazy divided by plain.
    Ratio,
    /// Lazy minus plain, in the column's unit.
    Extra,
}

/// A column's name, as in names of measurements; heading; what is measured; how it is told.
type Row = (Column, &'static str, &'static str, &'static str, Unit, Comparison);

use Column as C;
use Comparison::{Extra, Ratio};
use Unit::{Bytes, CpuMilliseconds, CpuSeconds, Kibibytes, WallMilliseconds};

#[rustfmt::skip]
const COLUMNS: [Row; 30] = [
    (C::Compile, "compile", "compile", "compiling all of it", CpuSeconds, Ratio),
    (C::LinkBfd, "link-bfd", "link (bfd)", "linking it with ld.bfd", WallMilliseconds, Ratio),
    (C::LinkLld, "link-lld", "link (lld)", "linking it with ld.lld", WallMilliseconds, Ratio),
    (C::Objects, "objects", "objects", "its objects, bodies embedded", Bytes, Ratio),
    (C::ObjectsStore, "objects-store", "objects (store)", "its objects, bodies in a directory", Bytes, Ratio),
    (C::ObjectsAndStore, "objects-and-store", "objects and store", "these objects and the directory", Bytes, Ratio),
    (C::Program, "program", "program", "the program, bodies embedded", Bytes, Ratio),
    (C::First, "first", "first run", "the first run", WallMilliseconds, Extra),
    (C::FirstLlvm, "first-llvm", "first run, LLVM", "the same, compiled by LLVM alone", WallMilliseconds, Extra),
    (C::FirstRss, "first-rss", "memory, first run", "most memory in the first run", Kibibytes, Extra),
    (C::Later, "later", "later run", "a later run", WallMilliseconds, Extra),
    (C::LaterRss, "later-rss", "memory", "most memory in a later run", Kibibytes, Extra),
    (C::LaterOwn, "later-own", "own memory", "memory of its own at the end of a later run", Kibibytes, Extra),
    (C::LaterShared, "later-shared", "shared memory", "memory shared with files at the end of a later run", Kibibytes, Extra),
    (C::Steady, "steady", "steady", "the same work again in a process", CpuMilliseconds, Ratio),
    (C::SteadyBaseline, "steady-baseline", "steady, baseline", "the same by the baseline compiler, beside the plain build at -O0", CpuMilliseconds, Ratio),
    (C::Edit, "edit", "edit to run", "compiling one file after an edit, linking, running", WallMilliseconds, Ratio),
    (C::EditMold, "edit-mold", "edit to run (mold)", "the same with mold as the linker", WallMilliseconds, Ratio),
    (C::Daemon, "daemon", "first run, autojitd", "the first run, code from autojitd, warm", WallMilliseconds, Extra),
    (C::DaemonRss, "daemon-rss", "memory, autojitd", "most memory in this run", Kibibytes, Extra),
    (C::Ahead, "ahead", "run after build", "a run that autojitd worked ahead of, beside a later run", WallMilliseconds, Extra),
    (C::Jobs, "jobs", "two compilers", "two first runs at once: autojitd with two compilers, beside one", WallMilliseconds, Ratio),
    (C::Idle, "idle", "idle runtime", "the plain program, runtime preloaded", WallMilliseconds, Extra),
    (C::Keep, "keep", "keeping", "a first run that keeps its code, beside one that does not", CpuMilliseconds, Ratio),
    (C::OptLater, "opt-later", "later run, AUTOJIT_OPT=2", "a later run of long work with AUTOJIT_OPT=2", CpuMilliseconds, Ratio),
    (C::TiersFirst, "tiers-first", "first run, tiers", "the first run of long work, with tiers", CpuMilliseconds, Ratio),
    (C::TiersTotal, "tiers-total", "first run with autojitd", "the first run of long work, and what autojitd takes for it, beside one that LLVM compiles", CpuMilliseconds, Ratio),
    (C::TiersLater, "tiers-later", "later run, tiers", "a later run of long work, with tiers", CpuMilliseconds, Ratio),
    (C::TiersEdited, "tiers-edited", "after an edit, tiers", "the first run of long work after an edit, with tiers", CpuMilliseconds, Ratio),
    (C::TiersCounting, "tiers-counting", "counting", "baseline code that counts, beside the same that does not", CpuMilliseconds, Ratio),
];

impl Column {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        COLUMNS.iter().map(|row| row.0)
    }

    /// Whether it is about optimised programs that begin with baseline code.
    pub fn is_tiered(self) -> bool {
        matches!(self, C::TiersFirst | C::TiersTotal | C::TiersLater | C::TiersEdited | C::TiersCounting)
    }

    fn row(self) -> &'static Row {
        &COLUMNS[self as usize]
    }

    /// The ending of measurements' names.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What stands above it in a table.
    pub fn heading(self) -> &'static str {
        self.row().2
    }

    /// What is measured.
    pub fn title(self) -> &'static str {
        self.row().3
    }

    /// What its figures are.
    pub fn unit(self) -> Unit {
        self.row().4
    }

    /// How targets are set.
    pub fn comparison(self) -> Comparison {
        self.row().5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_columns_and_named_as_in_json() {
        for (index, column) in Column::all().enumerate() {
            assert_eq!(column as usize, index, "{}", column.name());
            assert_eq!(serde_json::to_value(column).unwrap(), column.name());
        }
    }
}
