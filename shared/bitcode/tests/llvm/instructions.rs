//! Instructions: opcode, type, operands, and whatever else belongs to each.

use autojit_bitcode::{Block, Flags, Instruction, Opcode, Ordering, RmwOp, TailKind, Value};
use llvm_sys::core::*;
use llvm_sys::prelude::*;
use llvm_sys::{
    LLVMAtomicOrdering, LLVMAtomicRMWBinOp, LLVMFastMathAllowContract, LLVMFastMathAllowReassoc,
    LLVMFastMathAllowReciprocal, LLVMFastMathApproxFunc, LLVMFastMathFlags, LLVMFastMathNoInfs,
    LLVMFastMathNoNaNs, LLVMFastMathNoSignedZeros, LLVMGEPFlagInBounds, LLVMGEPFlagNUSW, LLVMGEPFlagNUW,
    LLVMGEPNoWrapFlags, LLVMOpcode, LLVMTailCallKind,
};

use crate::compare::{Comparison, Same, same};

/// LLVM's C API gives alignments in 32 bits; the greatest is 2^32, that of null.
fn truncated(align: u64) -> u32 {
    align as u32
}

impl Comparison<'_> {
    pub unsafe fn instruction(&mut self, number: u32, theirs: LLVMValueRef) -> Same {
        let ours = self.body.instructions[number as usize];
        let wanted = opcode(LLVMGetInstructionOpcode(theirs));
        let branch = ours.opcode == Opcode::CondBr && wanted == Opcode::Br && LLVMIsConditional(theirs) != 0;
        if !branch {
            same!(ours.opcode, wanted, "opcode");
        }
        self.same_type(ours.ty, LLVMTypeOf(theirs))?;
        self.location(number, theirs)?;
        let flags = ours.flags;
        let fast = if LLVMCanValueUseFastMathFlags(theirs) != 0 { LLVMGetFastMathFlags(theirs) } else { 0 };
        same!(Flags(flags.0 & Flags::FAST.0), fast_math(fast), "fast-math flags");
        match ours.opcode {
            Opcode::Add | Opcode::Sub | Opcode::Mul | Opcode::Shl | Opcode::Trunc => {
                if ours.opcode != Opcode::Trunc {
                    same!(flags.has(Flags::NUW), LLVMGetNUW(theirs) != 0, "nuw");
                    same!(flags.has(Flags::NSW), LLVMGetNSW(theirs) != 0, "nsw");
                } else if self.prints() {
                    let text = self.print(theirs);
                    same!(flags.has(Flags::NUW), text.contains(" nuw "), "nuw");
                    same!(flags.has(Flags::NSW), text.contains(" nsw "), "nsw");
                }
            }
            Opcode::UDiv | Opcode::SDiv | Opcode::LShr | Opcode::AShr => {
                same!(flags.has(Flags::EXACT), LLVMGetExact(theirs) != 0, "exact");
            }
            Opcode::Or => same!(flags.has(Flags::DISJOINT), LLVMGetIsDisjoint(theirs) != 0, "disjoint"),
            Opcode::ZExt | Opcode::UIToFP => same!(flags.has(Flags::NNEG), LLVMGetNNeg(theirs) != 0, "nneg"),
            Opcode::ICmp => {
                same!(ours.predicate() as u32, LLVMGetICmpPredicate(theirs) as u32, "predicate");
                same!(flags.has(Flags::SAMESIGN), LLVMGetICmpSameSign(theirs) != 0, "samesign");
            }
            Opcode::FCmp => same!(ours.predicate() as u32, LLVMGetFCmpPredicate(theirs) as u32, "predicate"),
            Opcode::GetElementPtr => {
                self.same_type(ours.source_type(), LLVMGetGEPSourceElementType(theirs))?;
                let mask = Flags::INBOUNDS.with(Flags::NUSW).with(Flags::NUW);
                same!(Flags(flags.0 & mask.0), address_flags(LLVMGEPGetNoWrapFlags(theirs)), "flags");
            }
            Opcode::Alloca => {
                self.same_type(ours.source_type(), LLVMGetAllocatedType(theirs))?;
                same!(ours.align.bytes().map(truncated), Some(LLVMGetAlignment(theirs)), "alignment");
                if self.prints() {
                    let text = self.print(theirs);
                    same!(flags.has(Flags::INALLOCA), text.contains("alloca inalloca"), "inalloca");
                    same!(flags.has(Flags::SWIFTERROR), text.contains("alloca swifterror"), "swifterror");
                }
            }
            Opcode::Load | Opcode::Store | Opcode::CmpXchg | Opcode::AtomicRmw => {
                self.memory(&ours, theirs)?
            }
            Opcode::Fence => {
                same!(ours.ordering, ordering(LLVMGetOrdering(theirs)), "ordering");
                same!(ours.sync_scope(), LLVMGetAtomicSyncScopeID(theirs), "scope");
            }
            _ => {}
        }
        self.operands(&ours, theirs)?;
        if ours.opcode.is_terminator() {
            let block = self.blocks[&LLVMGetInstructionParent(theirs)];
            let mut successors: Vec<Block> = (0..LLVMGetNumSuccessors(theirs))
                .map(|successor| self.blocks[&LLVMGetSuccessor(theirs, successor)])
                .collect();
            if ours.opcode == Opcode::CatchSwitch && successors.len() as u32 != LLVMGetNumHandlers(theirs) {
                // LLVM has the unwind destination first.
                successors.rotate_left(1);
            }
            same!(self.body.successors(block), &successors[..], "successors");
        }
        Ok(())
    }

    /// Whether another instruction may be printed.
    fn prints(&mut self) -> bool {
        self.printed += 1;
        self.printed < 100
    }

    unsafe fn memory(&mut self, ours: &Instruction, theirs: LLVMValueRef) -> Same {
        same!(ours.align.bytes().map(truncated), Some(LLVMGetAlignment(theirs)), "alignment");
        same!(ours.flags.has(Flags::VOLATILE), LLVMGetVolatile(theirs) != 0, "volatile");
        let atomic = LLVMIsAtomic(theirs) != 0;
        same!(ours.flags.has(Flags::ATOMIC), atomic, "atomic");
        if atomic {
            same!(ours.sync_scope(), LLVMGetAtomicSyncScopeID(theirs), "scope");
        }
        match ours.opcode {
            Opcode::CmpXchg => {
                same!(ours.ordering, ordering(LLVMGetCmpXchgSuccessOrdering(theirs)), "ordering");
                same!(
                    ours.failure_ordering(),
                    ordering(LLVMGetCmpXchgFailureOrdering(theirs)),
                    "failure ordering"
                );
                same!(ours.flags.has(Flags::WEAK), LLVMGetWeak(theirs) != 0, "weak");
            }
            _ => same!(ours.ordering, ordering(LLVMGetOrdering(theirs)), "ordering"),
        }
        if ours.opcode == Opcode::AtomicRmw {
            same!(ours.rmw(), operation(LLVMGetAtomicRMWBinOp(theirs)), "operation");
        }
        Ok(())
    }

    unsafe fn operands(&mut self, ours: &Instruction, theirs: LLVMValueRef) -> Same {
        let values: Vec<Value> = self.body.operands(ours).to_vec();
        let operand = |index| LLVMGetOperand(theirs, index);
        let expected: Vec<LLVMValueRef> = match ours.opcode {
            Opcode::Br => vec![],
            Opcode::CondBr => vec![LLVMGetCondition(theirs)],
            Opcode::Switch => {
                let cases =
                    (1..LLVMGetNumSuccessors(theirs)).map(|case| LLVMGetSwitchCaseValue(theirs, case));
                std::iter::once(operand(0)).chain(cases).collect()
            }
            Opcode::IndirectBr | Opcode::CleanupRet | Opcode::CatchRet | Opcode::CatchSwitch => {
                vec![operand(0)]
            }
            Opcode::Call | Opcode::Invoke | Opcode::CallBr => return self.call(ours, theirs),
            Opcode::CleanupPad | Opcode::CatchPad => {
                let count = LLVMGetNumOperands(theirs) as u32;
                std::iter::once(operand(count - 1)).chain((0..count - 1).map(operand)).collect()
            }
            Opcode::Phi => {
                let count = LLVMCountIncoming(theirs);
                let edges: Vec<(Value, Block)> = self.body.phi(ours).collect();
                same!(edges.len() as u32, count, "edges");
                for (index, &(_, block)) in edges.iter().enumerate() {
                    same!(block, self.blocks[&LLVMGetIncomingBlock(theirs, index as u32)], "edge");
                }
                (0..count).map(|index| LLVMGetIncomingValue(theirs, index)).collect()
            }
            Opcode::ShuffleVector => {
                let mask = self.mask(values[2]).ok_or("no mask")?;
                same!(mask.len() as u32, LLVMGetNumMaskElements(theirs), "mask");
                for (index, &element) in mask.iter().enumerate() {
                    let wanted = LLVMGetMaskValue(theirs, index as u32);
                    same!(element.map_or(-1, |element| element as i32), wanted, "mask");
                }
                same!(values.len(), 3, "operands");
                self.same_value(values[0], operand(0))?;
                return self.same_value(values[1], operand(1));
            }
            Opcode::ExtractValue | Opcode::InsertValue => {
                let indices =
                    std::slice::from_raw_parts(LLVMGetIndices(theirs), LLVMGetNumIndices(theirs) as usize);
                same!(self.body.indices(ours), indices, "indices");
                (0..LLVMGetNumOperands(theirs) as u32).map(operand).collect()
            }
            Opcode::LandingPad => {
                same!(ours.flags.has(Flags::CLEANUP), LLVMIsCleanup(theirs) != 0, "cleanup");
                let count = LLVMGetNumClauses(theirs);
                for clause in 0..count {
                    let ty = LLVMTypeOf(LLVMGetClause(theirs, clause));
                    let filter = LLVMGetTypeKind(ty) == llvm_sys::LLVMTypeKind::LLVMArrayTypeKind;
                    same!(self.body.clause_is_filter(ours, clause), filter, "filter");
                }
                (0..count).map(|clause| LLVMGetClause(theirs, clause)).collect()
            }
            _ => (0..LLVMGetNumOperands(theirs) as u32).map(operand).collect(),
        };
        same!(values.len(), expected.len(), "number of operands");
        values.into_iter().zip(expected).try_for_each(|(ours, theirs)| self.same_value(ours, theirs))
    }

    unsafe fn call(&mut self, ours: &Instruction, theirs: LLVMValueRef) -> Same {
        let call = self.body.call(ours).ok_or("no call")?;
        let (callee, function_type) = (call.callee, call.function_type);
        let (attributes, arguments) = (call.attributes, call.arguments.to_vec());
        same!(u32::from(call.convention), LLVMGetInstructionCallConv(theirs), "calling convention");
        if ours.opcode == Opcode::Call {
            let tail = match LLVMGetTailCallKind(theirs) {
                LLVMTailCallKind::LLVMTailCallKindNone => TailKind::None,
                LLVMTailCallKind::LLVMTailCallKindTail => TailKind::Tail,
                LLVMTailCallKind::LLVMTailCallKindMustTail => TailKind::MustTail,
                LLVMTailCallKind::LLVMTailCallKindNoTail => TailKind::NoTail,
            };
            same!(call.tail, tail, "tail");
        }
        let bundles: Vec<(u32, Vec<Value>)> =
            call.bundles.iter().map(|bundle| (bundle.tag, self.body.bundle(bundle).to_vec())).collect();
        same!(bundles.len() as u32, LLVMGetNumOperandBundles(theirs), "bundles");
        for (index, (tag, values)) in bundles.iter().enumerate() {
            let bundle = LLVMGetOperandBundleAtIndex(theirs, index as u32);
            let mut length = 0;
            let text = LLVMGetOperandBundleTag(bundle, &mut length);
            same!(self.module.bundle_tag(*tag), std::slice::from_raw_parts(text.cast::<u8>(), length), "tag");
            same!(values.len() as u32, LLVMGetNumOperandBundleArgs(bundle), "operands of a bundle");
            for (index, &value) in values.iter().enumerate() {
                self.same_value(value, LLVMGetOperandBundleArgAtIndex(bundle, index as u32))?;
            }
            LLVMDisposeOperandBundle(bundle);
        }
        self.same_type(function_type, LLVMGetCalledFunctionType(theirs))?;
        self.same_value(callee, LLVMGetCalledValue(theirs))?;
        let count = LLVMGetNumArgOperands(theirs);
        same!(arguments.len() as u32, count, "arguments");
        for (index, &argument) in arguments.iter().enumerate() {
            self.same_value(argument, LLVMGetOperand(theirs, index as u32))?;
        }
        self.call_attributes(attributes, theirs, count)
    }
}

