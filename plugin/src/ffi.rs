//! The functions of `shim.cpp`. [`crate::ir`] wraps them.

use std::ffi::{c_char, c_void};

use llvm_sys::prelude::{LLVMModuleRef, LLVMValueRef};

/// Takes the bodies out of a module, for a build at an optimisation level; true if it changed the module. The last is
/// the name of a pass that will instrument the module, or null.
pub type Callback = unsafe extern "C" fn(LLVMModuleRef, speed: u8, size: u8, *const c_char) -> bool;
/// Sees an instruction.
pub type VisitInstruction = unsafe extern "C" fn(*mut c_void, LLVMValueRef);

unsafe extern "C" {
    pub fn autojit_shim_register(pass_builder: *mut c_void, take: Callback);
    pub fn autojit_shim_error(module: LLVMModuleRef, text: *const c_char, length: usize);
    pub fn autojit_shim_is_dso_local(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_set_dso_local(value: LLVMValueRef, local: bool);
    pub fn autojit_shim_is_definitive(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_comdat(value: LLVMValueRef, length: *mut usize) -> *const c_char;
    pub fn autojit_shim_delete_body(function: LLVMValueRef, leak: bool);
    pub fn autojit_shim_erase(value: LLVMValueRef);
    pub fn autojit_shim_is_used(value: LLVMValueRef) -> bool;
    pub fn autojit_shim_intrinsic(call: LLVMValueRef, length: *mut usize) -> *const c_char;
    pub fn autojit_shim_notable(
        function: LLVMValueRef,
        context: *mut c_void,
        visit: VisitInstruction,
    ) -> bool;
    pub fn autojit_shim_takes_address(user: LLVMValueRef, value: LLVMValueRef) -> bool;
    pub fn autojit_shim_use_getter(user: LLVMValueRef, variable: LLVMValueRef, getter: LLVMValueRef);
    pub fn autojit_shim_compiler_used(module: LLVMModuleRef, values: *mut LLVMValueRef, count: usize);
    pub fn autojit_shim_take_description(module: LLVMModuleRef) -> LLVMValueRef;
    pub fn autojit_shim_drop_description(taken: LLVMValueRef);
}
