//! What the plugin asks of a module and changes in it.
//!
//! # Safety
//! As in `ir.rs`.

use std::collections::HashSet;
use std::ffi::CStr;

use llvm_sys::LLVMLinkage;
use llvm_sys::core::*;
use llvm_sys::prelude::{LLVMModuleRef, LLVMValueRef};

use autojit_trampoline::lines::File;

use super::{IrModule, Value, string, walk};
use crate::ffi;
use crate::host::Host;

/// Adds what the shim visits to a vector, its context.
unsafe extern "C" fn push_value(found: *mut std::ffi::c_void, value: LLVMValueRef) {
    // SAFETY: `found` is the caller's vector, and outlives the walk.
    unsafe { (*found.cast::<Vec<Value>>()).push(Value(value)) }
}

/// Puts what the shim visits into its context, an optional file.
unsafe extern "C" fn put_file(
    found: *mut std::ffi::c_void,
    directory: *const u8,
    directory_len: usize,
    name: *const u8,
    name_len: usize,
) {
    let bytes = |data: *const u8, len: usize| match len {
        0 => Vec::new(),
        // SAFETY: the shim's strings, as long as this runs.
        _ => unsafe { std::slice::from_raw_parts(data, len) }.to_vec(),
    };
    let file = File { directory: bytes(directory, directory_len), name: bytes(name, name_len) };
    // SAFETY: `found` is the caller's option, and outlives the visit.
    unsafe { *found.cast::<Option<File>>() = Some(file) }
}

#[allow(clippy::undocumented_unsafe_blocks, reason = "one condition for all, in ir.rs")]
impl IrModule {
    /// Wraps the host's module.
    ///
    /// # Safety
    /// As the file's header says.
    pub unsafe fn new(module: LLVMModuleRef) -> Self {
        Self(module)
    }

    pub fn functions(self) -> impl Iterator<Item = Value> {
        walk(unsafe { LLVMGetFirstFunction(self.0) }, LLVMGetNextFunction)
    }

    pub fn variables(self) -> impl Iterator<Item = Value> {
        walk(unsafe { LLVMGetFirstGlobal(self.0) }, LLVMGetNextGlobal)
    }

    pub fn aliases(self) -> impl Iterator<Item = Value> {
        walk(unsafe { LLVMGetFirstGlobalAlias(self.0) }, LLVMGetNextGlobalAlias)
    }

    /// What optimisers of this release may call by an alias's name though `llvm.compiler.used` lists it.
    pub fn renamed_for_aliases(self) -> HashSet<Value> {
        // SAFETY: it takes nothing and answers with a constant.
        let renames = unsafe { ffi::autojit_shim_renames_aliased() };
        self.aliases().filter(|_| renames).map(Value::base).collect()
    }

    pub fn ifuncs(self) -> impl Iterator<Item = Value> {
        walk(unsafe { LLVMGetFirstGlobalIFunc(self.0) }, LLVMGetNextGlobalIFunc)
    }

    /// The bytes that a variable takes.
    pub fn size_of(self, variable: Value) -> u64 {
        unsafe {
            let layout = llvm_sys::target::LLVMGetModuleDataLayout(self.0);
            llvm_sys::target::LLVMABISizeOfType(layout, LLVMGlobalGetValueType(variable.0))
        }
    }

    pub fn source_name(self) -> String {
        let mut length = 0;
        string(unsafe { LLVMGetSourceFileName(self.0, &mut length) }, length)
    }

    pub fn triple(self) -> String {
        unsafe { CStr::from_ptr(LLVMGetTarget(self.0)) }.to_string_lossy().into_owned()
    }

    pub fn data_layout(self) -> String {
        unsafe { CStr::from_ptr(LLVMGetDataLayoutStr(self.0)) }.to_string_lossy().into_owned()
    }

    pub fn set_data_layout(self, layout: &str) {
        let layout = std::ffi::CString::new(layout).expect("data layouts have no NUL");
        unsafe { LLVMSetDataLayout(self.0, layout.as_ptr()) }
    }

    /// The data layout that the engine gives the module, if it is another one: that which LLVM 18 and later give what is older.
    pub fn newer_layout(self) -> Option<String> {
        let layout = self.data_layout();
        (!layout.contains("-i128:128")).then(|| layout.replacen("-i64:64", "-i64:64-i128:128", 1))
    }

    /// Inlines small functions of vectors that are always inlined; whether there were any.
    pub fn inline_vector_functions(self) -> bool {
        unsafe { ffi::autojit_shim_inline_vector_functions(self.0) }
    }

