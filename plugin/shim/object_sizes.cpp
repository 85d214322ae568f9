// Sizes of objects that optimisers tell programs, as those of which _FORTIFY_SOURCE asks.
//
// Code of optimised builds runs first as it was made without an optimiser, which does not know them; a function that asks would have to wait
// for one. Most answers are certain before: the object is there to see, or nothing that is inlined can bring one into sight (known.h).
//
// Receives a module in which the functions of headers that ask have been inlined; puts the answers in the place of the questions. What may
// depend on how an optimiser inlines is left for it.

#include "known.h"

#include "llvm-c/Core.h"
#include "llvm/Analysis/MemoryBuiltins.h"

using namespace llvm;

namespace {

// The size of the object, from an address in it on, if both are there to see.
std::optional<uint64_t> exactSize(const Value *Address, const DataLayout &Layout, const TargetLibraryInfo &Library) {
  APInt Offset(Layout.getIndexTypeSizeInBits(Address->getType()), 0);
  Address = Address->stripAndAccumulateConstantOffsets(Layout, Offset, /*AllowNonInbounds=*/true);
  if (!isa<AllocaInst, GlobalVariable, CallBase>(Address))
    return std::nullopt;
  ObjectSizeOpts Options;
  Options.NullIsUnknownSize = true;
  uint64_t Size;
  if (!getObjectSize(Address, Size, Layout, &Library, Options))
    return std::nullopt;
  return Offset.isNegative() || Offset.ugt(Size) ? 0 : Size - Offset.getZExtValue();
}

} // namespace

extern "C" void autojit_shim_settle_object_sizes(LLVMModuleRef Module) {
  auto &M = *unwrap(Module);
  SmallVector<IntrinsicInst *, 32> Questions;
  for (Function &F : M)
    if (F.isDeclaration() && F.getIntrinsicID() == Intrinsic::objectsize)
      for (User *U : F.users())
        Questions.push_back(cast<IntrinsicInst>(U));
  if (Questions.empty())
    return;
  const TargetLibraryInfoImpl Functions{Triple(M.getTargetTriple())};
  const TargetLibraryInfo Library(Functions);
  knowledge::Values AtOnce(M, Library, /*Computed=*/false), Computed(M, Library, /*Computed=*/true);
  // All are answered from what the module says before any is.
  SmallVector<std::pair<IntrinsicInst *, uint64_t>, 32> Answers;
  for (IntrinsicInst *Question : Questions) {
    const Value &Address = *Question->getArgOperand(0);
    auto Is = [&](unsigned Argument) { return cast<ConstantInt>(Question->getArgOperand(Argument))->isOne(); };
    const bool Least = Is(1), NullIsUnknown = Is(2), Dynamic = Is(3);
    if (auto Size = exactSize(&Address, M.getDataLayout(), Library))
      Answers.push_back({Question, *Size});
    else if (!Least && NullIsUnknown && !(Dynamic ? Computed : AtOnce).mayBeKnown(Address))
      Answers.push_back({Question, ~uint64_t(0)});
  }
  for (auto [Question, Size] : Answers) {
    Function *Intrinsic = Question->getCalledFunction();
    Question->replaceAllUsesWith(ConstantInt::get(Question->getType(), Size));
    Question->eraseFromParent();
    if (Intrinsic->use_empty())
      Intrinsic->eraseFromParent();
  }
}
