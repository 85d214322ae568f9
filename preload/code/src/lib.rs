//! Code memory, object linker, call-site patching and unwind tables