    /// Does what optimisers begin with: functions are simplified, and what is no larger than a call is inlined.
    pub fn inline_small_functions(self, host: &Host) {
        unsafe { ffi::autojit_shim_inline_small_functions(self.0, host.machine) }
    }

    /// Puts the sizes of objects in the place of questions for them, where no optimiser can say anything else, and marks
    /// questions for constants that one says no to.
    pub fn settle_questions(self) {
        unsafe { ffi::autojit_shim_settle_questions(self.0) }
    }

    /// Whether types lie in memory otherwise in the engine.
    pub fn lies_otherwise(self) -> bool {
        self.newer_layout().is_some_and(|layout| unsafe {
            ffi::autojit_shim_lies_otherwise(self.0, layout.as_ptr().cast(), layout.len())
        })
    }

    /// The value of an integer module flag.
    pub fn flag(self, name: &str) -> Option<u64> {
        unsafe {
            let metadata = LLVMGetModuleFlag(self.0, name.as_ptr().cast(), name.len());
            if metadata.is_null() {
                return None;
            }
            let value = LLVMMetadataAsValue(LLVMGetModuleContext(self.0), metadata);
            // A flag's value is a constant wrapped in metadata: it counts as a node with one operand.
            if LLVMGetMDNodeNumOperands(value) != 1 {
                return None;
            }
            let mut constant = std::ptr::null_mut();
            LLVMGetMDNodeOperands(value, &mut constant);
            (!LLVMIsAConstantInt(constant).is_null()).then(|| LLVMConstIntGetZExtValue(constant))
        }
    }

    pub fn inline_asm(self) -> String {
        let mut length = 0;
        string(unsafe { LLVMGetModuleInlineAsm(self.0, &mut length) }, length)
    }

    pub fn set_inline_asm(self, text: &str) {
        unsafe { LLVMSetModuleInlineAsm2(self.0, text.as_ptr().cast(), text.len()) }
    }

    pub fn bitcode(self) -> Vec<u8> {
        unsafe {
            let buffer = llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer(self.0);
            let bytes = std::slice::from_raw_parts(
                LLVMGetBufferStart(buffer).cast::<u8>(),
                LLVMGetBufferSize(buffer),
            );
            let bytes = bytes.to_vec();
            LLVMDisposeMemoryBuffer(buffer);
            bytes
        }
    }

    /// The functions that the module declares and the library of vector functions that the build asked for (-fveclib)
    /// has variants of. `machine` is the host's.
    pub fn vector_functions(self, machine: *mut std::ffi::c_void) -> Vec<Value> {
        let mut found = Vec::new();
        let context = std::ptr::from_mut(&mut found).cast();
        unsafe { ffi::autojit_shim_vector_functions(self.0, machine, context, push_value) };
        found
    }

    /// The declared globals to which the functions `leaving` do not refer any more when they are optimised as `host`
    /// wants; and those of the functions that refer to others or not, as the optimiser chooses.
    pub fn dead_references(self, leaving: &[Value], host: &Host) -> (Vec<Value>, Vec<Value>) {
        let leaving: Vec<_> = leaving.iter().map(|function| function.0).collect();
        let (mut dead, mut staying) = (Vec::new(), Vec::new());
        let contexts = [&mut dead, &mut staying].map(|found| std::ptr::from_mut(found).cast());
        let (data, count, opt) = (leaving.as_ptr(), leaving.len(), host.opt);
        unsafe {
            let (machine, visit) = (host.machine, push_value);
            ffi::autojit_shim_dead_references(
                self.0,
                data,
                count,
                machine,
                opt.speed,
                opt.size,
                contexts[0],
                contexts[1],
                visit,
            );
        }
        (dead, staying)
    }

    /// Makes the compilation fail with this message.
    pub fn error(self, text: &str) {
        unsafe { ffi::autojit_shim_error(self.0, text.as_ptr().cast(), text.len()) }
    }

    /// Keeps these globals and their names, although only assembler text refers to them.
    pub fn keep(self, values: &[Value]) {
        let mut values: Vec<_> = values.iter().map(|v| v.0).collect();
        unsafe { ffi::autojit_shim_compiler_used(self.0, values.as_mut_ptr(), values.len()) }
    }

    /// Puts what describes the whole module to debuggers into a function of its own, which the caller may write out
    /// with the module and must end with [`IrModule::drop_description`]. None if there is no debug information.
    pub fn take_description(self) -> Option<Value> {
        let taken = unsafe { ffi::autojit_shim_take_description(self.0) };
        (!taken.is_null()).then_some(Value(taken))
    }

