//! Thin wrappers over LLVM's C API and the shim: modules and values with the few operations that the plugin needs; and
//! questions about them that know nothing of what the plugin decides ([`constants`], [`globals`], [`host_only`],
//! [`library_calls`]).
//!
//! # Safety
//! A [`IrModule`] stands for the module that the host's pass manager handed to this pass: it lives, and nothing else
//! touches it, until the pass returns. A [`Value`] is a value of that module (or its context) that was not erased;
//! [`Value::erase`] is the only operation that ends one. All unsafe blocks below rest on this, and on the kind of
//! value that each method's comment asks for.

pub mod constants;
mod globals;
pub mod host_only;
pub mod library_calls;
mod module;
mod value;

use std::ffi::c_char;

use llvm_sys::core::{LLVMGetFirstBasicBlock, LLVMGetNextBasicBlock};
use llvm_sys::prelude::{LLVMMetadataRef, LLVMModuleRef, LLVMValueRef};

pub use llvm_sys::LLVMLinkage as Linkage;
pub use llvm_sys::LLVMValueKind as Kind;
pub use llvm_sys::LLVMVisibility as IrVisibility;

/// The module that is being compiled.
#[derive(Clone, Copy, Debug)]
pub struct IrModule(LLVMModuleRef);

/// A value of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(LLVMValueRef);

/// Metadata that was attached to a global: kind and node.
pub type Attachments = Vec<(u32, LLVMMetadataRef)>;

type Step = unsafe extern "C" fn(LLVMValueRef) -> LLVMValueRef;

/// Walks one of LLVM's intrusive lists. The next element is fetched before one is handed out, so that this one may be
/// erased.
fn walk(first: LLVMValueRef, next: Step) -> impl Iterator<Item = Value> {
    let mut at = first;
    std::iter::from_fn(move || {
        let this = (!at.is_null()).then_some(Value(at))?;
        // SAFETY: `at` is an element of the list that `next` walks (see the file's header).
        at = unsafe { next(at) };
        Some(this)
    })
}

/// The blocks of a function.
fn walk_blocks(function: LLVMValueRef) -> impl Iterator<Item = llvm_sys::prelude::LLVMBasicBlockRef> {
    // SAFETY: the function is one of the module's (see the file's header).
    let mut block = unsafe { LLVMGetFirstBasicBlock(function) };
    std::iter::from_fn(move || {
        let this = (!block.is_null()).then_some(block)?;
        // SAFETY: `this` is a block of the function.
        block = unsafe { LLVMGetNextBasicBlock(this) };
        Some(this)
    })
}

/// A string of LLVM's. Names that are not UTF-8 cannot be written into containers: lossy, and found out by what looks
/// them up.
fn string(data: *const c_char, length: usize) -> String {
    if data.is_null() {
        return String::new();
    }
    // SAFETY: LLVM hands out `length` bytes at `data`, which live as long as their owner; they are copied here.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }).into_owned()
}
