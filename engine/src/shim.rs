//! The C++ side of the engine (`shim/`) and LLVM's C API, behind types that keep to their rules.
//!
//! # Safety
//! [`Kept`] owns a module and all that belongs to its context; a [`IrFunction`] is one of its functions, and is used
//! with the `Kept` that it came from only, which this file's callers see to by having one `Kept` per module.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use autojit_abi::{CONTINUATION_SUFFIX, LocationKind, StackMap};
use llvm_sys::core::{
    LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart, LLVMGetCallSiteEnumAttribute,
    LLVMGetCalledValue, LLVMGetEnumAttributeAtIndex, LLVMGetEnumAttributeKindForName, LLVMGetFirstBasicBlock,
    LLVMGetFirstInstruction, LLVMGetInstructionOpcode, LLVMGetLinkage, LLVMGetNextBasicBlock,
    LLVMGetNextInstruction, LLVMGetValueName2, LLVMIsAFunction, LLVMIsDeclaration,
};
use llvm_sys::prelude::{LLVMMemoryBufferRef, LLVMValueRef};
use llvm_sys::target::{
    LLVMInitializeX86AsmParser, LLVMInitializeX86AsmPrinter, LLVMInitializeX86Target,
    LLVMInitializeX86TargetInfo, LLVMInitializeX86TargetMC,
};

/// How functions are compiled: `autojit_shim_options`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// 0 to 3, as in -O0 to -O3.
    pub speed: u8,
    /// 0, 1 for -Os, 2 for -Oz.
    pub size: u8,
    /// The build asked for no optimisation, the user asks for some.
    pub drop_optnone: bool,
    /// Run LLVM's verifier on each batch.
    pub verify: bool,
    /// Describe types and variables too, as far as the build asked for it, not only lines.
    pub full_debug: bool,
}

/// What a function is to its batch: `autojit_shim_role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// The only definition of its name.
    Exact = 0,
    /// One of several equivalent definitions: inlined, but nothing else is concluded from it.
    OneOfEquals = 1,
    /// Something else may take its place.
    Interposable = 2,
    /// Not for the object, only for the inliner.
    InlineOnly = 3,
}

/// A materialised function of a batch: `autojit_shim_member`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The function.
    pub function: IrFunction,
    /// What it is to the batch.
    pub role: Role,
    /// Whether the image has a stub for it.
    pub stubbed: bool,
}

/// Where a frame has what is live: `autojit_shim_location`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct FrameLocation {
    value: u32,
    variable: bool,
    offset: i32,
}

/// Where a function is continued: `autojit_shim_continued`.
#[repr(C)]
#[derive(Debug)]
struct Continued {
    block: u32,
    locations: *const FrameLocation,
    count: usize,
    suffix: *const c_char,
}

#[repr(C)]
struct ShimModule {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn autojit_shim_open(
        bitcode: *const u8,
        length: usize,
        name: *const c_char,
        options: *const Options,
        build: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut ShimModule;
    fn autojit_shim_close(module: *mut ShimModule);
    fn autojit_shim_find(module: *mut ShimModule, name: *const u8, length: usize) -> LLVMValueRef;
    fn autojit_shim_materialize(
        module: *mut ShimModule,
        function: LLVMValueRef,
        error: *mut *mut c_char,
    ) -> bool;
    fn autojit_shim_compile(
        module: *mut ShimModule,
        members: *const Member,
        count: usize,
        whole: bool,
        continued: *const Continued,
        error: *mut *mut c_char,
    ) -> LLVMMemoryBufferRef;
    fn autojit_shim_free_text(text: *mut c_char);
    fn autojit_shim_on_fatal(handler: extern "C" fn(*mut c_void, *const c_char, bool));
    fn autojit_shim_on_no_memory(handler: extern "C" fn());
}

/// Takes a message over from the shim.
fn message(text: *mut c_char) -> String {
    // SAFETY: on failure the shim leaves a C string from its heap, which is freed here and nowhere else.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        autojit_shim_free_text(text);
        owned
    }
}

/// Registers LLVM's only target.
pub fn initialize_target() {
    // SAFETY: called once, before anything else of LLVM (lib.rs).
    unsafe {
        LLVMInitializeX86TargetInfo();
        LLVMInitializeX86Target();
        LLVMInitializeX86TargetMC();
        LLVMInitializeX86AsmPrinter();
        LLVMInitializeX86AsmParser();
    }
}

/// Installs the handler for errors after which LLVM cannot go on.
pub fn on_fatal(handler: extern "C" fn(*mut c_void, *const c_char, bool)) {
    // SAFETY: the handler is a function, so it lives for ever.
    unsafe { autojit_shim_on_fatal(handler) }
}