    /// Ends the function of [`IrModule::take_description`]. Descriptions of variables return to them; the lists of the
    /// whole unit do not: generated for what stays, they would be many times the size of all the stubs.
    pub fn drop_description(self, taken: Value) {
        unsafe { ffi::autojit_shim_drop_description(taken.0) }
    }

    /// The language and the file of the first unit that describes lines.
    pub fn unit(self) -> Option<(u16, File)> {
        let mut file = None;
        let language = unsafe { ffi::autojit_shim_unit(self.0, (&raw mut file).cast(), put_file) };
        file.filter(|_| language != 0).map(|file| (language, file))
    }

    /// The file that a function is in, if its lines are described.
    pub fn file_of(self, function: Value) -> Option<File> {
        let mut file = None;
        unsafe { ffi::autojit_shim_file(function.0, (&raw mut file).cast(), put_file) };
        file.filter(|file: &File| !file.name.is_empty())
    }

    /// A new private constant with `bytes` in `section`.
    pub fn add_constant(self, name: &str, section: &str, bytes: &[u8], align: u32) -> Value {
        let name = std::ffi::CString::new(name).expect("symbols have no NUL");
        let section = std::ffi::CString::new(section).expect("section names have no NUL");
        unsafe {
            let data = ffi::autojit_shim_bytes(self.0, bytes.as_ptr(), bytes.len());
            let global = LLVMAddGlobal(self.0, LLVMTypeOf(data), name.as_ptr());
            LLVMSetInitializer(global, data);
            LLVMSetGlobalConstant(global, 1);
            LLVMSetLinkage(global, LLVMLinkage::LLVMPrivateLinkage);
            LLVMSetSection(global, section.as_ptr());
            LLVMSetAlignment(global, align);
            Value(global)
        }
    }

    /// A new function `name() -> ptr` without a body.
    pub fn add_getter(self, name: &str) -> Value {
        let name = std::ffi::CString::new(name).expect("symbols have no NUL");
        unsafe {
            let pointer = LLVMPointerTypeInContext(LLVMGetModuleContext(self.0), 0);
            let ty = LLVMFunctionType(pointer, std::ptr::null_mut(), 0, 0);
            Value(LLVMAddFunction(self.0, name.as_ptr(), ty))
        }
    }

    /// Gives `getter` the body `return llvm.threadlocal.address(variable)`.
    pub fn define_getter(self, getter: Value, variable: Value) {
        unsafe {
            let context = LLVMGetModuleContext(self.0);
            let name = c"llvm.threadlocal.address";
            let id = LLVMLookupIntrinsicID(name.as_ptr(), name.count_bytes());
            let mut pointer = LLVMTypeOf(variable.0);
            let intrinsic = LLVMGetIntrinsicDeclaration(self.0, id, &mut pointer, 1);
            let builder = LLVMCreateBuilderInContext(context);
            LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, getter.0, c"".as_ptr()));
            let mut argument = variable.0;
            let ty = LLVMGlobalGetValueType(intrinsic);
            LLVMBuildRet(builder, LLVMBuildCall2(builder, ty, intrinsic, &mut argument, 1, c"".as_ptr()));
            LLVMDisposeBuilder(builder);
            // The call has the attributes of any other function of the unit that matter here: none unwinds.
            LLVMSetLinkage(getter.0, LLVMLinkage::LLVMInternalLinkage);
        }
    }

    /// A new private constant that points to `target`.
    pub fn add_pointer(self, name: &str, target: Value) -> Value {
        let name = std::ffi::CString::new(name).expect("symbols have no NUL");
        unsafe {
            let global = LLVMAddGlobal(self.0, LLVMTypeOf(target.0), name.as_ptr());
            LLVMSetInitializer(global, target.0);
            LLVMSetGlobalConstant(global, 1);
            LLVMSetLinkage(global, LLVMLinkage::LLVMPrivateLinkage);
            Value(global)
        }
    }

    /// A weak declaration with the name and type of `alias`, which takes its place and ends it.
    pub fn replace_by_weak_declaration(self, alias: Value) -> Value {
        unsafe {
            let ty = LLVMGlobalGetValueType(alias.0);
            let new = if LLVMGetTypeKind(ty) == llvm_sys::LLVMTypeKind::LLVMFunctionTypeKind {
                LLVMAddFunction(self.0, c"".as_ptr(), ty)
            } else {
                LLVMAddGlobal(self.0, ty, c"".as_ptr())
            };
            let name = alias.name();
            LLVMReplaceAllUsesWith(alias.0, new);
            ffi::autojit_shim_erase(alias.0);
            Value(new).set_name(&name);
            LLVMSetLinkage(new, LLVMLinkage::LLVMExternalWeakLinkage);
            Value(new)
        }
    }
}