/// Flags of LLVM's address computations, as ours.
pub fn address_flags(theirs: LLVMGEPNoWrapFlags) -> Flags {
    let known = [
        (LLVMGEPFlagInBounds, Flags::INBOUNDS),
        (LLVMGEPFlagNUSW, Flags::NUSW),
        (LLVMGEPFlagNUW, Flags::NUW),
    ];
    known.into_iter().filter(|(bit, _)| theirs & bit != 0).fold(Flags::NONE, |all, (_, flag)| all.with(flag))
}

fn fast_math(theirs: LLVMFastMathFlags) -> Flags {
    let known = [
        (LLVMFastMathAllowReassoc, Flags::REASSOC),
        (LLVMFastMathNoNaNs, Flags::NNAN),
        (LLVMFastMathNoInfs, Flags::NINF),
        (LLVMFastMathNoSignedZeros, Flags::NSZ),
        (LLVMFastMathAllowReciprocal, Flags::ARCP),
        (LLVMFastMathAllowContract, Flags::CONTRACT),
        (LLVMFastMathApproxFunc, Flags::AFN),
    ];
    known.into_iter().filter(|(bit, _)| theirs & *bit != 0).fold(Flags::NONE, |all, (_, flag)| all.with(flag))
}

fn ordering(theirs: LLVMAtomicOrdering) -> Ordering {
    match theirs {
        LLVMAtomicOrdering::LLVMAtomicOrderingNotAtomic => Ordering::NotAtomic,
        LLVMAtomicOrdering::LLVMAtomicOrderingUnordered => Ordering::Unordered,
        LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic => Ordering::Monotonic,
        LLVMAtomicOrdering::LLVMAtomicOrderingAcquire => Ordering::Acquire,
        LLVMAtomicOrdering::LLVMAtomicOrderingRelease => Ordering::Release,
        LLVMAtomicOrdering::LLVMAtomicOrderingAcquireRelease => Ordering::AcquireRelease,
        LLVMAtomicOrdering::LLVMAtomicOrderingSequentiallyConsistent => Ordering::SequentiallyConsistent,
    }
}

