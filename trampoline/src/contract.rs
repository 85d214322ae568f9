//! The tables that a lazily compiled image carries, as both sides see them.
//!
//! The plugin emits them as assembler text ([`crate::emit`]); linkers concatenate them; the runtime reads them in
//! memory, tools read them through goblin. Every field but [`Slot::target`] is relative to its own address, so that
//! the tables need no dynamic relocation. All values are little endian (x86-64).

use std::sync::atomic::AtomicUsize;

/// Version of everything in this file. Image and runtime must agree on it.
pub const CONTRACT_VERSION: u32 = 2;

/// Section with the [`Slot`]s of an image. A C identifier, so that linkers define `__start_` and `__stop_` symbols.
pub const SLOT_SECTION: &str = "autojit_slots";
/// Section with the [`ModuleRecord`]s of an image.
pub const MODULE_SECTION: &str = "autojit_modules";
/// Read-only section with the embedded containers, one behind the other, each padded to 8 bytes. It is mapped with
/// the program, so that a container is there whatever became of the file (replaced, out of reach after a chroot), but
/// its pages are not read until a function is compiled.
pub const STORE_SECTION: &str = ".autojit.store";
/// The container in the object, as assembler text names it.
pub const CONTAINER_SYMBOL: &str = "__autojit_container";
/// The hidden pointer of an image through which the lazy entries of its stubs call. See [`crate::emit`].
pub const ENTRY_SYMBOL: &str = "__autojit_entry";
/// What the runtime exports for images: `extern "C" fn(*const ImageRecord)`.
pub const REGISTER_SYMBOL: &str = "__autojit_register";

/// [`ModuleRecord::magic`]: "AJM1".
pub const MODULE_MAGIC: u32 = u32::from_le_bytes(*b"AJM1");
/// [`ImageRecord::magic`]: "AJI1".
pub const IMAGE_MAGIC: u32 = u32::from_le_bytes(*b"AJI1");

/// One lazily compiled function that something outside its module can reach.
///
/// The slot starts out with the address of the lazy entry of its stub and later holds finished code; it never holds
/// anything else. It is written with one release store and read by `jmp *slot(%rip)`.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Slot {
    /// The stub's lazy entry, or finished code.
    pub target: AtomicUsize,
    /// The [`ModuleRecord`], relative to the address of this field; or, with [`SAME_MODULE`] set, this field of another
    /// slot of the module, which has it.
    pub module: i32,
    /// The function's index in its module's container.
    pub index: u32,
}

const _: () = assert!(size_of::<Slot>() == 16);
const _: () = assert!(std::mem::offset_of!(Slot, module) == 8);
const _: () = assert!(std::mem::offset_of!(Slot, index) == 12);

/// A bit of [`Slot::module`]. Records and slots are aligned to 8 bytes, so no distance has it.
///
/// A distance within the section of the slots is known when assembling; one to the record takes a relocation, which is
/// larger than the slot.
pub const SAME_MODULE: i32 = 1;

impl Slot {
    /// The record of the module that the function belongs to.
    ///
    /// # Safety
    /// The slot must be one that the plugin emitted, in a loaded image, or that the runtime made for a stub of its own.
    pub unsafe fn record(&self) -> *const ModuleRecord {
        let first = match self.module & SAME_MODULE {
            0 => &self.module,
            _ => {
                let distance = (self.module & !SAME_MODULE) as isize;
                // SAFETY: the plugin put the distance of another slot's field there (caller), which is never written.
                unsafe { &*std::ptr::from_ref(&self.module).byte_offset(distance) }
            }
        };
        relative(first)
    }
}

/// Where the container of a module lies: [`ModuleRecord::store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StoreKind {
    /// In [`STORE_SECTION`] of the image, at [`ModuleRecord::container`].
    Embedded = 0,
    /// In a file named by its key, in the directory at [`ModuleRecord::store_dir`].
    Directory = 1,
}

