//! What the plugin asks of a value and changes in it.
//!
//! # Safety
//! As in `ir.rs`, and of the kind of value that each method's comment asks for.

use std::ffi::CStr;

use llvm_sys::comdat::{LLVMGetComdat, LLVMSetComdat};
use llvm_sys::core::*;
use llvm_sys::debuginfo::LLVMInstructionGetDebugLoc;
use llvm_sys::prelude::{LLVMUseRef, LLVMValueRef};
use llvm_sys::{LLVMLinkage, LLVMUnnamedAddr, LLVMValueKind, LLVMVisibility};

use super::{Attachments, Kind, Value, string, walk, walk_blocks};
use crate::ffi;

#[allow(clippy::undocumented_unsafe_blocks, reason = "one condition for all, in ir.rs")]
impl Value {
    /// What it is. Constants that the C API has no kind for (`dso_local_equivalent`, `no_cfi`), and calls instructions, count
    /// as one that nothing here looks into: they use what they name.
    pub fn kind(self) -> LLVMValueKind {
        match unsafe { LLVMGetValueKind(self.0) } {
            LLVMValueKind::LLVMInstructionValueKind if unsafe { LLVMIsAInstruction(self.0) }.is_null() => {
                LLVMValueKind::LLVMConstantTargetNoneValueKind
            }
            kind => kind,
        }
    }

    /// The name without the prefix that means "do not mangle", which ELF on x86-64 has no need of.
    pub fn name(self) -> String {
        let name = self.full_name();
        name.strip_prefix('\u{1}').map(str::to_owned).unwrap_or(name)
    }

    /// The name as LLVM has it.
    pub fn full_name(self) -> String {
        let mut length = 0;
        string(unsafe { LLVMGetValueName2(self.0, &mut length) }, length)
    }

    pub fn has_name(self) -> bool {
        let mut length = 0;
        unsafe { LLVMGetValueName2(self.0, &mut length) };
        length != 0
    }

    pub fn set_name(self, name: &str) {
        unsafe { LLVMSetValueName2(self.0, name.as_ptr().cast(), name.len()) }
    }

    pub fn is_declaration(self) -> bool {
        unsafe { LLVMIsDeclaration(self.0) != 0 }
    }

    pub fn linkage(self) -> LLVMLinkage {
        unsafe { LLVMGetLinkage(self.0) }
    }

    pub fn set_linkage(self, linkage: LLVMLinkage) {
        unsafe { LLVMSetLinkage(self.0, linkage) }
    }

    /// Whether the linkage is internal or private.
    pub fn is_local(self) -> bool {
        matches!(self.linkage(), LLVMLinkage::LLVMInternalLinkage | LLVMLinkage::LLVMPrivateLinkage)
    }

    pub fn visibility(self) -> LLVMVisibility {
        unsafe { LLVMGetVisibility(self.0) }
    }

    pub fn set_visibility(self, visibility: LLVMVisibility) {
        unsafe { LLVMSetVisibility(self.0, visibility) }
    }

    pub fn is_dso_local(self) -> bool {
        unsafe { ffi::autojit_shim_is_dso_local(self.0) }
    }

    pub fn set_dso_local(self, local: bool) {
        unsafe { ffi::autojit_shim_set_dso_local(self.0, local) }
    }

    pub fn comdat_name(self) -> Option<String> {
        let mut length = 0;
        let name = unsafe { ffi::autojit_shim_comdat(self.0, &mut length) };
        (!name.is_null()).then(|| string(name, length))
    }

    /// The comdat, null if there is none.
    pub fn comdat(self) -> llvm_sys::prelude::LLVMComdatRef {
        unsafe { LLVMGetComdat(self.0) }
    }

    pub fn set_comdat(self, comdat: llvm_sys::prelude::LLVMComdatRef) {
        unsafe { LLVMSetComdat(self.0, comdat) }
    }

    pub fn section(self) -> Option<String> {
        let section = unsafe { LLVMGetSection(self.0) };
        let section = (!section.is_null()).then(|| unsafe { CStr::from_ptr(section) })?;
        Some(section.to_string_lossy().into_owned()).filter(|s| !s.is_empty())
    }

