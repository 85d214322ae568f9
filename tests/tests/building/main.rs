//! What builds do: compilers, wrappers, linkers, and what they make of one another. One binary, as each links as much as all of
//! them; a module for each subject.

mod build_tools;
mod cargo;
mod ccache;
mod compiler_answers;
mod compiler_diagnostics;
mod compiler_flags;
mod definitions;
mod flags;
mod generated;
mod launched;
mod launcher;
mod libraries;
mod link_flags;
mod linking;
mod many_libraries;
mod moved;
mod objects;
mod other_plugins;
mod packages;
mod preamble_rounds;
mod preambles;
mod preambles_beside;
mod roots;
mod store;
mod undefined;
mod wrapped_links;
mod wrappers;
