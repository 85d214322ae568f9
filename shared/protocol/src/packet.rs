//! Messages on a stream.
//!
//! ```text
//!   0  length of the fields: u32         16  the fields
//!   4  number of the message: u8             an inline blob
//!   5  blob: u8 (0 none, 1 a descriptor that comes with the first byte, 2 inline)
//!   6  0: u16
//!   8  length of the blob: u64
//! ```

use std::collections::VecDeque;
use std::ffi::CStr;

use autojit_sys::{Errno, File, Map};

use crate::message::Message;

/// Bytes before the fields.
const HEADER: usize = 16;
/// Bytes that a message's fields may have.
pub const MAX_FIELDS: usize = 64 << 10;
/// Bytes that a blob may have.
pub const MAX_BLOB: usize = 256 << 20;
/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// Descriptors that may wait for their messages.
const MAX_DESCRIPTORS: usize = 8;

/// What a message carries.
#[derive(Debug)]
pub enum Blob {
    /// A sealed file in memory, and the number of bytes in it.
    File(File, usize),
    /// Bytes.
    Inline(Vec<u8>),
}

impl Blob {
    /// A blob with these bytes: in a file in memory if one can be had.
    pub fn new(bytes: &[u8]) -> Self {
        match File::sealed(BLOB_NAME, &[bytes]) {
            Ok(file) => Self::File(file, bytes.len()),
            Err(_) => Self::Inline(bytes.to_vec()),
        }
    }

    /// Its number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::File(_, len) => *len,
            Self::Inline(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, in memory.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn open(self) -> Result<Bytes, Errno> {
        Ok(match self {
            // A process may have as many mappings as the system allows (vm.max_map_count), and room for bytes.
            Self::File(file, len) => match file.map() {
                Ok(map) => Bytes::Mapped(map),
                Err(error) => Bytes::Own(read(&file, len).ok_or(error)?),
            },
            Self::Inline(bytes) => Bytes::Own(bytes),
        })
    }
}

/// All bytes of a file, if there is memory for them.
fn read(file: &File, len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    (file.read_at(0, &mut bytes) == Ok(len)).then_some(bytes)
}

/// What the files in memory are called in /proc.
pub const BLOB_NAME: &CStr = c"autojit";

/// The bytes of a blob.
#[derive(Debug)]
pub enum Bytes {
    /// Mapped.
    Mapped(Map),
    /// In memory of their own.
    Own(Vec<u8>),
}

impl Bytes {
    /// The same, for ever.
    pub fn leak(self) -> &'static [u8] {
        match self {
            Self::Mapped(map) => map.keep(),
            Self::Own(bytes) => bytes.leak(),
        }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Own(bytes) => bytes,
        }
    }
}

/// Why bytes are no conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// More fields than any message has.
    Fields,
    /// A blob of no kind, too large, or of another size than was said.
    Blob,
    /// A file that is not in memory, or could be changed.
    Unsealed,
    /// More descriptors than messages.
    Descriptors,
    /// The message's descriptor did not arrive: this process has no room for one.
    Lost,
    /// Fields that do not belong to the number.
    Message,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fields => "a message that is too long",
            Self::Blob => "a blob of a size that it has not",
            Self::Unsealed => "a file that could change",
            Self::Descriptors => "descriptors that belong to no message",
            Self::Lost => "no room for a file descriptor",
            Self::Message => "a message that there is not",
        })
    }
}

/// A message as it came, and what it carried.
#[derive(Debug)]
pub struct Packet {
    number: u8,
    fields: Vec<u8>,
    /// What it carries.
    pub blob: Option<Blob>,
    /// Whether what it carries could not be received: this process has no room for a descriptor.
    pub lost: bool,
}

impl Packet {
    /// The message's number and fields, for what speaks another language.
    pub fn parts(&self) -> (u8, &[u8]) {
        (self.number, &self.fields)
    }

    /// The message.
    ///
    /// # Errors
    /// There is none such.
    pub fn message(&self) -> Result<Message<'_>, Malformed> {
        Message::decode(self.number, &self.fields).ok_or(Malformed::Message)
    }
}

/// What has arrived and was not looked at yet.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    descriptors: VecDeque<File>,
    lost: bool,
}

