//! Values: globals, arguments and results by their identity, constants by what they are.

use autojit_bitcode::{Constant, Flags, Type, Value};
use llvm_sys::core::*;
use llvm_sys::prelude::*;
use llvm_sys::{LLVMInlineAsmDialect, LLVMTypeKind, LLVMValueKind};

use crate::compare::{Comparison, Same, same};
use crate::instructions::{address_flags, opcode};

impl Comparison<'_> {
    /// Whether an operand is what LLVM says.
    pub unsafe fn same_value(&mut self, ours: Value, theirs: LLVMValueRef) -> Same {
        if let Some(&known) = self.values.get(&theirs) {
            same!(ours, known, "operand");
            return Ok(());
        }
        if LLVMGetValueKind(theirs) == LLVMValueKind::LLVMMetadataAsValueValueKind {
            same!(ours.metadata().is_some(), true, "metadata");
            return Ok(());
        }
        if self.known.contains_key(&(theirs, ours)) {
            return Ok(());
        }
        let ty = self.body.type_of(self.module, ours).or(self.module.type_of(ours)).ok_or("no type")?;
        self.same_type(ty, LLVMTypeOf(theirs))?;
        self.constant(ours, theirs).map_err(|reason| format!("{}: {reason}", self.print(theirs)))?;
        self.known.insert((theirs, ours), ());
        self.counts.constants += 1;
        Ok(())
    }

    unsafe fn constant(&mut self, ours: Value, theirs: LLVMValueRef) -> Same {
        let module = self.module;
        // The body is borrowed from while others of its values are compared.
        let body = std::mem::take(&mut self.body);
        let constant =
            if ours.0 < module.values() { module.constant(ours) } else { body.constant(module, ours) };
        match constant {
            Some(constant) => {
                // Parts are compared with the body in place: take what is needed out of it.
                let (ours_parts, check) = self.parts(constant, theirs)?;
                self.body = body;
                check?;
                ours_parts.into_iter().try_for_each(|(ours, theirs)| self.same_value(ours, theirs))
            }
            None => {
                self.body = body;
                Err(format!("{ours:?} is no constant"))
            }
        }
    }

    /// Compares the constant but for its parts, which it gives.
    #[allow(clippy::type_complexity)]
    unsafe fn parts(
        &mut self,
        ours: Constant<'_>,
        theirs: LLVMValueRef,
    ) -> Result<(Vec<(Value, LLVMValueRef)>, Same), String> {
        let operand = |index| LLVMGetOperand(theirs, index);
        let operation = |wanted| -> Same {
            same!(LLVMIsAConstantExpr(theirs).is_null(), false, "expression");
            same!(wanted, opcode(LLVMGetConstOpcode(theirs)), "operation");
            Ok(())
        };
        let all = |values: &[Value]| {
            values
                .iter()
                .enumerate()
                .map(|(index, &value)| (value, operand(index as u32)))
                .collect::<Vec<_>>()
        };
        let mut parts = Vec::new();
        let check = (|| -> Same {
            match ours {
                Constant::Null => same!(true, LLVMIsNull(theirs) != 0, "null"),
                Constant::Undef => {
                    same!(true, LLVMIsUndef(theirs) != 0 && LLVMIsPoison(theirs) == 0, "undef")
                }
                Constant::Poison => same!(true, LLVMIsPoison(theirs) != 0, "poison"),
                Constant::Int(value) => {
                    same!(LLVMIsAConstantInt(theirs).is_null(), false, "integer");
                    same!(value, LLVMConstIntGetSExtValue(theirs), "integer");
                }
                Constant::WideInt(words) => {
                    same!(LLVMIsAConstantInt(theirs).is_null(), false, "integer");
                    same!(words.to_vec(), self.words(theirs, words.len()), "integer");
                }
                Constant::Float(bits) => {
                    same!(LLVMIsAConstantFP(theirs).is_null(), false, "number");
                    let words = self.words(theirs, 2);
                    same!(bits, u128::from(words[0]) | u128::from(words[1]) << 64, "number");
                }
                Constant::Aggregate(values) => {
                    for (index, &value) in values.iter().enumerate() {
                        parts.push((value, LLVMGetAggregateElement(theirs, index as u32)));
                    }
                    same!(true, LLVMGetAggregateElement(theirs, values.len() as u32).is_null(), "elements");
                }
                Constant::Data(data) => {
                    let mut elements = Vec::new();
                    self.module.data(&data, &mut elements).map_err(|error| format!("{error:?}"))?;
                    same!(elements.len(), data.len(), "elements");
                    for (index, &element) in elements.iter().enumerate().take(4096) {
                        let theirs = LLVMGetAggregateElement(theirs, index as u32);
                        same!(element, self.words(theirs, 1)[0], "element {index}");
                    }
                    same!(true, LLVMGetAggregateElement(theirs, elements.len() as u32).is_null(), "elements");
                }
                Constant::Binary { op, flags, left, right } => {
                    operation(op)?;
                    parts = all(&[left, right]);
                    let text = self.print(theirs);
                    same!(flags.has(Flags::NSW), text.contains(" nsw "), "nsw");
                    same!(flags.has(Flags::NUW), text.contains(" nuw "), "nuw");
                }
                Constant::Cast { op, value, .. } => {
                    operation(op)?;
                    parts = all(&[value]);
                }
                Constant::GetElementPtr { source, flags, operands } => {
                    operation(autojit_bitcode::Opcode::GetElementPtr)?;
                    self.same_type(source, LLVMGetGEPSourceElementType(theirs))?;
                    same!(flags, address_flags(LLVMGEPGetNoWrapFlags(theirs)), "flags");
                    parts = all(operands);
                }
                Constant::ExtractElement { vector, index } => {
                    operation(autojit_bitcode::Opcode::ExtractElement)?;
                    parts = all(&[vector, index]);
                }
                Constant::InsertElement { vector, element, index } => {
                    operation(autojit_bitcode::Opcode::InsertElement)?;
                    parts = all(&[vector, element, index]);
                }
                Constant::ShuffleVector { left, right, .. } => {
                    operation(autojit_bitcode::Opcode::ShuffleVector)?;
                    parts = all(&[left, right]);
                }
                Constant::Former(_) => return Err("an expression that LLVM does not have".to_owned()),
                Constant::BlockAddress { function, block } => {
                    same!(LLVMIsABlockAddress(theirs).is_null(), false, "address of a block");
                    let of = LLVMGetBlockAddressFunction(theirs);
                    parts.push((function, of));
                    let wanted = LLVMGetBlockAddressBasicBlock(theirs);
                    let mut found = LLVMGetFirstBasicBlock(of);
                    for _ in 0..block.0 {
                        found = LLVMGetNextBasicBlock(found);
                    }
                    same!(found, wanted, "block");
                }
                Constant::DsoLocalEquivalent(global) => {
                    let text = self.print(theirs);
                    same!(true, text.contains("dso_local_equivalent"), "kind");
                    parts.push((global, operand(0)));
                }
                Constant::NoCfi(global) => {
                    same!(true, self.print(theirs).contains("no_cfi"), "kind");
                    parts.push((global, operand(0)));
                }
                Constant::PtrAuth(values) => parts = all(values),
                Constant::InlineAsm(assembly) => {
                    same!(LLVMIsAInlineAsm(theirs).is_null(), false, "assembly");
                    let mut length = 0;
                    let text = LLVMGetInlineAsmAsmString(theirs, &mut length);
                    same!(assembly.text, std::slice::from_raw_parts(text.cast::<u8>(), length), "text");
                    let text = LLVMGetInlineAsmConstraintString(theirs, &mut length);
                    same!(
                        assembly.constraints,
                        std::slice::from_raw_parts(text.cast::<u8>(), length),
                        "constraints"
                    );
                    self.same_type(assembly.ty, LLVMGetInlineAsmFunctionType(theirs))?;
                    same!(assembly.side_effects, LLVMGetInlineAsmHasSideEffects(theirs) != 0, "side effects");
                    same!(assembly.align_stack, LLVMGetInlineAsmNeedsAlignedStack(theirs) != 0, "stack");
                    same!(assembly.can_throw, LLVMGetInlineAsmCanUnwind(theirs) != 0, "unwind");
                    let intel =
                        LLVMGetInlineAsmDialect(theirs) == LLVMInlineAsmDialect::LLVMInlineAsmDialectIntel;
                    same!(assembly.intel, intel, "dialect");
                }
            }
            Ok(())
        })();
        Ok((parts, check))
    }

    /// The bits of a number of LLVM's, in words from the lowest.
    unsafe fn words(&self, theirs: LLVMValueRef, count: usize) -> Vec<u64> {
        let ty = LLVMTypeOf(theirs);
        let bits = match LLVMGetTypeKind(ty) {
            LLVMTypeKind::LLVMIntegerTypeKind => LLVMGetIntTypeWidth(ty),
            _ => llvm_sys::target::LLVMSizeOfTypeInBits(self.layout, ty) as u32,
        };
        let integer = LLVMConstBitCast(theirs, LLVMIntTypeInContext(self.context, bits));
        let mut words = Vec::new();
        for index in 0..count {
            words.push(if bits <= 64 {
                if index == 0 { LLVMConstIntGetZExtValue(integer) } else { 0 }
            } else {
                wide_word(&self.print(integer), index)
            });
        }
        words
    }

    /// Whether a value is a constant vector, as masks are.
    pub unsafe fn mask(&self, ours: Value) -> Option<Vec<Option<u64>>> {
        let elements = |value: Value| match self.body.constant(self.module, value)? {
            Constant::Int(value) => Some(Some(value as u64)),
            Constant::Undef | Constant::Poison => Some(None),
            _ => None,
        };
        let ty = self.body.type_of(self.module, ours)?;
        let Type::Vector { count, .. } = self.module.types().get(ty) else { return None };
        match self.body.constant(self.module, ours)? {
            Constant::Null => Some(vec![Some(0); count as usize]),
            Constant::Undef | Constant::Poison => Some(vec![None; count as usize]),
            Constant::Aggregate(values) => values.iter().map(|&value| elements(value)).collect(),
            Constant::Data(data) => {
                let mut elements = Vec::new();
                self.module.data(&data, &mut elements).ok()?;
                Some(elements.into_iter().map(Some).collect())
            }
            _ => None,
        }
    }
}

/// A word of a number that LLVM prints in decimal: `i128 -5`.
fn wide_word(text: &str, index: usize) -> u64 {
    let (ty, number) = text.trim().split_once(' ').expect("type and number");
    let width: usize = ty[1..].parse().expect("a width");
    let (negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
    let mut words = vec![0u64; width.div_ceil(64)];
    for digit in digits.bytes() {
        let mut carry = u128::from(digit - b'0');
        for word in &mut words {
            let product = u128::from(*word) * 10 + carry;
            *word = product as u64;
            carry = product >> 64;
        }
    }
    if negative {
        let mut carry = true;
        for word in &mut words {
            (*word, carry) = (!*word).overflowing_add(carry.into());
        }
    }
    if let (Some(last), above @ 1..) = (words.last_mut(), width % 64) {
        *last &= (1 << above) - 1;
    }
    words.get(index).copied().unwrap_or(0)
}
