//! to come
pub fn text() -> String { String::new() }