impl Incoming {
    /// Takes in what `stream` has, at most so much at once; false at its end. Waits only if the stream is no socket.
    ///
    /// # Errors
    /// EAGAIN if there is nothing now, and those of recvmsg(2).
    pub fn fill(&mut self, stream: &File) -> Result<bool, Errno> {
        self.bytes.reserve(CHUNK);
        let room = &mut self.bytes.spare_capacity_mut()[..CHUNK];
        let received = match stream.receive(room) {
            Err(Errno(libc::ENOTSOCK)) => {
                let mut buffer = vec![0; CHUNK];
                let count = stream.read(&mut buffer)?;
                self.push(&buffer[..count]);
                return Ok(count != 0);
            }
            received => received?,
        };
        // SAFETY: the kernel has written so many bytes there.
        unsafe { self.bytes.set_len(self.bytes.len() + received.bytes) };
        self.descriptors.extend(received.descriptors);
        self.lost |= received.lost;
        Ok(received.bytes != 0)
    }

    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes in a descriptor.
    pub fn push_descriptor(&mut self, file: File) {
        self.descriptors.push_back(file);
    }

    /// The next message that is there as a whole.
    ///
    /// # Errors
    /// What has come is no conversation, and what follows cannot be understood.
    pub fn take(&mut self) -> Result<Option<Packet>, Malformed> {
        if self.descriptors.len() > MAX_DESCRIPTORS {
            return Err(Malformed::Descriptors);
        }
        let Some(header) = self.bytes.get(..HEADER) else { return Ok(None) };
        let fields = u32::from_le_bytes(header[..4].try_into().expect("4 bytes")) as usize;
        let (number, kind) = (header[4], header[5]);
        let blob = u64::from_le_bytes(header[8..].try_into().expect("8 bytes"));
        if fields > MAX_FIELDS {
            return Err(Malformed::Fields);
        }
        let blob = usize::try_from(blob).ok().filter(|len| *len <= MAX_BLOB).ok_or(Malformed::Blob)?;
        if header[6..8] != [0, 0] || kind > 2 || (kind == 0 && blob != 0) {
            return Err(Malformed::Blob);
        }
        let inline = if kind == 2 { blob } else { 0 };
        let end = HEADER + fields + inline;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let fields = self.bytes[HEADER..HEADER + fields].to_vec();
        let taken = match kind {
            1 => self.descriptors.pop_front().map(|file| Blob::File(file, blob)),
            2 => Some(Blob::Inline(self.bytes[end - inline..end].to_vec())),
            _ => None,
        };
        self.bytes.drain(..end);
        if let Some(Blob::File(file, len)) = &taken {
            if !file.is_sealed() {
                return Err(Malformed::Unsealed);
            }
            if file.size() != Ok(*len) {
                return Err(Malformed::Blob);
            }
        }
        let lost = kind == 1 && taken.is_none();
        if lost && !std::mem::take(&mut self.lost) {
            return Err(Malformed::Descriptors);
        }
        Ok(Some(Packet { number, fields, blob: taken, lost }))
    }

    /// The same for those that cannot ask again for what a message should have carried.
    ///
    /// # Errors
    /// The same, and [`Malformed::Lost`].
    pub fn take_whole(&mut self) -> Result<Option<Packet>, Malformed> {
        let packet = self.take()?;
        if packet.as_ref().is_some_and(|packet| packet.lost) { Err(Malformed::Lost) } else { Ok(packet) }
    }

    /// Bytes that are kept for a message that is not there as a whole.
    pub fn kept(&self) -> usize {
        self.bytes.len()
    }
}

/// A message on its way.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    sent: usize,
    descriptor: Option<File>,
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: VecDeque<Piece>,
}

impl Outgoing {
    /// Adds a message, with what it carries.
    pub fn push(&mut self, message: &Message<'_>, blob: Option<Blob>) {
        self.push_fields(message.number(), &message.encode(), blob);
    }

    /// Adds a message of another language: its number and its fields.
    pub fn push_fields(&mut self, number: u8, fields: &[u8], blob: Option<Blob>) {
        let (kind, len) = match &blob {
            None => (0, 0),
            Some(Blob::File(_, len)) => (1, *len),
            Some(Blob::Inline(bytes)) => (2, bytes.len()),
        };
        let mut bytes = Vec::with_capacity(HEADER + fields.len());
        bytes.extend_from_slice(&(fields.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[number, kind, 0, 0]);
        bytes.extend_from_slice(&(len as u64).to_le_bytes());
        bytes.extend_from_slice(fields);
        let descriptor = match blob {
            Some(Blob::File(file, _)) => Some(file),
            Some(Blob::Inline(blob)) => {
                bytes.extend_from_slice(&blob);
                None
            }
            None => None,
        };
        self.pieces.push_back(Piece { bytes, sent: 0, descriptor });
    }

    /// Sends what the stream takes now. True if nothing is left. Waits only if the stream is no socket.
    ///
    /// # Errors
    /// Those of sendmsg(2) but EAGAIN.
    pub fn flush(&mut self, stream: &File) -> Result<bool, Errno> {
        while let Some(piece) = self.pieces.front_mut() {
            let rest = &piece.bytes[piece.sent..];
            let sent = match stream.send(rest, piece.descriptor.as_ref()) {
                Ok(sent) => sent,
                Err(Errno(libc::EAGAIN)) => return Ok(false),
                Err(Errno(libc::ENOTSOCK)) if piece.descriptor.is_none() => {
                    autojit_sys::write(stream.descriptor(), rest)?;
                    rest.len()
                }
                Err(error) => return Err(error),
            };
            piece.descriptor = None;
            piece.sent += sent;
            if piece.sent == piece.bytes.len() {
                self.pieces.pop_front();
            }
        }
        Ok(true)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len() - piece.sent).sum()
    }

