//! What lazy programs do when they run: the cache, the daemon, debuggers, unwinders, tiers. One binary, as each links as much
//! as all of them; a module for each subject.

mod attached;
mod cache;
mod cache_directory;
mod core_files;
mod daemon;
mod daemon_client;
mod daemon_inherits;
mod debugger;
mod debugger_starts;
mod documentation;
mod edited;
mod image_packs;
mod inline_copies;
mod jitlink;
mod limits;
mod linked_runtime;
mod live_files;
mod lldb;
mod memory;
mod perf;
mod processes;
mod progress;
mod random;
mod seeing;
mod static_library;
mod surroundings;
mod symbolizers;
mod tiers;
mod tiers_disturbed;
mod tiers_kept;
mod tiers_seen;
mod without_runtime;