/// One lazily compiled module (translation unit or codegen unit) of an image. Read-only.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct ModuleRecord {
    /// [`MODULE_MAGIC`].
    pub magic: u32,
    /// [`CONTRACT_VERSION`] of the plugin.
    pub version: u16,
    /// A [`StoreKind`].
    pub store: u8,
    /// Zero.
    pub reserved: u8,
    /// SHA-256 of the container's content.
    pub key: [u8; 32],
    /// The import table, relative to the address of this field: `got_imports + direct_imports` entries of 32 bits.
    pub imports: i32,
    /// The first entries: `sym@GOTPCREL`, the distance from the entry to the symbol's GOT entry.
    pub got_imports: u32,
    /// The entries after them: `sym - .`, the distance from the entry to the symbol; or `sym@PLT - .`, that to what may be
    /// called in its place.
    pub direct_imports: u32,
    /// The number of functions in the container.
    pub functions: u32,
    /// The name of the source file, NUL-terminated, relative to the address of this field.
    pub source: i32,
    /// The store's directory, NUL-terminated, relative to the address of this field; 0 if the container is embedded.
    pub store_dir: i32,
    /// The embedded container, relative to the address of this field; 0 if it is in a directory. 64 bits, so that
    /// containers do not limit how large a program may get.
    pub container: i64,
}

const _: () = assert!(size_of::<ModuleRecord>() == 72);
const _: () = assert!(std::mem::offset_of!(ModuleRecord, key) == 8);
const _: () = assert!(std::mem::offset_of!(ModuleRecord, imports) == 40);
const _: () = assert!(std::mem::offset_of!(ModuleRecord, store_dir) == 60);
const _: () = assert!(std::mem::offset_of!(ModuleRecord, container) == 64);

impl ModuleRecord {
    /// The first entry of the import table.
    pub fn import_table(&self) -> *const i32 {
        relative(&self.imports)
    }

    /// The source file's name, NUL-terminated.
    pub fn source_name(&self) -> *const std::ffi::c_char {
        relative(&self.source)
    }

    /// The store's directory, NUL-terminated, or null for an embedded container.
    pub fn store_directory(&self) -> *const std::ffi::c_char {
        if self.store_dir == 0 { std::ptr::null() } else { relative(&self.store_dir) }
    }

    /// The embedded container, or null if it is in a directory.
    pub fn embedded_container(&self) -> *const u8 {
        if self.container == 0 {
            return std::ptr::null();
        }
        std::ptr::from_ref(&self.container).cast::<u8>().wrapping_offset(self.container as isize)
    }

    /// The address of import `index`, or null for a weak import that nothing defines.
    ///
    /// # Safety
    /// The record must be one that the plugin emitted, in a loaded and relocated image, and `index` less than
    /// `got_imports + direct_imports`.
    pub unsafe fn import(&self, index: u32) -> *const u8 {
        // SAFETY: the caller's promise. A GOT entry is 8-byte aligned and relocated before any code of the image runs.
        unsafe {
            let there = self.import_address(index);
            if index < self.got_imports { there.cast::<*const u8>().read() } else { there }
        }
    }

    /// Where the entry of an import leads: to its GOT entry if it has one, else to what is imported.
    ///
    /// # Safety
    /// As above.
    pub unsafe fn import_address(&self, index: u32) -> *const u8 {
        debug_assert!(index < self.got_imports + self.direct_imports);
        // SAFETY: index is in the table (caller), and the table's entries are 4 bytes each and 4-byte aligned.
        unsafe {
            let entry = self.import_table().add(index as usize);
            entry.cast::<u8>().offset(entry.read() as isize)
        }
    }
}

/// What the constructor of an image hands to [`REGISTER_SYMBOL`]: one per image, in a comdat group of its own.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct ImageRecord {
    /// [`IMAGE_MAGIC`].
    pub magic: u32,
    /// [`CONTRACT_VERSION`] of the plugin.
    pub version: u32,
    /// First slot, relative to the address of this field; likewise the fields below.
    pub slots_start: i32,
    /// Behind the last slot.
    pub slots_stop: i32,
    /// First module record.
    pub modules_start: i32,
    /// Behind the last module record.
    pub modules_stop: i32,
    /// The image's entry pointer ([`ENTRY_SYMBOL`]), a `*const c_void`.
    pub entry: i32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<ImageRecord>() == 32);
const _: () = assert!(std::mem::offset_of!(ImageRecord, entry) == 24);

impl ImageRecord {
    /// The image's slots, first and behind the last.
    pub fn slots(&self) -> std::ops::Range<*const Slot> {
        relative(&self.slots_start)..relative(&self.slots_stop)
    }

    /// The image's module records, first and behind the last.
    pub fn modules(&self) -> std::ops::Range<*const ModuleRecord> {
        relative(&self.modules_start)..relative(&self.modules_stop)
    }