    /// The bytes of all pieces, for tests.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| piece.bytes.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(message: &Message<'_>, blob: Option<Blob>) -> Vec<u8> {
        let mut out = Outgoing::default();
        out.push(message, blob);
        out.bytes()
    }

    #[test]
    fn messages_arrive_in_pieces() {
        let module = Message::Module { key: [1; 32], level: -1, made: false };
        let mut bytes = packed(&module, Some(Blob::Inline(b"container".to_vec())));
        bytes.extend(packed(&Message::Status, None));
        let mut incoming = Incoming::default();
        let mut seen = Vec::new();
        for byte in &bytes {
            incoming.push(&[*byte]);
            while let Some(packet) = incoming.take().unwrap() {
                let blob = packet.blob.as_ref().map(Blob::len);
                seen.push((format!("{:?}", packet.message().unwrap()), blob));
            }
        }
        assert_eq!(seen, [(format!("{module:?}"), Some(9)), ("Status".into(), None)]);
        assert_eq!(incoming.kept(), 0);
    }

    #[test]
    fn descriptors_arrive_with_their_messages() {
        let (here, there) = File::socket_pair().unwrap();
        let mut out = Outgoing::default();
        out.push(&Message::Code { number: 1, kept: true }, Some(Blob::new(b"object")));
        out.push(&Message::Working, None);
        assert_eq!(out.flush(&here), Ok(true));
        let mut incoming = Incoming::default();
        assert_eq!(incoming.fill(&there), Ok(true));
        let packet = incoming.take().unwrap().unwrap();
        assert_eq!(packet.message(), Ok(Message::Code { number: 1, kept: true }));
        assert_eq!(&*packet.blob.unwrap().open().unwrap(), b"object");
        // The kernel keeps what came with a descriptor apart.
        assert_eq!(incoming.fill(&there), Ok(true));
        assert_eq!(incoming.take().unwrap().unwrap().message(), Ok(Message::Working));
        assert!(incoming.take().unwrap().is_none());
    }

    #[test]
    fn a_stream_without_descriptors_carries_bytes() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (reader, writer) =
            (File::from(std::os::fd::OwnedFd::from(reader)), File::from(std::os::fd::OwnedFd::from(writer)));
        let mut out = Outgoing::default();
        out.push(&Message::Code { number: 2, kept: false }, Some(Blob::Inline(vec![5; 3000])));
        assert_eq!(out.flush(&writer), Ok(true));
        let mut incoming = Incoming::default();
        assert_eq!(incoming.fill(&reader), Ok(true));
        assert_eq!(incoming.take().unwrap().unwrap().blob.unwrap().len(), 3000);
        drop(writer);
        assert_eq!(incoming.fill(&reader), Ok(false));
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |bytes: &[u8]| {
            let mut incoming = Incoming::default();
            incoming.push(bytes);
            incoming.take().unwrap_err()
        };
        let mut header = packed(&Message::Status, None);
        header[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(refused(&header), Malformed::Fields);
        let mut header = packed(&Message::Status, None);
        header[5] = 2;
        header[8..].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(refused(&header), Malformed::Blob);
        header[5] = 3;
        assert_eq!(refused(&header), Malformed::Blob);
        let mut header = packed(&Message::Status, None);
        header[5] = 1;
        assert_eq!(refused(&header), Malformed::Descriptors);
    }

    #[test]
    fn files_that_could_change_are_refused() {
        let code = Message::Code { number: 2, kept: false };
        let open = File::memory(c"open").unwrap();
        autojit_sys::write(open.descriptor(), b"12").unwrap();
        let sealed = File::sealed(c"sealed", &[b"12"]).unwrap();
        for (file, len, expected) in [(open, 2, Malformed::Unsealed), (sealed, 3, Malformed::Blob)] {
            let mut incoming = Incoming::default();
            incoming.push(&packed(&code, Some(Blob::File(File::memory(c"").unwrap(), len))));
            incoming.push_descriptor(file);
            assert_eq!(incoming.take().unwrap_err(), expected);
        }
        let mut incoming = Incoming::default();
        (0..9).for_each(|_| incoming.push_descriptor(File::memory(c"").unwrap()));
        assert_eq!(incoming.take().unwrap_err(), Malformed::Descriptors);
    }
}
