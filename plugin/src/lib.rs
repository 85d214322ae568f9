//! The compiler plugin: takes function bodies out of a build
