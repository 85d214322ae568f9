// Whether what a module uses lies in memory as the engine's data layout has it.
//
// LLVM before 18 took integers of more than 64 bits for ones that are aligned to 8 bytes, which shows where a structure or an array of
// them is not laid out by hand, and where they are passed on the stack. Receives a module and another data layout; says whether
// anything in it has another place then.

#include "llvm-c/Core.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"

using namespace llvm;

namespace {

class Comparison {
public:
  Comparison(const DataLayout &Own, const DataLayout &Other) : Own(Own), Other(Other) {}

  bool differs(const Module &M) {
    for (const GlobalVariable &Variable : M.globals())
      if (type(Variable.getValueType()) || (Variable.hasInitializer() && constant(Variable.getInitializer())))
        return true;
    for (const Function &F : M)
      if (function(F))
        return true;
    return false;
  }

private:
  const DataLayout &Own, &Other;
  // Those that have been looked at.
  SmallPtrSet<const Type *, 32> Types;
  SmallPtrSet<const Constant *, 32> Constants;

  bool type(Type *T) {
    if (!Types.insert(T).second)
      return false;
    if (T->isIntegerTy())
      return Own.getTypeAllocSize(T) != Other.getTypeAllocSize(T);
    if (T->isArrayTy() || T->isVectorTy())
      return type(T->getContainedType(0));
    auto *Structure = dyn_cast<StructType>(T);
    if (!Structure || Structure->isOpaque())
      return false;
    for (Type *Element : Structure->elements())
      if (type(Element))
        return true;
    const StructLayout *Here = Own.getStructLayout(Structure), *There = Other.getStructLayout(Structure);
    for (unsigned Index = 0; Index != Structure->getNumElements(); ++Index)
      if (Here->getElementOffset(Index) != There->getElementOffset(Index))
        return true;
    return Here->getSizeInBytes() != There->getSizeInBytes();
  }

  // A place for a value of its own: how much room a number takes is not to be seen there.
  bool place(Type *T) { return !T->isIntegerTy() && type(T); }

  bool address(const Value *V) {
    auto *Address = dyn_cast<GEPOperator>(V);
    return Address && type(Address->getSourceElementType());
  }

  bool constant(const Constant *C) {
    if (isa<GlobalValue>(C) || !Constants.insert(C).second)
      return false;
    return address(C) ||
           any_of(C->operands(), [&](const Use &U) { return isa<Constant>(U) && constant(cast<Constant>(U)); });
  }

  bool function(const Function &F) {
    for (const Argument &A : F.args()) {
      Type *InMemory = A.getPointeeInMemoryValueType();
      if ((InMemory && type(InMemory)) || (!F.isDeclaration() && isOnStack(A.getType())))
        return true;
    }
    for (const BasicBlock &Block : F)
      for (const Instruction &I : Block)
        if (instruction(I))
          return true;
    return false;
  }

  bool instruction(const Instruction &I) {
    if (address(&I))
      return true;
    if (auto *Variable = dyn_cast<AllocaInst>(&I); Variable && place(Variable->getAllocatedType()))
      return true;
    if (isa<LoadInst>(I) && place(I.getType()))
      return true;
    if (auto *Store = dyn_cast<StoreInst>(&I); Store && place(Store->getValueOperand()->getType()))
      return true;
    if (auto *Call = dyn_cast<CallBase>(&I); Call && Call->getIntrinsicID() == Intrinsic::not_intrinsic)
      for (unsigned Index = 0; Index != Call->arg_size(); ++Index) {
        Type *InMemory = Call->getParamByValType(Index);
        if ((InMemory && type(InMemory)) || isOnStack(Call->getArgOperand(Index)->getType()))
          return true;
      }
    return any_of(I.operands(), [&](const Use &U) { return isa<Constant>(U) && constant(cast<Constant>(U)); });
  }

  // clang passes wide integers in halves, but where there are no registers for them: they are aligned as any other then.
  static bool isOnStack(const Type *T) { return T->isIntegerTy() && T->getIntegerBitWidth() > 64; }
};

} // namespace

extern "C" bool autojit_shim_lies_otherwise(LLVMModuleRef Module, const char *Text, size_t Length) {
  DataLayout Other(StringRef(Text, Length));
  return Comparison(unwrap(Module)->getDataLayout(), Other).differs(*unwrap(Module));
}
