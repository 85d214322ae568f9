//! A reader of LLVM 22 bitcode in safe Rust, without LLVM.
//!
//! It is made for a code generator that compiles one function at a time, inside other programs: a module is opened
//! in one walk over its own blocks, function bodies are skipped until one is asked for, and a body is read in one walk
//! into flat arrays that are used again for the next. Nothing is trusted: every number is checked, what is unknown or
//! damaged is an [`Error`] with a [`Reason`], and time and memory are linear in the bytes that are read.
//!
//! # Calls that a consumer makes
//!
//! ```no_run
//! # fn main() -> Result<(), autojit_bitcode::Error> {
//! # let bytes: &[u8] = &[];
//! use autojit_bitcode::{BitcodeModule, FunctionBody, Opcode};
//! let module = BitcodeModule::parse(bytes)?; // types, attributes, globals, constants; an index of the bodies
//! let mut body = FunctionBody::default(); // to be used again and again
//! for (index, global) in module.globals().iter().enumerate() {
//!     if !module.has_body(index as u32) {
//!         continue;
//!     }
//!     module.read_function(index as u32, &mut body)?;
//!     for block in 0..body.blocks.len() {
//!         for (inst, instruction) in body.block(autojit_bitcode::Block(block as u32)) {
//!             match instruction.opcode {
//!                 Opcode::Load => { let [_address] = *body.operands(instruction) else { continue }; }
//!                 Opcode::Call => { let _call = body.call(instruction); }
//!                 _ => {}
//!             }
//!             let _line = body.location(inst);
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Numbers of values
//!
//! A [`Value`] is LLVM's own number. A function sees, in this order:
//!
//! 1. the module's globals, in the order of [`BitcodeModule::globals`] (variables, functions, aliases, indirect functions);
//! 2. the module's constants;
//! 3. the function's arguments;
//! 4. the function's own constants;
//! 5. results of instructions, in the order of the instructions; one without a result (`void`) has no number.
//!
//! [`FunctionBody::definition`] tells which of these a value is. Relative numbers and forward references are resolved:
//! an operand may be the result of a later instruction (of `phi`, or in blocks that are not in the order of control).
//! Blocks have numbers of their own, and so have instructions. Types are interned: equal numbers are equal types.
//!
//! # Parts
//!
//! The whole of the bitcode is not needed to read a body of it. [`cut`] says where its parts are; [`BitcodeModule::open`] takes
//! those that all bodies need, [`BitcodeModule::read_block`] the block of a body. [`split`] makes bodies without what is said for
//! debuggers, which are half as long, and [`join`] puts it back.
//!
//! # Metadata
//!
//! Bodies carry lines, columns and the numbers of their scopes. Names of scopes and files, and where a scope was
//! inlined, need the module's metadata, which is not read until [`Metadata`] is made.
//!
//! # Digests
//!
//! A [`Digester`] tells whether an optimiser sees the same of two functions, wherever their modules' numbers moved to.

#![forbid(unsafe_code)]

mod abbreviations;
mod apart;
mod attribute_kind;
mod attribute_reader;
mod attributes;
mod bit_writer;
mod bits;
mod body;
mod casts;
mod constant_reader;
mod constants;
mod cut;
mod digest;
mod error;
mod function;
mod global_reader;
mod globals;
mod ids;
mod metadata;
mod module;
mod module_reader;
mod notes;
mod opcode;
mod stream;
mod type_reader;
mod types;

pub use apart::{Split, join, split};
pub use attributes::{Attribute, AttributeKind, AttributeList, AttributeSet};
pub use body::{
    BlockInfo, Bundle, Call, DebugLocation, DebugRecord, Definition, FunctionBody, Instruction, Predecessors,
};
pub use constants::{Constant, DEPTH, Data, InlineAsm};
pub use cut::{Cut, cut};
pub use digest::{Class, Digester, Lines, Place};
pub use error::{Error, Reason, Result};
pub use globals::{Global, GlobalKind, Linkage, Seldom, ThreadLocal, UnnamedAddr, Visibility};
pub use ids::{Align, AttributeListId, Block, Inst, TypeId, Value};
pub use metadata::{File, Metadata, Scope, ScopeKind};
pub use module::{BitcodeModule, Parts};
pub use opcode::{Flags, Opcode, Ordering, Predicate, RmwOp, TailKind};
pub use types::{Layout, Type, TypeTable};