    /// Whether no address, in any module, has to be the same for this global.
    pub fn is_unnamed_address(self) -> bool {
        unsafe { LLVMGetUnnamedAddress(self.0) == LLVMUnnamedAddr::LLVMGlobalUnnamedAddr }
    }

    pub fn is_thread_local(self) -> bool {
        unsafe { LLVMIsThreadLocal(self.0) != 0 }
    }

    pub fn is_constant(self) -> bool {
        unsafe { LLVMIsGlobalConstant(self.0) != 0 }
    }

    pub fn set_constant(self, constant: bool) {
        unsafe { LLVMSetGlobalConstant(self.0, constant.into()) }
    }

    pub fn initializer(self) -> Option<Value> {
        let value = unsafe { LLVMGetInitializer(self.0) };
        (!value.is_null()).then_some(Value(value))
    }

    /// Whether a variable has an initialiser that no other definition can take the place of.
    pub fn has_definitive_initializer(self) -> bool {
        unsafe { ffi::autojit_shim_is_definitive(self.0) }
    }

    pub fn set_initializer(self, value: Option<Value>) {
        unsafe { LLVMSetInitializer(self.0, value.map_or(std::ptr::null_mut(), |v| v.0)) }
    }

    /// Whether something unknown gives a variable its value before the program starts.
    pub fn is_initialized_elsewhere(self) -> bool {
        unsafe { LLVMIsExternallyInitialized(self.0) != 0 }
    }

    pub fn set_initialized_elsewhere(self, elsewhere: bool) {
        unsafe { LLVMSetExternallyInitialized(self.0, elsewhere.into()) }
    }

    /// The poison value of a value's type.
    pub fn poison(self) -> Value {
        Value(unsafe { LLVMGetPoison(LLVMTypeOf(self.0)) })
    }

    /// Makes a declaration one of a function that the module has defined: optimisers infer nothing from its name. `local`:
    /// nor is it taken for a function of the C library.
    pub fn declare_as_defined(self, local: bool) {
        unsafe { ffi::autojit_shim_declare_as_defined(self.0, local) }
    }

    /// Takes the metadata attachments off.
    pub fn take_attachments(self) -> Attachments {
        unsafe {
            let mut count = 0;
            let entries = LLVMGlobalCopyAllMetadata(self.0, &mut count);
            let all = (0..count as u32)
                .map(|i| {
                    (
                        LLVMValueMetadataEntriesGetKind(entries, i),
                        LLVMValueMetadataEntriesGetMetadata(entries, i),
                    )
                })
                .collect();
            LLVMDisposeValueMetadataEntries(entries);
            LLVMGlobalClearMetadata(self.0);
            all
        }
    }

    pub fn add_attachments(self, attachments: &Attachments) {
        for (kind, node) in attachments {
            unsafe { ffi::autojit_shim_attach(self.0, *kind, *node) }
        }
    }

