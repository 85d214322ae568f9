//! The messages between the daemon and its compilers: jobs and results, on a socket pair, in the packets that clients
//! use. Both are of one build and one program, so this protocol has no versions; it is read with care all the same.

use autojit_protocol::message::Key;
use autojit_protocol::{Blob, Outgoing, Packet, Scope};

/// A set of functions of a module, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions(Vec<u8>);

impl Functions {
    /// Functions that can be in a set that is sent: those beyond are never in one.
    const LIMIT: u32 = 48 << 13;

    /// Adds a function.
    pub fn insert(&mut self, index: u32) {
        if index < Self::LIMIT {
            let byte = index as usize / 8;
            if self.0.len() <= byte {
                self.0.resize(byte + 1, 0);
            }
            self.0[byte] |= 1 << (index % 8);
        }
    }

    /// Whether a function is in it.
    pub fn contains(&self, index: u32) -> bool {
        self.0.get(index as usize / 8).is_some_and(|byte| byte >> (index % 8) & 1 != 0)
    }

    /// All that are in it, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let bytes = self.0.iter().enumerate();
        bytes.flat_map(|(at, byte)| {
            let byte = *byte;
            (0..8).filter(move |bit| byte >> bit & 1 != 0).map(move |bit| (at * 8 + bit) as u32)
        })
    }
}

/// Which module, and how it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeKey {
    /// SHA-256 of its container.
    pub key: Key,
    /// The optimisation level instead of the build's; -1 for that.
    pub level: i32,
}

/// Work for a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Compile. The blob is the container, if this compiler does not have it.
    Compile {
        /// Of what.
        code_key: CodeKey,
        /// What.
        what: Scope,
        /// The stack map of a continuation.
        map: Vec<u8>,
        /// Whether what belongs with it is left out, as something there could not be compiled.
        alone: bool,
        /// Whether the result goes to the cache.
        keep: bool,
        /// The program that asks.
        program: String,
        /// What is compiled already.
        done: Functions,
    },
    /// Compile what is likely to be needed, one [`Outcome::Code`] after the other, until [`Outcome::Idle`]. The blob is the
    /// container, if this compiler does not have it.
    Prefetch {
        /// Of what.
        code_key: CodeKey,
        /// What is compiled already.
        done: Functions,
    },
    /// Write what waits to the cache: answered by [`Outcome::Idle`].
    Write,
    /// Forget a module.
    Close(CodeKey),
    /// These functions were compiled by another compiler: the one that compiles the module ahead leaves them out.
    Compiled {
        /// Of this module.
        code_key: CodeKey,
        /// The functions.
        functions: Functions,
    },
}

/// What has become of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An object, the blob, with these functions of the module.
    Code {
        /// The module, as a compiler works through several when it compiles ahead.
        code_key: CodeKey,
        /// The functions.
        functions: Functions,
        /// Bytes of memory that the compiler has.
        memory: u64,
    },
    /// The engine's message.
    Failed(String),
    /// Nothing is left to do.
    Idle {
        /// Whether something waits to be written.
        pending: bool,
        /// Bytes of memory that the compiler has.
        memory: u64,
    },
}

struct Writer(Vec<u8>);

