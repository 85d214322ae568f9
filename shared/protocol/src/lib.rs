//! What autojitd and its clients say to each other. docs/protocol.md is made from this.
//!
//! - [`message`]: the messages, as enums, and their bytes.
//! - [`packet`]: messages on a stream, with what they carry ([`Blob`]): a descriptor, or bytes behind the message.
//! - [`connection`]: one end of a conversation that waits for answers, with limits.
//! - [`location`]: where the daemon listens.
//!
//! Both sides trust nothing that they read: lengths are bounded before memory is allocated, descriptors are used only if
//! they are sealed. This crate lives inside other people's processes: it makes raw system calls only.

pub mod connection;
pub mod json;
pub mod location;
pub mod message;
pub mod packet;

pub use connection::{Connection, ConnectionError};
pub use message::{Message, Scope};
pub use packet::{Blob, Incoming, Malformed, Outgoing, Packet};
