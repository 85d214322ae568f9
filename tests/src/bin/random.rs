//! `scripts/random`: runs random programs plainly and lazily, and keeps what differs.

use std::path::PathBuf;
use std::process::ExitCode;

use autojit_tests::random::Generator;
use autojit_tests::random::hunt::Hunt;

const USAGE: &str = "usage: random csmith|csmith-tiers|calls|loops FIRST-SEED COUNT JOBS RESULTS-DIRECTORY";

fn main() -> ExitCode {
    let Some(hunt) = parse(&std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match hunt.run() {
        Ok(summary) => {
            println!(
                "{} programs of {}: {} same ({} functions compiled at their first call, {} loops continued), {} left \
                 out, {} different",
                summary.same + summary.skipped + summary.different,
                hunt.generator.name(),
                summary.same,
                summary.counts.compiled,
                summary.counts.replaced,
                summary.skipped,
                summary.different,
            );
            ExitCode::from(u8::from(summary.different > 0))
        }
        Err(error) => {
            eprintln!("random: cannot write results to {}: {error}", hunt.results.display());
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Option<Hunt> {
    let [generator, first, count, jobs, results] = arguments else { return None };
    let generator = Generator::ALL.into_iter().find(|one| one.name() == generator)?;
    let (first, count): (u64, u64) = (first.parse().ok()?, count.parse().ok()?);
    let results = std::path::absolute(PathBuf::from(results)).ok()?;
    Some(Hunt { generator, seeds: first..first.checked_add(count)?, jobs: jobs.parse().ok()?, results })
}
