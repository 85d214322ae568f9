//! Program tests: each program built plainly and lazily, and compared