    /// Whether a function has the enum attribute `name`.
    pub fn has_attribute(self, name: &str) -> bool {
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            !LLVMGetEnumAttributeAtIndex(self.0, llvm_sys::LLVMAttributeFunctionIndex, kind).is_null()
        }
    }

    /// Gives a function the enum attribute `name`, or takes it away.
    pub fn set_attribute(self, name: &str, wanted: bool) {
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let index = llvm_sys::LLVMAttributeFunctionIndex;
            if wanted {
                let context = LLVMGetModuleContext(LLVMGetGlobalParent(self.0));
                LLVMAddAttributeAtIndex(self.0, index, LLVMCreateEnumAttribute(context, kind, 0));
            } else {
                LLVMRemoveEnumAttributeAtIndex(self.0, index, kind);
            }
        }
    }

    /// Makes each call of a function come from its own code.
    pub fn disable_tail_calls(self) {
        let (name, value) = ("disable-tail-calls", "true");
        unsafe {
            let context = LLVMGetModuleContext(LLVMGetGlobalParent(self.0));
            let (name, length) = (name.as_ptr().cast(), name.len() as u32);
            let attribute =
                LLVMCreateStringAttribute(context, name, length, value.as_ptr().cast(), value.len() as u32);
            LLVMAddAttributeAtIndex(self.0, llvm_sys::LLVMAttributeFunctionIndex, attribute);
        }
    }

    /// Whether a function has the string attribute `name`.
    pub fn has_string_attribute(self, name: &str) -> bool {
        unsafe {
            let index = llvm_sys::LLVMAttributeFunctionIndex;
            !LLVMGetStringAttributeAtIndex(self.0, index, name.as_ptr().cast(), name.len() as u32).is_null()
        }
    }

    /// Whether a function has prefix or prologue data, or a garbage collector.
    pub fn has_surroundings(self) -> bool {
        unsafe { ffi::autojit_shim_has_surroundings(self.0) }
    }

    /// Whether a function has a metadata attachment of the kind `name`.
    pub fn has_attachment(self, name: &str) -> bool {
        unsafe {
            let context = LLVMGetModuleContext(LLVMGetGlobalParent(self.0));
            let kind = LLVMGetMDKindIDInContext(context, name.as_ptr().cast(), name.len() as u32);
            let mut count = 0;
            let entries = LLVMGlobalCopyAllMetadata(self.0, &mut count);
            let found = (0..count as u32).any(|i| LLVMValueMetadataEntriesGetKind(entries, i) == kind);
            LLVMDisposeValueMetadataEntries(entries);
            found
        }
    }

    /// Whether the code generator gives a function another symbol than its name.
    pub fn has_mangled_symbol(self) -> bool {
        unsafe { LLVMGetFunctionCallConv(self.0) == llvm_sys::LLVMCallConv::LLVMX86VectorCallCallConv as u32 }
    }

    pub fn is_intrinsic(self) -> bool {
        unsafe { LLVMGetIntrinsicID(self.0) != 0 }
    }

    /// The users of a value, each as often as it uses it.
    pub fn users(self) -> impl Iterator<Item = Value> {
        let mut at: LLVMUseRef = unsafe { LLVMGetFirstUse(self.0) };
        std::iter::from_fn(move || {
            if at.is_null() {
                return None;
            }
            let user = Value(unsafe { LLVMGetUser(at) });
            at = unsafe { LLVMGetNextUse(at) };
            Some(user)
        })
    }

    /// Whether a constant has users.
    pub fn is_used(self) -> bool {
        self.users().next().is_some()
    }

    /// Whether anything but constants without users uses a global. Ends such constants.
    pub fn is_global_used(self) -> bool {
        unsafe { ffi::autojit_shim_is_used(self.0) }
    }

    /// The function that an instruction belongs to.
    pub fn function(self) -> Value {
        Value(unsafe { LLVMGetBasicBlockParent(LLVMGetInstructionParent(self.0)) })
    }

    /// Whether an instruction uses the address of `value` for anything but calling it.
    pub fn takes_address(self, value: Value) -> bool {
        unsafe { ffi::autojit_shim_takes_address(self.0, value.0) }
    }

    /// The intrinsic's name, if the instruction calls one.
    pub fn called_intrinsic(self) -> Option<String> {
        let mut length = 0;
        let name = unsafe { ffi::autojit_shim_intrinsic(self.0, &mut length) };
        (!name.is_null()).then(|| string(name, length))
    }

    /// How an instruction, or the intrinsic that it calls, compares numbers of quadruple precision; 0 if it does not. The bits say
    /// when that is true: 1 equal, 2 greater, 4 less, 8 unordered (LLVM's `CmpInst::Predicate`).
    pub fn quad_predicate(self) -> u32 {
        unsafe { ffi::autojit_shim_quad_predicate(self.0) }
    }

    /// Whether this is a thread-local variable, not just any value.
    pub fn is_thread_local_variable(self) -> bool {
        self.kind() == Kind::LLVMGlobalVariableValueKind && self.is_thread_local()
    }

    /// The operands of a constant or an instruction.
    pub fn operands(self) -> impl Iterator<Item = Value> {
        (0..unsafe { LLVMGetNumOperands(self.0) } as u32).map(move |i| self.operand(i))
    }

    /// An operand of a user.
    pub fn operand(self, index: u32) -> Value {
        Value(unsafe { LLVMGetOperand(self.0, index) })
    }

    /// The block addresses of a function's labels. They use the blocks, not the function.
    pub fn labels(self) -> impl Iterator<Item = Value> {
        let blocks = walk_blocks(self.0);
        let users = blocks.flat_map(|block| Value(unsafe { LLVMBasicBlockAsValue(block) }).users());
        users.filter(|user| user.kind() == Kind::LLVMBlockAddressValueKind)
    }

    /// The function that a block address is of.
    pub fn labelled_function(self) -> Value {
        Value(unsafe { ffi::autojit_shim_labelled_function(self.0) })
    }

    /// The instructions of a function.
    pub fn instructions(self) -> impl Iterator<Item = Value> {
        let blocks = walk_blocks(self.0);
        blocks.flat_map(|block| walk(unsafe { LLVMGetFirstInstruction(block) }, LLVMGetNextInstruction))
    }

    /// The instructions of a function that run inline assembly, or that the code generator may call a library function
    /// for; and what is known of its labels.
    pub fn notable_instructions(self) -> (Vec<Value>, ffi::Labels) {
        unsafe extern "C" fn push(found: *mut std::ffi::c_void, instruction: LLVMValueRef) {
            // SAFETY: `found` is the vector below, which outlives the walk.
            unsafe { (*found.cast::<Vec<Value>>()).push(Value(instruction)) }
        }
        let mut found = Vec::new();
        let labels =
            unsafe { ffi::autojit_shim_notable(self.0, std::ptr::from_mut(&mut found).cast(), push) };
        (found, labels)
    }

    /// The number of instructions of a function.
    pub fn size(self) -> usize {
        unsafe { ffi::autojit_shim_size(self.0) }
    }

    /// Whether an instruction of a body that is here to be inlined is there where that is done, and that may well be.
    pub fn comes_with_inlining(self) -> bool {
        unsafe { ffi::autojit_shim_comes_with_inlining(self.0) }
    }

    /// Which of these calls of inline assembly the code generator of `machine`, the host's, takes.
    pub fn assemble(calls: &[Value], machine: *mut std::ffi::c_void) -> Vec<bool> {
        let mut taken = vec![false; calls.len()];
        let calls: Vec<_> = calls.iter().map(|call| call.0).collect();
        unsafe {
            ffi::autojit_shim_assembles(calls.as_ptr(), calls.len(), machine, taken.as_mut_ptr());
        }
        taken
    }

    pub fn opcode(self) -> llvm_sys::LLVMOpcode {
        unsafe { LLVMGetInstructionOpcode(self.0) }
    }

    /// What an `atomicrmw` instruction does.
    pub fn atomic_operation(self) -> llvm_sys::LLVMAtomicRMWBinOp {
        unsafe { LLVMGetAtomicRMWBinOp(self.0) }
    }

    /// The opcode of an instruction or a constant expression.
    pub fn operation(self) -> Option<llvm_sys::LLVMOpcode> {
        match self.kind() {
            Kind::LLVMInstructionValueKind => Some(self.opcode()),
            Kind::LLVMConstantExprValueKind => Some(unsafe { LLVMGetConstOpcode(self.0) }),
            _ => None,
        }
    }

    /// What a call instruction calls.
    pub fn callee(self) -> Option<Value> {
        use llvm_sys::LLVMOpcode::{LLVMCall, LLVMCallBr, LLVMInvoke};
        let calls = matches!(self.opcode(), LLVMCall | LLVMCallBr | LLVMInvoke);
        calls.then(|| Value(unsafe { LLVMGetCalledValue(self.0) }))
    }

    /// The text and the constraints of inline assembly, and whether it is in Intel's syntax. For a value of that kind.
    pub fn assembly(self) -> (String, String, bool) {
        unsafe {
            let (mut text, mut length) = (std::ptr::null(), 0);
            let (mut operands, mut operands_length) = (std::ptr::null(), 0);
            let intel = ffi::autojit_shim_assembly(
                self.0,
                &mut text,
                &mut length,
                &mut operands,
                &mut operands_length,
            );
            (string(text, length), string(operands, operands_length), intel)
        }
    }

    /// The kind of a value's type; of the elements' type for a vector.
    pub fn scalar_kind(self) -> llvm_sys::LLVMTypeKind {
        use llvm_sys::LLVMTypeKind::{LLVMScalableVectorTypeKind, LLVMVectorTypeKind};
        unsafe {
            let ty = LLVMTypeOf(self.0);
            match LLVMGetTypeKind(ty) {
                LLVMVectorTypeKind | LLVMScalableVectorTypeKind => LLVMGetTypeKind(LLVMGetElementType(ty)),
                kind => kind,
            }
        }
    }

    /// The width of an integer, or of a vector's integers; 0 for other types.
    pub fn integer_width(self) -> u32 {
        use llvm_sys::LLVMTypeKind::{LLVMIntegerTypeKind, LLVMScalableVectorTypeKind, LLVMVectorTypeKind};
        unsafe {
            let mut ty = LLVMTypeOf(self.0);
            if matches!(LLVMGetTypeKind(ty), LLVMVectorTypeKind | LLVMScalableVectorTypeKind) {
                ty = LLVMGetElementType(ty);
            }
            if LLVMGetTypeKind(ty) == LLVMIntegerTypeKind { LLVMGetIntTypeWidth(ty) } else { 0 }
        }
    }

    /// The value of a function's string attribute.
    pub fn string_attribute(self, name: &str) -> Option<String> {
        unsafe {
            let index = llvm_sys::LLVMAttributeFunctionIndex;
            let attribute =
                LLVMGetStringAttributeAtIndex(self.0, index, name.as_ptr().cast(), name.len() as u32);
            let mut length = 0;
            (!attribute.is_null())
                .then(|| string(LLVMGetStringAttributeValue(attribute, &mut length), length as usize))
        }
    }

    /// Puts a call of `getter` in the place of an instruction with a pointer result.
    pub fn replace_by_call(self, getter: Value) {
        unsafe {
            let ty = LLVMGlobalGetValueType(getter.0);
            let builder = LLVMCreateBuilderInContext(LLVMGetModuleContext(LLVMGetGlobalParent(getter.0)));
            LLVMPositionBuilderBefore(builder, self.0);
            LLVMSetCurrentDebugLocation2(builder, LLVMInstructionGetDebugLoc(self.0));
            let call = LLVMBuildCall2(builder, ty, getter.0, std::ptr::null_mut(), 0, c"".as_ptr());
            LLVMDisposeBuilder(builder);
            LLVMReplaceAllUsesWith(self.0, call);
            LLVMInstructionEraseFromParent(self.0);
        }
    }

    /// Puts what `getter` returns in the place of a thread-local variable in an instruction's operands.
    pub fn use_getter(self, variable: Value, getter: Value) {
        unsafe { ffi::autojit_shim_use_getter(self.0, variable.0, getter.0) }
    }

    /// The resolver of an ifunc, or what an alias stands for.
    pub fn target(self) -> Value {
        Value(match self.kind() {
            Kind::LLVMGlobalIFuncValueKind => unsafe { LLVMGetGlobalIFuncResolver(self.0) },
            _ => unsafe { LLVMAliasGetAliasee(self.0) },
        })
    }

    /// What an alias, of an alias perhaps, stands for in the end; anything else is that itself.
    pub fn base(self) -> Value {
        let mut at = self;
        while at.kind() == Kind::LLVMGlobalAliasValueKind {
            at = at.target();
        }
        at
    }

    /// Whether an alias stands for a function.
    pub fn is_of_function_type(self) -> bool {
        unsafe {
            LLVMGetTypeKind(LLVMGlobalGetValueType(self.0)) == llvm_sys::LLVMTypeKind::LLVMFunctionTypeKind
        }
    }

    /// The alignment that a function or variable must have; 0 if it may have any.
    pub fn alignment(self) -> u32 {
        unsafe { LLVMGetAlignment(self.0) }
    }

    /// Puts `other` in the place of an alias, and ends the alias.
    pub fn replace_and_erase(self, other: Value) {
        unsafe {
            LLVMReplaceAllUsesWith(self.0, other.0);
            ffi::autojit_shim_erase(self.0);
        }
    }

    /// Ends a function's body; with `leak`, its memory is left to the end of the process.
    pub fn delete_body(self, leak: bool) {
        unsafe { ffi::autojit_shim_delete_body(self.0, leak) }
    }

    /// Takes a global, which nothing uses any more, out of the module.
    pub fn erase(self) {
        unsafe { ffi::autojit_shim_erase(self.0) }
    }
}
