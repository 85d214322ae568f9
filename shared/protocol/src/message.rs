//! The messages and their bytes: numbers are little endian, texts are UTF-8 behind their length (u32), keys are 32 bytes.
//!
//! [`Message::Hello`] and [`Message::Refused`] keep their numbers and layouts in all versions, so that builds which do not
//! understand each other can say so.

use std::borrow::Cow;

/// The version of everything but the two messages that never change.
pub const VERSION: u32 = 6;

/// Requests of one client that may wait for their answers at the same time.
pub const MOST_REQUESTS: usize = 8;

/// SHA-256 of a module's container.
pub type Key = [u8; 32];

/// What a client wants compiled of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The function with this index in the container, and what is likely to be called next.
    Function(u32),
    /// The function with this index alone, which runs often: as well as the optimiser can.
    Often(u32),
    /// What is left of the function with this index from one of its loops on, for a frame that is running.
    Continuation(u32),
    /// All functions, described to debuggers in full.
    Everything,
}

impl Scope {
    /// The function, if it is one.
    pub fn function(self) -> Option<u32> {
        match self {
            Self::Function(index) | Self::Often(index) | Self::Continuation(index) => Some(index),
            Self::Everything => None,
        }
    }

    /// Its bytes.
    pub fn encode(self) -> [u8; 5] {
        let (kind, index) = match self {
            Self::Function(index) => (0, index),
            Self::Everything => (1, 0),
            Self::Often(index) => (2, index),
            Self::Continuation(index) => (3, index),
        };
        let [a, b, c, d] = index.to_le_bytes();
        [kind, a, b, c, d]
    }

    /// What the bytes stand for, if anything.
    pub fn decode([kind, index @ ..]: [u8; 5]) -> Option<Self> {
        match (kind, u32::from_le_bytes(index)) {
            (0, index) => Some(Self::Function(index)),
            (1, 0) => Some(Self::Everything),
            (2, index) => Some(Self::Often(index)),
            (3, index) => Some(Self::Continuation(index)),
            _ => None,
        }
    }
}

