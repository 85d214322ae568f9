//! The bitcode of a module, of which only those pieces are unpacked that something asks for.
//!
//! Receives a container; hands on the opened module and blocks of bodies. What was unpacked stays: the reader borrows it.

use autojit_bitcode::{BitcodeModule, Parts};
use autojit_code::lock::{ForkLock, Lock};
use autojit_store::{Container, Unpacker};

/// Numbers of pieces (autojit_store).
const HEAD: usize = 0;
const MIDDLE: usize = 2;

/// A module's bitcode.
pub struct Pieces {
    groups: Vec<Group>,
    /// From Box::into_raw, and so is what it borrows.
    bitcode: *mut BitcodeModule<'static>,
    kept: [*mut [u8]; 3],
    container: Container<'static>,
}

// SAFETY: the pointers are to memory that this alone owns.
unsafe impl Send for Pieces {}

impl Drop for Pieces {
    fn drop(&mut self) {
        // SAFETY: the bitcode borrows the kept bytes; each came from Box::into_raw and is freed once.
        unsafe {
            drop(Box::from_raw(self.bitcode));
            self.kept.into_iter().for_each(|bytes| drop(Box::from_raw(bytes)));
        }
    }
}

/// A group of bodies.
struct Group {
    /// The number of its first body.
    first: u32,
    /// Once it is unpacked, its bytes, and where its bodies begin.
    unpacked: Option<(Box<[u8]>, Vec<u32>)>,
}

impl Pieces {
    /// Opens the bitcode of a container.
    pub fn open(container: Container<'static>) -> Result<Self, String> {
        let bytes = |number| unpack(&container, number);
        let strings = container.groups().end + 2;
        let kept = if container.groups().is_empty() {
            [bytes(HEAD)?, Box::default(), Box::default()]
        } else {
            [bytes(HEAD)?, bytes(MIDDLE)?, bytes(strings)?]
        };
        let kept = kept.map(Box::into_raw);
        // SAFETY: they are freed when the bitcode is, or below; nothing writes to them.
        let [head, middle, strings] = kept.map(|bytes| unsafe { &*bytes });
        let opened = if container.groups().is_empty() {
            BitcodeModule::parse(head)
        } else {
            BitcodeModule::open(Parts { head, middle, strings })
        };
        let bitcode = match opened {
            Ok(bitcode) => Box::into_raw(Box::new(bitcode)),
            Err(error) => {
                // SAFETY: from Box::into_raw; nothing has kept a reference.
                kept.into_iter().for_each(|bytes| drop(unsafe { Box::from_raw(bytes) }));
                return Err(format!("{error:?}"));
            }
        };
        let mut first = 0;
        let groups = container.groups().map(|number| {
            let group = Group { first, unpacked: None };
            first += container.piece(number).map_or(0, |piece| piece.bodies);
            group
        });
        Ok(Self { groups: groups.collect(), bitcode, kept, container })
    }

    /// The module, which lives as long as this.
    pub fn bitcode(&self) -> &'static BitcodeModule<'static> {
        // SAFETY: freed by the destructor, and never changed.
        unsafe { &*self.bitcode }
    }

    /// Whether locations of the bodies are in another piece.
    pub fn have_locations_apart(&self) -> bool {
        self.container.is_apart()
    }

    /// The block of a function's body, which may lack what is said for debuggers: of the global of this index.
    pub fn block(&mut self, global: u32) -> Result<&[u8], String> {
        let bitcode = self.bitcode();
        let body = bitcode.body(global).ok_or("a function without a body")?;
        if self.groups.is_empty() {
            return bitcode.block(global).map_err(|error| format!("its bitcode: {error:?}"));
        }
        let group = self.groups.partition_point(|group| group.first <= body).saturating_sub(1);
        self.unpack_group(group)?;
        let group = &self.groups[group];
        let (bytes, starts) = group.unpacked.as_ref().ok_or("a group that is not there")?;
        let start = starts.get((body - group.first) as usize).ok_or("a group without its body")?;
        Ok(&bytes[*start as usize..])
    }

    fn unpack_group(&mut self, group: usize) -> Result<(), String> {
        if self.groups[group].unpacked.is_some() {
            return Ok(());
        }
        let bytes = unpack(&self.container, self.container.groups().start + group)?;
        let starts =
            self.bitcode().blocks(&bytes).map_err(|error| format!("a group of bodies: {error:?}"))?;
        self.groups[group].unpacked = Some((bytes, starts));
        Ok(())
    }
}

/// What unpacked the last piece. Making one asks the processor what it can do, which takes a virtual machine as long as
/// unpacking a small piece.
static UNPACKER: Lock<Option<Unpacker>> = Lock::new(None);

/// A fork waits until it is not being taken.
pub static FORK_LOCK: &dyn ForkLock = &UNPACKER;

fn unpack(container: &Container<'_>, number: usize) -> Result<Box<[u8]>, String> {
    // Another thread that unpacks meanwhile makes its own.
    let last = UNPACKER.lock().take();
    let unpacked = last.map_or_else(Unpacker::new, Ok).and_then(|mut unpacker| {
        let unpacked = container.unpack(number, &mut unpacker);
        *UNPACKER.lock() = Some(unpacker);
        unpacked
    });
    unpacked.map(Vec::into_boxed_slice).map_err(|error| error.to_string())
}