fn operation(theirs: LLVMAtomicRMWBinOp) -> RmwOp {
    use LLVMAtomicRMWBinOp::*;
    match theirs {
        LLVMAtomicRMWBinOpXchg => RmwOp::Xchg,
        LLVMAtomicRMWBinOpAdd => RmwOp::Add,
        LLVMAtomicRMWBinOpSub => RmwOp::Sub,
        LLVMAtomicRMWBinOpAnd => RmwOp::And,
        LLVMAtomicRMWBinOpNand => RmwOp::Nand,
        LLVMAtomicRMWBinOpOr => RmwOp::Or,
        LLVMAtomicRMWBinOpXor => RmwOp::Xor,
        LLVMAtomicRMWBinOpMax => RmwOp::Max,
        LLVMAtomicRMWBinOpMin => RmwOp::Min,
        LLVMAtomicRMWBinOpUMax => RmwOp::UMax,
        LLVMAtomicRMWBinOpUMin => RmwOp::UMin,
        LLVMAtomicRMWBinOpFAdd => RmwOp::FAdd,
        LLVMAtomicRMWBinOpFSub => RmwOp::FSub,
        LLVMAtomicRMWBinOpFMax => RmwOp::FMax,
        LLVMAtomicRMWBinOpFMin => RmwOp::FMin,
        LLVMAtomicRMWBinOpUIncWrap => RmwOp::UIncWrap,
        LLVMAtomicRMWBinOpUDecWrap => RmwOp::UDecWrap,
        LLVMAtomicRMWBinOpUSubCond => RmwOp::USubCond,
        LLVMAtomicRMWBinOpUSubSat => RmwOp::USubSat,
        LLVMAtomicRMWBinOpFMaximum => RmwOp::FMaximum,
        LLVMAtomicRMWBinOpFMinimum => RmwOp::FMinimum,
    }
}