/// Installs what C++ calls when there is no memory.
pub fn on_no_memory(handler: extern "C" fn()) {
    // SAFETY: as above.
    unsafe { autojit_shim_on_no_memory(handler) }
}

/// A compiled batch.
#[derive(Debug)]
pub struct ObjectBuffer(LLVMMemoryBufferRef);

impl ObjectBuffer {
    /// The ELF relocatable object.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer is ours until drop, and does not change.
        unsafe {
            std::slice::from_raw_parts(LLVMGetBufferStart(self.0).cast::<u8>(), LLVMGetBufferSize(self.0))
        }
    }
}

impl Drop for ObjectBuffer {
    fn drop(&mut self) {
        // SAFETY: the buffer is ours.
        unsafe { LLVMDisposeMemoryBuffer(self.0) }
    }
}

/// A module that is kept open: bodies are read when they are wanted.
#[derive(Debug)]
pub struct Kept {
    module: NonNull<ShimModule>,
    // What the module reads from.
    bitcode: Box<[u8]>,
}

// SAFETY: LLVM keeps nothing of a module or its context that belongs to a thread.
unsafe impl Send for Kept {}

impl Kept {
    /// Opens bitcode; `name` is for LLVM's messages, `build` the options of its build.
    ///
    /// # Errors
    /// LLVM's message, if it cannot read the bitcode or has no code generator for its target.
    pub fn open(bitcode: Box<[u8]>, name: &CStr, options: Options, build: &CStr) -> Result<Self, String> {
        let mut error = std::ptr::null_mut();
        // SAFETY: the bitcode stays where it is as long as the module (the box is kept beside it and does not move);
        // the other arguments are valid for the call.
        let module = unsafe {
            let (data, length) = (bitcode.as_ptr(), bitcode.len());
            autojit_shim_open(data, length, name.as_ptr(), &options, build.as_ptr(), &mut error)
        };
        match NonNull::new(module) {
            Some(module) => Ok(Self { module, bitcode }),
            None => Err(message(error)),
        }
    }

    /// Bytes of its bitcode.
    pub fn bytes(&self) -> usize {
        self.bitcode.len()
    }

    /// The function that the module defines under `name`.
    pub fn find(&self, name: &str) -> Option<IrFunction> {
        // SAFETY: the module is open, and the name is only read.
        NonNull::new(unsafe { autojit_shim_find(self.module.as_ptr(), name.as_ptr(), name.len()) })
            .map(IrFunction)
    }

    /// Reads the body of `function`, if it was not read yet.
    ///
    /// # Errors
    /// LLVM's message, if the body's bitcode is damaged.
    pub fn materialize(&self, function: IrFunction) -> Result<(), String> {
        let mut error = std::ptr::null_mut();
        // SAFETY: the function is one of this module (see the top of the file).
        if unsafe { autojit_shim_materialize(self.module.as_ptr(), function.0.as_ptr(), &mut error) } {
            Ok(())
        } else {
            Err(message(error))
        }
    }

    /// Compiles materialised functions together. What was read of them may be used up: it is read again if needed.
    /// `whole`: the object is to describe the whole module to debuggers.
    ///
    /// # Errors
    /// LLVM's messages.
    pub fn compile(&mut self, members: &[Member], whole: bool) -> Result<ObjectBuffer, String> {
        self.compile_members(members, whole, std::ptr::null())
    }

    /// Compiles what is left of the first of these functions from a loop header on; the others are for the inliner.
    ///
    /// # Errors
    /// LLVM's messages, or why the function cannot be continued there.
    pub fn compile_continuation(
        &mut self,
        members: &[Member],
        map: &StackMap,
    ) -> Result<ObjectBuffer, String> {
        let locations = map.locations.iter().map(|location| FrameLocation {
            value: location.value,
            variable: location.kind == LocationKind::Variable,
            offset: location.offset,
        });
        let locations: Vec<_> = locations.collect();
        let suffix = CString::new(CONTINUATION_SUFFIX).expect("a suffix without zeros");
        let continued = Continued {
            block: map.block,
            locations: locations.as_ptr(),
            count: locations.len(),
            suffix: suffix.as_ptr(),
        };
        self.compile_members(members, false, &raw const continued)
    }