impl Writer {
    fn code_key(&mut self, code_key: &CodeKey) {
        self.0.extend_from_slice(&code_key.key);
        self.0.extend_from_slice(&code_key.level.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn code_key(&mut self) -> Option<CodeKey> {
        let key = self.take(32)?.try_into().expect("32 bytes");
        Some(CodeKey { key, level: self.word()? as i32 })
    }

    fn word(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
    }

    fn long(&mut self) -> Option<u64> {
        self.take(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }

    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|byte| byte[0] != 0)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.word()? as usize;
        self.take(len)
    }

    fn functions(&mut self) -> Option<Functions> {
        self.bytes().map(|bytes| Functions(bytes.to_vec()))
    }

    fn text(&mut self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Job {
    /// Puts it among what is to be sent.
    pub fn push(&self, outgoing: &mut Outgoing, container: Option<Blob>) {
        let mut out = Writer(Vec::new());
        let number = match self {
            Self::Compile { code_key, what, map, alone, keep, program, done } => {
                out.code_key(code_key);
                out.0.extend_from_slice(&what.encode());
                out.bytes(map);
                out.0.extend_from_slice(&[u8::from(*alone), u8::from(*keep)]);
                out.bytes(&program.as_bytes()[..program.len().min(4096)]);
                out.bytes(&done.0);
                1
            }
            Self::Prefetch { code_key, done } => {
                out.code_key(code_key);
                out.bytes(&done.0);
                2
            }
            Self::Write => 3,
            Self::Close(code_key) => {
                out.code_key(code_key);
                4
            }
            Self::Compiled { code_key, functions } => {
                out.code_key(code_key);
                out.bytes(&functions.0);
                5
            }
        };
        outgoing.push_fields(number, &out.0, container);
    }

    /// The job in a packet.
    pub fn of(packet: &Packet) -> Option<Self> {
        let (number, fields) = packet.parts();
        let mut fields = Reader(fields);
        Some(match number {
            1 => {
                let code_key = fields.code_key()?;
                let what = Scope::decode(fields.take(5)?.try_into().expect("5 bytes"))?;
                let map = fields.bytes()?.to_vec();
                let (alone, keep) = (fields.flag()?, fields.flag()?);
                Self::Compile {
                    code_key,
                    what,
                    map,
                    alone,
                    keep,
                    program: fields.text()?,
                    done: fields.functions()?,
                }
            }
            2 => Self::Prefetch { code_key: fields.code_key()?, done: fields.functions()? },
            3 => Self::Write,
            4 => Self::Close(fields.code_key()?),
            5 => Self::Compiled { code_key: fields.code_key()?, functions: fields.functions()? },
            _ => return None,
        })
    }
}

impl Outcome {
    /// Puts it among what is to be sent.
    pub fn push(&self, outgoing: &mut Outgoing, object: Option<Blob>) {
        let mut out = Writer(Vec::new());
        let number = match self {
            Self::Code { code_key, functions, memory } => {
                out.code_key(code_key);
                out.bytes(&functions.0);
                out.0.extend_from_slice(&memory.to_le_bytes());
                1
            }
            Self::Failed(reason) => {
                let mut len = reason.len().min(32 << 10);
                while !reason.is_char_boundary(len) {
                    len -= 1;
                }
                out.bytes(&reason.as_bytes()[..len]);
                2
            }
            Self::Idle { pending, memory } => {
                out.0.push((*pending).into());
                out.0.extend_from_slice(&memory.to_le_bytes());
                3
            }
        };
        outgoing.push_fields(number, &out.0, object);
    }

    /// The outcome in a packet.
    pub fn of(packet: &Packet) -> Option<Self> {
        let (number, fields) = packet.parts();
        let mut fields = Reader(fields);
        Some(match number {
            1 => {
                let (code_key, functions) = (fields.code_key()?, fields.functions()?);
                Self::Code { code_key, functions, memory: fields.long()? }
            }
            2 => Self::Failed(fields.text()?),
            3 => Self::Idle { pending: fields.flag()?, memory: fields.long()? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autojit_protocol::Incoming;

    #[test]
    fn sets_of_functions() {
        let mut set = Functions::default();
        assert!(!set.contains(0));
        [0, 9, 300, u32::MAX].into_iter().for_each(|index| set.insert(index));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 9, 300]);
        assert!(set.contains(300) && !set.contains(301) && !set.contains(u32::MAX));
    }

    fn packet(push: impl Fn(&mut Outgoing)) -> Packet {
        let mut outgoing = Outgoing::default();
        push(&mut outgoing);
        let mut incoming = Incoming::default();
        incoming.push(&outgoing.bytes());
        incoming.take().unwrap().unwrap()
    }

    #[test]
    fn jobs_and_outcomes_are_read_as_they_were_written() {
        let code_key = CodeKey { key: [3; 32], level: -1 };
        let mut done = Functions::default();
        [1, 77].into_iter().for_each(|index| done.insert(index));
        let compile = |what| Job::Compile {
            code_key,
            what,
            map: vec![5],
            alone: true,
            keep: false,
            program: "/bin/p".into(),
            done: done.clone(),
        };
        for job in [
            compile(Scope::Function(6)),
            compile(Scope::Everything),
            compile(Scope::Often(6)),
            compile(Scope::Continuation(6)),
            Job::Prefetch { code_key, done: done.clone() },
            Job::Write,
            Job::Close(code_key),
            Job::Compiled { code_key, functions: done.clone() },
        ] {
            assert_eq!(Job::of(&packet(|outgoing| job.push(outgoing, None))), Some(job));
        }
        for outcome in [
            Outcome::Code { code_key, functions: done.clone(), memory: 5 << 32 },
            Outcome::Failed("f of a.c: no".into()),
            Outcome::Idle { pending: true, memory: 1 },
        ] {
            assert_eq!(Outcome::of(&packet(|outgoing| outcome.push(outgoing, None))), Some(outcome));
        }
    }
}
