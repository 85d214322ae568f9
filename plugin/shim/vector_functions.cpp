// Functions of vectors that are inlined wherever they are called, as those of immintrin.h: a call of one stands for an instruction.
//
// Code of builds without optimisation stays as it is made at first calls, by a compiler that does not inline; clang does, at -O0 as well.
// Receives a module; inlines these functions as clang's own pass would, and takes away those that nothing uses any more.

#include "inlining.h"

#include "llvm-c/Core.h"
#include "llvm/Analysis/InlineCost.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace {

// Larger ones have more to do than the call.
constexpr unsigned Most = 200;

bool isOne(Function &F) {
  auto IsVector = [](Type *T) { return T->isVectorTy(); };
  return !F.isDeclaration() && F.hasFnAttribute(Attribute::AlwaysInline) && !F.isPresplitCoroutine() &&
         (IsVector(F.getReturnType()) || any_of(F.getFunctionType()->params(), IsVector)) &&
         F.getInstructionCount() <= Most && isInlineViable(F).isSuccess();
}

} // namespace

extern "C" bool autojit_shim_inline_vector_functions(LLVMModuleRef Module) {
  bool Changed = false;
  SmallVector<Function *, 16> Found;
  for (Function &F : *unwrap(Module))
    if (isOne(F))
      Found.push_back(&F);
  for (Function *F : Found) {
    SmallVector<CallBase *, 16> Calls;
    for (User *U : F->users())
      if (auto *Call = dyn_cast<CallBase>(U))
        if (Call->getCalledFunction() == F && Call->hasFnAttr(Attribute::AlwaysInline) &&
            !Call->getAttributes().hasFnAttr(Attribute::NoInline))
          Calls.push_back(Call);
    for (CallBase *Call : Calls) {
      InlineFunctionInfo Info;
      Changed |= InlineFunction(*Call, Info, /*MergeAttributes=*/true, nullptr, /*InsertLifetime=*/false).isSuccess();
    }
  }
  for (Function *F : Found)
    Changed |= inlining::eraseUnused(*F);
  return Changed;
}