    /// `continued` is null or valid.
    fn compile_members(
        &mut self,
        members: &[Member],
        whole: bool,
        continued: *const Continued,
    ) -> Result<ObjectBuffer, String> {
        assert!(!members.is_empty(), "a batch has a root");
        let mut error = std::ptr::null_mut();
        // SAFETY: the functions are of this module (see the top of the file); there is a first one. What `continued` points
        // to is read during the call only.
        let object = unsafe {
            let (first, count) = (members.as_ptr(), members.len());
            autojit_shim_compile(self.module.as_ptr(), first, count, whole, continued, &mut error)
        };
        if object.is_null() { Err(message(error)) } else { Ok(ObjectBuffer(object)) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: the module is ours, and nothing of it is left but Functions, which need a Kept to be used.
        unsafe { autojit_shim_close(self.module.as_ptr()) }
    }
}

/// A function of a [`Kept`] module.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IrFunction(NonNull<llvm_sys::LLVMValue>);

// SAFETY: as for Kept, with which it is used.
unsafe impl Send for IrFunction {}

/// A direct call in a body.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The callee; it may be a declaration.
    pub callee: IrFunction,
    /// Whether this call says that it must be inlined.
    pub always_inline: bool,
}

/// Attributes of functions that matter to a batch.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    always_inline: u32,
    no_inline: u32,
    opt_none: u32,
}

impl Default for Attributes {
    fn default() -> Self {
        let kind = |name: &str| {
            // SAFETY: the name is only read.
            unsafe { LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len()) }
        };
        Self { always_inline: kind("alwaysinline"), no_inline: kind("noinline"), opt_none: kind("optnone") }
    }
}

impl Attributes {
    /// Whether calls of `function` must be inlined, at -O0 too.
    pub fn always_inline(&self, function: IrFunction) -> bool {
        function.has(self.always_inline)
    }

    /// Whether calls of `function` must not be inlined. `drop_optnone` as in [`Options`].
    pub fn never_inline(&self, function: IrFunction, drop_optnone: bool) -> bool {
        let unoptimised = function.has(self.opt_none);
        if drop_optnone && unoptimised { false } else { unoptimised || function.has(self.no_inline) }
    }
}

impl IrFunction {
    /// Its name in the module.
    pub fn name(&self) -> &str {
        let mut length = 0;
        // SAFETY: names live as long as their values and are UTF-8 where they come from a container; others are
        // foreign to it, and compared with nothing.
        unsafe {
            let name = LLVMGetValueName2(self.0.as_ptr(), &mut length);
            str::from_utf8(std::slice::from_raw_parts(name.cast::<u8>(), length)).unwrap_or("")
        }
    }

    /// Whether the module defines it, read or not.
    pub fn is_defined(self) -> bool {
        // SAFETY: this is a function of an open module.
        unsafe { LLVMIsDeclaration(self.0.as_ptr()) == 0 }
    }

    /// Whether its body is only here to be inlined, because another module defines it.
    pub fn is_defined_elsewhere(self) -> bool {
        // SAFETY: this is a function of an open module.
        unsafe { LLVMGetLinkage(self.0.as_ptr()) == llvm_sys::LLVMLinkage::LLVMAvailableExternallyLinkage }
    }

    fn has(self, attribute: u32) -> bool {
        // SAFETY: this is a function of an open module; !0 is the index of attributes of the function itself.
        unsafe { !LLVMGetEnumAttributeAtIndex(self.0.as_ptr(), !0, attribute).is_null() }
    }

    /// Visits each instruction of the body: the call that it is, if it calls a function directly.
    pub fn visit(self, attributes: &Attributes, mut visitor: impl FnMut(Option<Call>)) {
        // SAFETY: this is a function of an open module, which nothing changes meanwhile (Kept is not Sync); the C
        // API's iterators end with null.
        unsafe {
            let mut block = LLVMGetFirstBasicBlock(self.0.as_ptr());
            while !block.is_null() {
                let mut instruction = LLVMGetFirstInstruction(block);
                while !instruction.is_null() {
                    visitor(direct_call(instruction, attributes));
                    instruction = LLVMGetNextInstruction(instruction);
                }
                block = LLVMGetNextBasicBlock(block);
            }
        }
    }
}

/// The call that an instruction is, if it calls a function directly.
///
/// # Safety
/// `instruction` is one of an open module.
unsafe fn direct_call(instruction: LLVMValueRef, attributes: &Attributes) -> Option<Call> {
    // SAFETY: the value is an instruction (caller), and a call where a call is asked for; LLVMIsAFunction takes any
    // value and returns null if it is something else.
    unsafe {
        use llvm_sys::LLVMOpcode::{LLVMCall, LLVMCallBr, LLVMInvoke};
        if !matches!(LLVMGetInstructionOpcode(instruction), LLVMCall | LLVMInvoke | LLVMCallBr) {
            return None;
        }
        let callee = NonNull::new(LLVMIsAFunction(LLVMGetCalledValue(instruction)))?;
        let forced = LLVMGetCallSiteEnumAttribute(instruction, !0, attributes.always_inline);
        Some(Call { callee: IrFunction(callee), always_inline: !forced.is_null() })
    }
}
