//! Types: structure, name, size, alignment and offsets.

use autojit_bitcode::{Type, TypeId};
use llvm_sys::LLVMTypeKind as Kind;
use llvm_sys::core::*;
use llvm_sys::prelude::*;
use llvm_sys::target::*;

use crate::compare::{Comparison, Same, same};

impl Comparison<'_> {
    pub unsafe fn same_type(&mut self, ours: TypeId, theirs: LLVMTypeRef) -> Same {
        // Types are interned on both sides.
        if let Some(&known) = self.types.get(&theirs) {
            same!(ours, known, "type");
            return Ok(());
        }
        self.types.insert(theirs, ours);
        let table = self.module.types();
        let kind = LLVMGetTypeKind(theirs);
        match (table.get(ours), kind) {
            (Type::Void, Kind::LLVMVoidTypeKind)
            | (Type::Half, Kind::LLVMHalfTypeKind)
            | (Type::BFloat, Kind::LLVMBFloatTypeKind)
            | (Type::Float, Kind::LLVMFloatTypeKind)
            | (Type::Double, Kind::LLVMDoubleTypeKind)
            | (Type::X86Fp80, Kind::LLVMX86_FP80TypeKind)
            | (Type::Fp128, Kind::LLVMFP128TypeKind)
            | (Type::PpcFp128, Kind::LLVMPPC_FP128TypeKind)
            | (Type::Label, Kind::LLVMLabelTypeKind)
            | (Type::Metadata, Kind::LLVMMetadataTypeKind)
            | (Type::Token, Kind::LLVMTokenTypeKind)
            | (Type::X86Amx, Kind::LLVMX86_AMXTypeKind)
            | (Type::TargetExt, Kind::LLVMTargetExtTypeKind) => {}
            (Type::Int(width), Kind::LLVMIntegerTypeKind) => {
                same!(width, LLVMGetIntTypeWidth(theirs), "width")
            }
            (Type::Pointer(space), Kind::LLVMPointerTypeKind) => {
                same!(space, LLVMGetPointerAddressSpace(theirs), "address space");
            }
            (
                Type::Vector { element, count, scalable },
                Kind::LLVMVectorTypeKind | Kind::LLVMScalableVectorTypeKind,
            ) => {
                same!(scalable, kind == Kind::LLVMScalableVectorTypeKind, "scalable");
                same!(count, LLVMGetVectorSize(theirs), "elements");
                self.same_type(element, LLVMGetElementType(theirs))?;
            }
            (Type::Array { element, count }, Kind::LLVMArrayTypeKind) => {
                same!(count, LLVMGetArrayLength2(theirs), "elements");
                self.same_type(element, LLVMGetElementType(theirs))?;
            }
            (Type::Opaque, Kind::LLVMStructTypeKind) => {
                same!(true, LLVMIsOpaqueStruct(theirs) != 0, "opaque")
            }
            (Type::Struct { fields, packed }, Kind::LLVMStructTypeKind) => {
                same!(packed, LLVMIsPackedStruct(theirs) != 0, "packed");
                same!(fields.len() as u32, LLVMCountStructElementTypes(theirs), "fields");
                for (index, &field) in fields.iter().enumerate() {
                    self.same_type(field, LLVMStructGetTypeAtIndex(theirs, index as u32))?;
                    if let Some(offset) = table.field_offset(ours, index as u32) {
                        same!(offset, LLVMOffsetOfElement(self.layout, theirs, index as u32), "offset");
                    }
                }
            }
            (Type::Function { result, parameters, variadic }, Kind::LLVMFunctionTypeKind) => {
                same!(variadic, LLVMIsFunctionVarArg(theirs) != 0, "variadic");
                self.same_type(result, LLVMGetReturnType(theirs))?;
                let mut types = vec![std::ptr::null_mut(); LLVMCountParamTypes(theirs) as usize];
                LLVMGetParamTypes(theirs, types.as_mut_ptr());
                same!(parameters.len(), types.len(), "parameters");
                for (&ours, &theirs) in parameters.iter().zip(&types) {
                    self.same_type(ours, theirs)?;
                }
            }
            (ours, theirs) => return Err(format!("type: we say {ours:?}, LLVM {theirs:?}")),
        }
        if kind == Kind::LLVMStructTypeKind {
            let name = LLVMGetStructName(theirs);
            let name = (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name).to_bytes());
            same!(table.name(ours).unwrap_or(&[]), name.unwrap_or(&[]), "name of a type");
        }
        self.same_layout(ours, theirs, kind)
    }

    unsafe fn same_layout(&self, ours: TypeId, theirs: LLVMTypeRef, kind: Kind) -> Same {
        let sized = LLVMTypeIsSized(theirs) != 0
            && !matches!(kind, Kind::LLVMScalableVectorTypeKind | Kind::LLVMTargetExtTypeKind);
        let Some(layout) = self.module.types().layout(ours) else {
            same!(false, sized && kind != Kind::LLVMStructTypeKind, "layout");
            return Ok(());
        };
        same!(true, sized, "layout");
        same!(layout.bits, LLVMSizeOfTypeInBits(self.layout, theirs), "bits");
        same!(layout.store_size(), LLVMStoreSizeOfType(self.layout, theirs), "store size");
        same!(layout.size, LLVMABISizeOfType(self.layout, theirs), "size");
        same!(layout.align, LLVMABIAlignmentOfType(self.layout, theirs), "alignment");
        Ok(())
    }
}