    /// The pointer through which the lazy entries of the image's stubs call.
    pub fn entry_pointer(&self) -> *const AtomicUsize {
        relative(&self.entry)
    }
}

/// `endbr64`, which opens a stub under -fcf-protection.
pub const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `jmp *disp32(%rip)`: opcode and ModRM, before the displacement.
pub const JMP_INDIRECT: [u8; 2] = [0xff, 0x25];
/// `call *disp32(%rip)`: opcode and ModRM, before the displacement.
pub const CALL_INDIRECT: [u8; 2] = [0xff, 0x15];
/// `int3`, which debuggers write over the first byte of an instruction.
const BREAKPOINT: u8 = 0xcc;
/// A lazy entry's call by way of the jump that the stubs of a file share: `nop` and the opcode of `call rel32`.
pub const CALL_SHARED: [u8; 2] = [0x90, 0xe8];
/// Length of either instruction, and of the shared call with its `nop`.
pub const INDIRECT_LEN: usize = 6;

/// `jmp rel8`: opcode, before the displacement.
pub const JMP_SHORT: u8 = 0xeb;
/// Its length.
pub const SHORT_LEN: usize = 2;

/// The slot of the stub whose lazy entry called the trampoline: `return_address` points behind the lazy entry's call,
/// at the short jump back to the stub's `jmp *slot(%rip)`.
///
/// # Safety
/// `return_address` must be what a stub's lazy entry pushed.
pub unsafe fn slot_of_lazy_entry(return_address: *const u8) -> *const Slot {
    // SAFETY: the bytes at return_address are the 2-byte jump that `emit::Text::stubs` writes there, and its target is
    // the stub's 6-byte jump (caller). A displacement of 8 bits counts from the jump's end (SDM vol. 2, JMP).
    unsafe {
        debug_assert_eq!(return_address.read(), JMP_SHORT);
        let back = return_address.add(1).cast::<i8>().read();
        indirect_target(return_address.add(SHORT_LEN).offset(back as isize))
    }
}

/// The slot behind the function address `function`, if the code there has the form of a stub. The caller must still
/// check that the slot lies among the slots of an image: foreign PLT entries have the same form.
///
/// A debugger may have a breakpoint there, at the start or behind `endbr64`: the first byte of either instruction may
/// be `int3`. Two bytes of the lazy entry make up for what it hides.
///
/// # Safety
/// 16 bytes at `function` must be readable.
pub unsafe fn slot_of_stub(function: *const u8) -> Option<*const Slot> {
    // SAFETY: 16 bytes are readable (caller): at most 4 of endbr64, then 6 of the jump and 2 of the lazy entry's call.
    unsafe {
        // Most are asked for by the thousand, and have neither endbr64 nor a breakpoint.
        let [a, b, .., c, d] = function.cast::<[u8; 8]>().read();
        if [a, b] == JMP_INDIRECT && [CALL_INDIRECT, CALL_SHARED].contains(&[c, d]) {
            return Some(indirect_target(function));
        }
        let opens = |at: *const u8, code: &[u8]| {
            let bytes = std::slice::from_raw_parts(at, code.len());
            bytes[1..] == code[1..] && (bytes[0] == code[0] || bytes[0] == BREAKPOINT)
        };
        let mut at = function;
        if opens(at, &ENDBR64) {
            at = at.add(ENDBR64.len());
        }
        let lazy_entry = at.add(INDIRECT_LEN).cast::<[u8; 2]>();
        let calls = [CALL_INDIRECT, CALL_SHARED].contains(&lazy_entry.read());
        (opens(at, &JMP_INDIRECT) && calls).then(|| indirect_target(at))
    }
}

/// The memory operand of the `jmp`/`call *disp32(%rip)` at `at`.
///
/// # Safety
/// The 6 bytes at `at` must be such an instruction.
unsafe fn indirect_target(at: *const u8) -> *const Slot {
    // SAFETY: the displacement is bytes 2 to 5 of the instruction, relative to its end (SDM vol. 2, 2.2.1.6).
    unsafe {
        let disp = at.add(2).cast::<i32>().read_unaligned();
        at.add(INDIRECT_LEN).offset(disp as isize).cast()
    }
}

/// The address that a self-relative field stands for.
fn relative<T>(field: &i32) -> *const T {
    std::ptr::from_ref(field).cast::<u8>().wrapping_offset(*field as isize).cast()
}
