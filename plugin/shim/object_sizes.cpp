// What optimisers tell programs: sizes of objects, of which _FORTIFY_SOURCE asks, and whether a value is a constant.
//
// Code of optimised builds runs first as it was made without an optimiser, which does not know them; a function that asks would have to wait
// for one. Most answers are certain before: the object is there to see, or nothing that is inlined can bring one into sight (known.h).
//
// Receives a module in which the functions of headers that ask have been inlined; puts the sizes in the place of the questions, and marks
// questions for constants of which an optimiser that sees the function alone says no. What may depend on how an optimiser inlines is left
// for it.

#include "known.h"

#include "llvm-c/Core.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/ConstantFolding.h"
#include "llvm/Analysis/MemoryBuiltins.h"
#include "llvm/Analysis/ValueTracking.h"

using namespace llvm;
using knowledge::Asked;

namespace {

// The size of the object, from an address in it on, if both are there to see.
std::optional<uint64_t> exactSize(const Value *Address, const DataLayout &Layout, const TargetLibraryInfo &Library) {
  APInt Offset(Layout.getIndexTypeSizeInBits(Address->getType()), 0);
  for (;;) {
    Address = Address->stripAndAccumulateConstantOffsets(Layout, Offset, /*AllowNonInbounds=*/true);
    // The end of a text that was copied.
    auto *Call = dyn_cast<CallBase>(Address);
    LibFunc Function;
    if (!Call || !Library.getLibFunc(*Call, Function) || (Function != LibFunc_stpcpy && Function != LibFunc_stpcpy_chk))
      break;
    const uint64_t Length = GetStringLength(Call->getArgOperand(1));
    if (Length == 0)
      break;
    Offset += Length - 1;
    Address = Call->getArgOperand(0);
  }
  if (!isa<AllocaInst, GlobalVariable, CallBase>(Address))
    return std::nullopt;
  ObjectSizeOpts Options;
  Options.NullIsUnknownSize = true;
  uint64_t Size;
  if (!getObjectSize(Address, Size, Layout, &Library, Options))
    return std::nullopt;
  return Offset.isNegative() || Offset.ugt(Size) ? 0 : Size - Offset.getZExtValue();
}

// All calls of intrinsics of a kind.
SmallVector<IntrinsicInst *, 32> callsOf(Module &M, Intrinsic::ID Kind) {
  SmallVector<IntrinsicInst *, 32> Calls;
  for (Function &F : M)
    if (F.isDeclaration() && F.getIntrinsicID() == Kind)
      for (User *U : F.users())
        Calls.push_back(cast<IntrinsicInst>(U));
  return Calls;
}

// Puts an answer in the place of a question, and what follows from it in that of what was computed of it.
void answer(IntrinsicInst &Question, uint64_t Size, const DataLayout &Layout, const TargetLibraryInfo &Library) {
  SmallSetVector<Instruction *, 16> Settled;
  auto Put = [&](Instruction &I, Constant &C) {
    for (User *U : I.users())
      Settled.insert(cast<Instruction>(U));
    I.replaceAllUsesWith(&C);
    I.eraseFromParent();
  };
  Function *Intrinsic = Question.getCalledFunction();
  Put(Question, *ConstantInt::get(Question.getType(), Size));
  while (!Settled.empty()) {
    Instruction *I = Settled.pop_back_val();
    if (!I->isTerminator() && !isa<CallBase>(I))
      if (Constant *Is = ConstantFoldInstruction(I, Layout, &Library))
        Put(*I, *Is);
  }
  if (Intrinsic->use_empty())
    Intrinsic->eraseFromParent();
}

// What is asked of all values of a module.
struct Knowledge {
  knowledge::Values Members, Objects, Texts, AtOnce, Computed, Alone;
  Knowledge(const Module &M, const TargetLibraryInfo &Library)
      : Members(M, Library, Asked::Member), Objects(M, Library, Asked::Object, &Members),
        Texts(M, Library, Asked::Text, &Members, &Objects), AtOnce(M, Library, Asked::Size, &Members, &Objects, &Texts),
        Computed(M, Library, Asked::ComputedSize, &Members, &Objects, &Texts),
        Alone(M, Library, Asked::Alone, &Members, &Objects, &Texts) {}
};

void settleObjectSizes(Module &M, const TargetLibraryInfo &Library) {
  Knowledge Known(M, Library);
  // All are answered from what the module says before any is.
  SmallVector<std::pair<IntrinsicInst *, uint64_t>, 32> Answers;
  for (IntrinsicInst *Question : callsOf(M, Intrinsic::objectsize)) {
    const Value &Address = *Question->getArgOperand(0);
    auto Is = [&](unsigned Argument) { return cast<ConstantInt>(Question->getArgOperand(Argument))->isOne(); };
    const bool Least = Is(1), NullIsUnknown = Is(2), Dynamic = Is(3);
    if (auto Size = exactSize(&Address, M.getDataLayout(), Library))
      Answers.push_back({Question, *Size});
    else if (!Least && NullIsUnknown && !(Dynamic ? Known.Computed : Known.AtOnce).mayBeKnown(Address))
      Answers.push_back({Question, ~uint64_t(0)});
  }
  for (auto [Question, Size] : Answers)
    answer(*Question, Size, M.getDataLayout(), Library);
}

void markUnknown(Module &M, const TargetLibraryInfo &Library) {
  Knowledge Known(M, Library);
  for (IntrinsicInst *Question : callsOf(M, Intrinsic::is_constant))
    if (!isa<Constant>(Question->getArgOperand(0)) && !Known.Alone.mayBeKnown(*Question->getArgOperand(0)))
      Question->addFnAttr(Attribute::get(M.getContext(), "autojit-not-constant"));
}

} // namespace

extern "C" void autojit_shim_settle_questions(LLVMModuleRef Module) {
  auto &M = *unwrap(Module);
  const TargetLibraryInfoImpl Functions{Triple(M.getTargetTriple())};
  const TargetLibraryInfo Library(Functions);
  settleObjectSizes(M, Library);
  markUnknown(M, Library);
}
