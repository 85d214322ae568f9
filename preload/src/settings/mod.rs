//! What the user says and sees: options, messages, failures, progress, statistics, the timeline.

pub mod failure;
pub mod log;
pub mod options;
pub mod progress;
pub mod stats;
pub mod trace;
