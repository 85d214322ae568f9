//! Attributes of functions and calls.

use autojit_bitcode::{Attribute, AttributeListId, AttributeSet};
use llvm_sys::core::*;
use llvm_sys::prelude::*;
use llvm_sys::{LLVMAttributeFunctionIndex, LLVMAttributeReturnIndex};

use crate::compare::{Comparison, Same, same};

impl Comparison<'_> {
    pub unsafe fn function_attributes(
        &mut self,
        list: AttributeListId,
        theirs: LLVMValueRef,
        parameters: u32,
    ) -> Same {
        self.attributes(list, parameters, &|index| {
            let mut found = vec![std::ptr::null_mut(); LLVMGetAttributeCountAtIndex(theirs, index) as usize];
            LLVMGetAttributesAtIndex(theirs, index, found.as_mut_ptr());
            found
        })
    }

    pub unsafe fn call_attributes(
        &mut self,
        list: AttributeListId,
        theirs: LLVMValueRef,
        arguments: u32,
    ) -> Same {
        self.attributes(list, arguments, &|index| {
            let mut found = vec![std::ptr::null_mut(); LLVMGetCallSiteAttributeCount(theirs, index) as usize];
            LLVMGetCallSiteAttributes(theirs, index, found.as_mut_ptr());
            found
        })
    }

    unsafe fn attributes(
        &mut self,
        list: AttributeListId,
        parameters: u32,
        theirs: &dyn Fn(u32) -> Vec<LLVMAttributeRef>,
    ) -> Same {
        let module = self.module;
        let list = module.attributes(list);
        self.set(list.function(), &theirs(LLVMAttributeFunctionIndex))?;
        self.set(list.result(), &theirs(LLVMAttributeReturnIndex))?;
        for parameter in 0..parameters {
            self.set(list.parameter(parameter), &theirs(parameter + 1))?;
        }
        Ok(())
    }

    unsafe fn set(&mut self, ours: AttributeSet<'_>, theirs: &[LLVMAttributeRef]) -> Same {
        same!(ours.iter().count(), theirs.len(), "number of attributes");
        same!(ours.is_empty(), theirs.is_empty(), "no attributes");
        for attribute in ours.iter() {
            let text = match attribute {
                Attribute::Enum(kind)
                | Attribute::Int(kind, _)
                | Attribute::Type(kind, _)
                | Attribute::Range(kind, _) => {
                    same!(ours.has(kind), true, "presence of {kind:?}");
                    kind.text()
                }
                Attribute::String(key, value) => {
                    let string = |attribute, get: unsafe extern "C" fn(_, *mut u32) -> *const _| {
                        let mut length = 0;
                        let text: *const std::ffi::c_char = get(attribute, &mut length);
                        std::slice::from_raw_parts(text.cast::<u8>(), length as usize)
                    };
                    let found = theirs.iter().copied().find(|&attribute| {
                        LLVMIsStringAttribute(attribute) != 0
                            && string(attribute, LLVMGetStringAttributeKind) == key
                    });
                    let Some(found) = found else { return Err(format!("LLVM has no {key:?}")) };
                    same!(value, string(found, LLVMGetStringAttributeValue), "value of {key:?}");
                    same!(ours.string(key), Some(value), "value of {key:?}");
                    continue;
                }
            };
            let number = LLVMGetEnumAttributeKindForName(text.as_ptr().cast(), text.len());
            let found = theirs.iter().copied().find(|&attribute| {
                LLVMIsStringAttribute(attribute) == 0 && LLVMGetEnumAttributeKind(attribute) == number
            });
            let Some(found) = found else { return Err(format!("LLVM has no {text}")) };
            match attribute {
                Attribute::Int(kind, value) => {
                    same!(value, LLVMGetEnumAttributeValue(found), "value of {text}");
                    same!(ours.int(kind), Some(value), "value of {text}");
                }
                Attribute::Type(kind, ty) => {
                    self.same_type(ty, LLVMGetTypeAttributeValue(found))?;
                    same!(ours.ty(kind), Some(ty), "type of {text}");
                }
                _ => {}
            }
        }
        Ok(())
    }
}
