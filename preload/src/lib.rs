//! The runtime: libautojit.so