/// LLVM's opcode, as ours; conditional branches are branches.
pub fn opcode(theirs: LLVMOpcode) -> Opcode {
    use LLVMOpcode::*;
    match theirs {
        LLVMRet => Opcode::Ret,
        LLVMBr => Opcode::Br,
        LLVMSwitch => Opcode::Switch,
        LLVMIndirectBr => Opcode::IndirectBr,
        LLVMInvoke => Opcode::Invoke,
        LLVMUnreachable => Opcode::Unreachable,
        LLVMCallBr => Opcode::CallBr,
        LLVMFNeg => Opcode::FNeg,
        LLVMAdd => Opcode::Add,
        LLVMFAdd => Opcode::FAdd,
        LLVMSub => Opcode::Sub,
        LLVMFSub => Opcode::FSub,
        LLVMMul => Opcode::Mul,
        LLVMFMul => Opcode::FMul,
        LLVMUDiv => Opcode::UDiv,
        LLVMSDiv => Opcode::SDiv,
        LLVMFDiv => Opcode::FDiv,
        LLVMURem => Opcode::URem,
        LLVMSRem => Opcode::SRem,
        LLVMFRem => Opcode::FRem,
        LLVMShl => Opcode::Shl,
        LLVMLShr => Opcode::LShr,
        LLVMAShr => Opcode::AShr,
        LLVMAnd => Opcode::And,
        LLVMOr => Opcode::Or,
        LLVMXor => Opcode::Xor,
        LLVMAlloca => Opcode::Alloca,
        LLVMLoad => Opcode::Load,
        LLVMStore => Opcode::Store,
        LLVMGetElementPtr => Opcode::GetElementPtr,
        LLVMTrunc => Opcode::Trunc,
        LLVMZExt => Opcode::ZExt,
        LLVMSExt => Opcode::SExt,
        LLVMFPToUI => Opcode::FPToUI,
        LLVMFPToSI => Opcode::FPToSI,
        LLVMUIToFP => Opcode::UIToFP,
        LLVMSIToFP => Opcode::SIToFP,
        LLVMFPTrunc => Opcode::FPTrunc,
        LLVMFPExt => Opcode::FPExt,
        LLVMPtrToInt => Opcode::PtrToInt,
        LLVMPtrToAddr => Opcode::PtrToAddr,
        LLVMIntToPtr => Opcode::IntToPtr,
        LLVMBitCast => Opcode::BitCast,
        LLVMAddrSpaceCast => Opcode::AddrSpaceCast,
        LLVMICmp => Opcode::ICmp,
        LLVMFCmp => Opcode::FCmp,
        LLVMPHI => Opcode::Phi,
        LLVMCall => Opcode::Call,
        LLVMSelect => Opcode::Select,
        LLVMVAArg => Opcode::VAArg,
        LLVMExtractElement => Opcode::ExtractElement,
        LLVMInsertElement => Opcode::InsertElement,
        LLVMShuffleVector => Opcode::ShuffleVector,
        LLVMExtractValue => Opcode::ExtractValue,
        LLVMInsertValue => Opcode::InsertValue,
        LLVMFreeze => Opcode::Freeze,
        LLVMFence => Opcode::Fence,
        LLVMAtomicCmpXchg => Opcode::CmpXchg,
        LLVMAtomicRMW => Opcode::AtomicRmw,
        LLVMResume => Opcode::Resume,
        LLVMLandingPad => Opcode::LandingPad,
        LLVMCleanupRet => Opcode::CleanupRet,
        LLVMCatchRet => Opcode::CatchRet,
        LLVMCatchPad => Opcode::CatchPad,
        LLVMCleanupPad => Opcode::CleanupPad,
        LLVMCatchSwitch => Opcode::CatchSwitch,
        other => panic!("the reader knows no {other:?}"),
    }
}
