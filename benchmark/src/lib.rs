//! Benchmarks: the plain build beside the lazy one
