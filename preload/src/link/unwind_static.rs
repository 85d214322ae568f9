//! The twin of unwind.rs in the static library: unwinders do not ask, since an executable cannot put itself between an
//! unwinder and its tables. They are told of each batch ([`unwinders`](crate::link::unwinders)).

/// Whether unwinders find the definitions here.
pub fn comes_first() -> bool {
    false
}
