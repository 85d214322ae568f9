//! The functions of `shim.cpp`. [`crate::ir`] wraps them.

use std::ffi::{c_char, c_void};

use llvm_sys::prelude::{LLVMMetadataRef, LLVMModuleRef, LLVMValueRef};

/// What a module is compiled for: `Build` of shim.cpp.
#[repr(C)]
#[derive(Debug)]
pub struct Build {
    /// 0 to 3, as in -O0 to -O3.
    pub speed: u8,
    /// 0, 1 for -Os, 2 for -Oz.
    pub size: u8,
    /// Why the module must be left alone, or null.
    pub why: *const c_char,
    /// Further options for the engine, as words.
    pub options: *const c_char,
    /// The host's `TargetMachine`, or null.
    pub machine: *mut c_void,
}

/// What is known of a function's labels: `Labels` of shim.cpp.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// Whether anything refers to one.
    pub used: bool,
    /// Whether the function refers to one that is nowhere.
    pub missing: bool,
}

/// Takes the bodies out of a module; true if it changed the module.
pub type Callback = unsafe extern "C" fn(LLVMModuleRef, *const Build) -> bool;
/// Sees the directory and the name of a file.
pub type VisitFile = unsafe extern "C" fn(*mut c_void, *const u8, usize, *const u8, usize);
/// Sees an instruction or a function.
pub type VisitInstruction = unsafe extern "C" fn(*mut c_void, LLVMValueRef);

unsafe extern "C" {
    pub fn autojit_shim_register(pass_builder: *mut c_void, take: Callback);
    pub fn autojit_shim_error(module: LLVMModuleRef, text: *const c_char, length: usize);
    pub fn autojit_shim_is_dso_local(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_set_dso_local(value: LLVMValueRef, local: bool);
    pub fn autojit_shim_is_definitive(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_comdat(value: LLVMValueRef, length: *mut usize) -> *const c_char;
    pub fn autojit_shim_delete_body(function: LLVMValueRef, leak: bool);
    pub fn autojit_shim_declare_as_defined(function: LLVMValueRef, local: bool);
    pub fn autojit_shim_erase(value: LLVMValueRef);
    pub fn autojit_shim_is_used(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_quad_predicate(instruction: LLVMValueRef) -> u32;
    pub fn autojit_shim_intrinsic(call: LLVMValueRef, length: *mut usize) -> *const c_char;
    pub fn autojit_shim_notable(
        function: LLVMValueRef,
        context: *mut c_void,
        visit: VisitInstruction,
    ) -> Labels;
    pub fn autojit_shim_assembles(
        calls: *const LLVMValueRef,
        count: usize,
        machine: *mut c_void,
        taken: *mut bool,
    );
    pub fn autojit_shim_vector_functions(
        module: LLVMModuleRef,
        machine: *mut c_void,
        context: *mut c_void,
        visit: VisitInstruction,
    );
    pub fn autojit_shim_comes_with_inlining(instruction: LLVMValueRef) -> bool;
    pub fn autojit_shim_dead_references(
        module: LLVMModuleRef,
        leaving: *const LLVMValueRef,
        count: usize,
        machine: *mut c_void,
        speed: u8,
        size: u8,
        dead: *mut c_void,
        staying: *mut c_void,
        visit: VisitInstruction,
    );
    pub fn autojit_shim_inline_vector_functions(module: LLVMModuleRef) -> bool;
    pub fn autojit_shim_inline_small_functions(module: LLVMModuleRef, machine: *mut c_void);
    pub fn autojit_shim_settle_questions(module: LLVMModuleRef);
    pub fn autojit_shim_lies_otherwise(module: LLVMModuleRef, layout: *const c_char, length: usize) -> bool;
    pub fn autojit_shim_unit(module: LLVMModuleRef, context: *mut c_void, visit: VisitFile) -> u16;
    pub fn autojit_shim_file(function: LLVMValueRef, context: *mut c_void, visit: VisitFile);
    pub fn autojit_shim_size(function: LLVMValueRef) -> usize;
    pub fn autojit_shim_takes_address(user: LLVMValueRef, value: LLVMValueRef) -> bool;
    pub fn autojit_shim_use_getter(user: LLVMValueRef, variable: LLVMValueRef, getter: LLVMValueRef);
    pub fn autojit_shim_has_surroundings(function: LLVMValueRef) -> bool;
    pub fn autojit_shim_labelled_function(label: LLVMValueRef) -> LLVMValueRef;
    pub fn autojit_shim_assembly(
        assembly: LLVMValueRef,
        text: *mut *const c_char,
        text_length: *mut usize,
        constraints: *mut *const c_char,
        constraints_length: *mut usize,
    ) -> bool;
    pub fn autojit_shim_bytes(module: LLVMModuleRef, bytes: *const u8, length: usize) -> LLVMValueRef;
    pub fn autojit_shim_attach(global: LLVMValueRef, kind: u32, node: LLVMMetadataRef);
    pub fn autojit_shim_compiler_used(module: LLVMModuleRef, values: *mut LLVMValueRef, count: usize);
    pub fn autojit_shim_renames_aliased() -> bool;
    pub fn autojit_shim_take_description(module: LLVMModuleRef) -> LLVMValueRef;
    pub fn autojit_shim_drop_description(taken: LLVMValueRef);
}
