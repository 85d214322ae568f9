//! LLVM's tools of the release that autojit is for (`.cargo/config.toml`).

/// The release.
pub const RELEASE: &str = env!("LLVM_RELEASE");
/// Its compilers, and `opt`.
pub const CLANG: &str = concat!("clang-", env!("LLVM_RELEASE"));
/// For C++.
pub const CLANGXX: &str = concat!("clang++-", env!("LLVM_RELEASE"));
/// The optimiser.
pub const OPT: &str = concat!("opt-", env!("LLVM_RELEASE"));
/// The debugger.
pub const LLDB: &str = concat!("lldb-", env!("LLVM_RELEASE"));