/// The messages. Those up to `Save` are a client's, the others the daemon's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are described with their messages")]
pub enum Message<'a> {
    /// The first message, by which a client introduces itself. `generator` is the engine's (autojit_abi::GENERATOR): the code of
    /// another one is not for this client. `program` is for the status, and tells functions that ran in one program from those of others.
    Hello { version: u32, generator: [u8; 32], program: Cow<'a, str> },
    /// A module that will be used: the blob is its container. No answer. From clients that were answered `Unknown`, and from
    /// the plugin, which has just made it (`made`). What ran of it before, when it was another one, may be compiled ahead.
    Module { key: Key, level: i32, made: bool },
    /// Code, please: answered by any number of `Working`, then `Code`, `Failed` or `Unknown` with the same `number`. A client may
    /// ask for several things at once, [`MOST_REQUESTS`] at most; answers come in any order. `level` is the optimisation level
    /// instead of the build's, -1 for that. `inline`: no descriptor, bytes. `keep`: it may go to the daemon's object cache.
    /// `map`: of a `Continuation` the bytes of its stack map (autojit_abi::StackMap), otherwise empty.
    Compile { number: u32, key: Key, level: i32, what: Scope, inline: bool, keep: bool, map: Cow<'a, [u8]> },
    /// How is it going: answered by `Report`.
    Status,
    /// Finish, please: answered by `Stopping`.
    Stop,
    /// Write what was compiled to the cache, please: answered by any number of `Working`, then `Saved`.
    Save,
    /// The answer to `Hello`. `cache` is the directory of the daemon's object cache, empty if it has none.
    Welcome { version: u32, process: u32, cache: Cow<'a, str> },
    /// The answer to `Hello` or to nonsense, before the daemon closes the connection.
    Refused { reason: Cow<'a, str> },
    /// The request is not forgotten. At least one each [`WORKING_INTERVAL`](crate::connection::WORKING_INTERVAL).
    Working,
    /// The blob is a bundle of code (autojit_code::bundle), empty if `Everything` is nothing. The daemon's object cache will have it if `kept`.
    Code { number: u32, kept: bool },
    /// It cannot be compiled: the engine's message.
    Failed { number: u32, reason: Cow<'a, str> },
    /// The daemon does not have the module (any more): send `Module` and ask again.
    Unknown { number: u32 },
    /// The state of the daemon, as JSON.
    Report { text: Cow<'a, str> },
    /// The daemon takes no more requests.
    Stopping,
    /// The cache has what was compiled.
    Saved,
}

/// Appends a message's fields.
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(flag.into());
    }

    fn text(&mut self, text: &str) {
        // Texts are for people: what is longer than any message may be is cut.
        let mut len = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        self.number(len as u32);
        self.0.extend_from_slice(&text.as_bytes()[..len]);
    }
}

/// Bytes that a text may have.
const MAX_TEXT: usize = 32 << 10;

/// Takes a message's fields.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.bytes(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn blob(&mut self) -> Option<Cow<'a, [u8]>> {
        let len = self.number()? as usize;
        self.bytes(len).map(Cow::Borrowed)
    }

    fn key(&mut self) -> Option<[u8; 32]> {
        self.bytes(32).map(|bytes| bytes.try_into().expect("32 bytes"))
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let len = self.number()? as usize;
        std::str::from_utf8(self.bytes(len)?).ok().map(Cow::Borrowed)
    }
}

impl<'a> Message<'a> {
    /// Its number on the wire.
    pub fn number(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::Module { .. } => 2,
            Self::Compile { .. } => 3,
            Self::Status => 4,
            Self::Stop => 5,
            Self::Save => 6,
            Self::Welcome { .. } => 65,
            Self::Refused { .. } => 66,
            Self::Working => 67,
            Self::Code { .. } => 68,
            Self::Failed { .. } => 69,
            Self::Unknown { .. } => 70,
            Self::Report { .. } => 71,
            Self::Stopping => 72,
            Self::Saved => 73,
        }
    }

    /// Its fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        match self {
            Self::Hello { version, generator, program } => {
                out.number(*version);
                out.0.extend_from_slice(generator);
                out.text(program);
            }
            Self::Module { key, level, made } => {
                out.0.extend_from_slice(key);
                out.number(*level as u32);
                out.flag(*made);
            }
            Self::Compile { number, key, level, what, inline, keep, map } => {
                out.number(*number);
                out.0.extend_from_slice(key);
                out.number(*level as u32);
                out.0.extend_from_slice(&what.encode());
                out.flag(*inline);
                out.flag(*keep);
                out.number(map.len() as u32);
                out.0.extend_from_slice(map);
            }
            Self::Welcome { version, process, cache } => {
                out.number(*version);
                out.number(*process);
                out.text(cache);
            }
            Self::Code { number, kept } => {
                out.number(*number);
                out.flag(*kept);
            }
            Self::Failed { number, reason } => {
                out.number(*number);
                out.text(reason);
            }
            Self::Unknown { number } => out.number(*number),
            Self::Refused { reason } => out.text(reason),
            Self::Report { text } => out.text(text),
            Self::Status | Self::Stop | Self::Save | Self::Working | Self::Stopping | Self::Saved => {}
        }
        out.0
    }

    /// The message with this number and these fields. None if there is none such.
    pub fn decode(number: u8, fields: &'a [u8]) -> Option<Self> {
        let mut fields = Reader(fields);
        let message = match number {
            1 => {
                let (version, generator) = (fields.number()?, fields.key()?);
                Self::Hello { version, generator, program: fields.text()? }
            }
            2 => {
                let (key, level) = (fields.key()?, fields.number()? as i32);
                Self::Module { key, level, made: fields.flag()? }
            }
            3 => {
                let (number, key, level) = (fields.number()?, fields.key()?, fields.number()? as i32);
                let what = Scope::decode(fields.bytes(5)?.try_into().expect("5 bytes"))?;
                let (inline, keep) = (fields.flag()?, fields.flag()?);
                Self::Compile { number, key, level, what, inline, keep, map: fields.blob()? }
            }
            4 => Self::Status,
            5 => Self::Stop,
            6 => Self::Save,
            65 => {
                let (version, process) = (fields.number()?, fields.number()?);
                Self::Welcome { version, process, cache: fields.text()? }
            }
            66 => Self::Refused { reason: fields.text()? },
            67 => Self::Working,
            68 => Self::Code { number: fields.number()?, kept: fields.flag()? },
            69 => Self::Failed { number: fields.number()?, reason: fields.text()? },
            70 => Self::Unknown { number: fields.number()? },
            71 => Self::Report { text: fields.text()? },
            72 => Self::Stopping,
            73 => Self::Saved,
            _ => return None,
        };
        fields.0.is_empty().then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Message<'static>> {
        let compile = |what, map: &'static [u8]| {
            let (key, map) = ([7; 32], map.into());
            Message::Compile { number: 5, key, level: -1, what, inline: true, keep: false, map }
        };
        vec![
            Message::Hello { version: VERSION, generator: [1; 32], program: "/bin/a".into() },
            Message::Module { key: [2; 32], level: 3, made: true },
            compile(Scope::Function(9), &[]),
            compile(Scope::Everything, &[]),
            compile(Scope::Often(9), &[]),
            compile(Scope::Continuation(9), &[1, 0, 0, 0]),
            Message::Status,
            Message::Stop,
            Message::Save,
            Message::Welcome { version: 1, process: 5, cache: "/home/a/.cache/autojit".into() },
            Message::Refused { reason: "no".into() },
            Message::Working,
            Message::Code { number: 6, kept: true },
            Message::Failed { number: 7, reason: "f: unsupported".into() },
            Message::Unknown { number: u32::MAX },
            Message::Report { text: "{}".into() },
            Message::Stopping,
            Message::Saved,
        ]
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        for message in examples() {
            let fields = message.encode();
            assert_eq!(Message::decode(message.number(), &fields), Some(message.clone()));
            for cut in 0..fields.len() {
                assert_eq!(
                    Message::decode(message.number(), &fields[..cut]),
                    None,
                    "{message:?} cut at {cut}"
                );
            }
            let longer = [&fields[..], &[0]].concat();
            assert_eq!(Message::decode(message.number(), &longer), None, "{message:?}");
        }
    }

    #[test]
    fn what_never_changes() {
        let hello = Message::Hello { version: 1, generator: [3; 32], program: "p".into() };
        let fields = [&[1, 0, 0, 0][..], &[3; 32], &[1, 0, 0, 0, b'p']].concat();
        assert_eq!((hello.number(), hello.encode()), (1, fields));
        let refused = Message::Refused { reason: "r".into() };
        assert_eq!((refused.number(), refused.encode()), (66, vec![1, 0, 0, 0, b'r']));
    }

    #[test]
    fn nonsense_is_no_message() {
        for number in 0..=255 {
            // A text longer than the message.
            assert!(!matches!(
                Message::decode(number, &[0xff; 40]),
                Some(Message::Hello { .. } | Message::Refused { .. })
            ));
        }
        assert_eq!(Message::decode(66, &[2, 0, 0, 0, 0xff, 0xfe]), None);
        assert_eq!(Message::decode(68, &[2]), None);
    }

    #[test]
    fn documentation_has_the_messages() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
        let found = std::fs::read_to_string(path).unwrap();
        let source = include_str!("message.rs");
        let start = source.find("pub enum Scope {").unwrap();
        let what = &source[start..start + source[start..].find("\n}\n").unwrap() + 3];
        let start = source.find("pub enum Message<'a> {").unwrap();
        let messages = &source[start..start + source[start..].find("\n}\n").unwrap() + 3];
        let (begin, end) = ("<!-- messages -->\n```rust\n", "```\n<!-- end -->");
        let start = found.find(begin).expect("the messages") + begin.len();
        let stop = start + found[start..].find(end).expect("their end");
        let wanted = [&found[..start], what, "\n", messages, &found[stop..]].concat();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert_eq!(found, wanted, "docs/protocol.md differs from the source; BLESS=1 rewrites it");
        }
        // The table of numbers, a line for each.
        for message in examples() {
            let name = format!("{message:?}");
            let name = name.split([' ', '{']).next().unwrap();
            assert!(found.contains(&format!("| {} | `{name}` |", message.number())), "{name}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let message = Message::Failed { number: 0, reason: "ä".repeat(MAX_TEXT).into() };
        let fields = message.encode();
        assert!(fields.len() <= 4 + MAX_TEXT + 4);
        assert!(Message::decode(69, &fields).is_some());
    }
}
