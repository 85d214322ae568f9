//! The engine: LLVM and ORC, libautojit-engine.so
