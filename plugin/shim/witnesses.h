// References that are plainly there to stay: nothing but what a program reads or is told when it runs decides whether they are
// reached.
#pragma once
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

namespace references {

using namespace llvm;

// Whether a function may come to be known by its callers alone.
inline bool isDiscardable(const Function &F) { return F.hasLocalLinkage() || F.hasLinkOnceLinkage(); }

// Whether the optimiser may compute what a call returns: mathematics, and functions that only read, of constants.
inline bool isFoldable(const CallBase &Call) {
  return Call.arg_size() && all_of(Call.args(), [](const Use &U) { return isa<Constant>(U); }) &&
         (Call.onlyReadsMemory() || all_of(Call.args(), [](const Use &U) { return isa<ConstantFP>(U); }));
}

// Looks for references that no optimiser removes.
class Witnesses {
public:
  // `Clean`: values that are the same are one. `Inlined`: what is passed is known.
  explicit Witnesses(bool Clean, bool Inlined = false) : Clean(Clean), Inlined(Inlined) {}

  // Whether control may reach an instruction, as far as can be told before the program runs.
  bool isReached(const Instruction &I) {
    // Its code may be gone altogether.
    return !I.getFunction()->hasAvailableExternallyLinkage() && isReachedOnceCalled(I);
  }

  // The same where another module defines the function, if this one's body is inlined, and for some arguments.
  bool isReachedOnceCalled(const Instruction &I) {
    const Function &F = *I.getFunction();
    auto *Call = dyn_cast<CallBase>(&I);
    if (Call && isFoldable(*Call))
      return false;
    SmallPtrSet<const BasicBlock *, 32> Seen;
    SmallVector<const BasicBlock *, 32> Next = {I.getParent()};
    while (!Next.empty() && Seen.size() < (Clean ? 1024 : 64)) {
      const BasicBlock *Block = Next.pop_back_val();
      if (Block->isEntryBlock())
        return !isDiscardable(F) || isCalledPlainly(F);
      if (!Seen.insert(Block).second)
        continue;
      for (const BasicBlock *Before : predecessors(Block))
        if (isOpen(*Before->getTerminator(), Depth) || endsLoop(*Before))
          Next.push_back(Before);
      // Whatever is decided between the two.
      if (const BasicBlock *Fork = Clean ? joins(*Block) : nullptr)
        Next.push_back(Fork);
    }
    return false;
  }

private:
  struct DominatorTrees {
    DominatorTree Dominators;
    PostDominatorTree PostDominators;
  };

  const bool Clean, Inlined;
  std::unique_ptr<Witnesses> Callees;
  DenseMap<const Function *, bool> Called, Returned;
  DenseMap<const Value *, bool> Outside;
  DenseMap<const Function *, std::unique_ptr<DominatorTrees>> Trees;
  const unsigned Depth = Clean ? 12 : 4;

  const DominatorTrees &trees(const BasicBlock &Block) {
    auto &F = const_cast<Function &>(*Block.getParent());
    auto &Known = Trees[&F];
    if (!Known)
      Known = std::make_unique<DominatorTrees>(DominatorTrees{DominatorTree(F), PostDominatorTree(F)});
    return *Known;
  }

  // The block that all ways to this one come from.
  const BasicBlock *above(const BasicBlock &Block) {
    const DomTreeNode *Node = trees(Block).Dominators.getNode(&Block), *Above = Node ? Node->getIDom() : nullptr;
    return Above ? Above->getBlock() : nullptr;
  }

  // That block, if all ways from there lead to this one.
  const BasicBlock *joins(const BasicBlock &Block) {
    const BasicBlock *Fork = above(Block);
    return Fork && trees(Block).PostDominators.dominates(&Block, Fork) ? Fork : nullptr;
  }

  // Whether a block goes round a loop or leaves it, as happens in the end.
  bool endsLoop(const BasicBlock &Block) {
    return Clean && any_of(successors(&Block), [&](const BasicBlock *Next) { return trees(Block).Dominators.dominates(Next, &Block); });
  }

  // Whether the run decides which way leads to values that differ.
  bool isChosenOutside(const PHINode &Values, unsigned Left) {
    const BasicBlock *Fork = Clean && !Values.hasConstantOrUndefValue() ? above(*Values.getParent()) : nullptr;
    return Fork && Fork->getTerminator()->getNumSuccessors() > 1 && isOpen(*Fork->getTerminator(), Left);
  }

  // Whether something refers to a function for sure.
  bool isCalledPlainly(const Function &F) {
    auto [Known, New] = Called.try_emplace(&F, false); // false too while it is asked: recursion is no witness
    if (!New)
      return Known->second;
    bool Found = false;
    unsigned Looked = 0;
    for (const User *U : F.users()) {
      if (++Looked > 16)
        break;
      auto *I = dyn_cast<Instruction>(U);
      if (!I || isReached(*I)) {
        Found = true;
        break;
      }
    }
    return Called[&F] = Found;
  }

  // Whether it depends on the run where a block's end goes.
  bool isOpen(const Instruction &End, unsigned Left) {
    if (auto *Branch = dyn_cast<BranchInst>(&End))
      return Branch->isUnconditional() || decides(Branch->getCondition(), Left);
    if (auto *Switch = dyn_cast<SwitchInst>(&End))
      return comesFromOutside(Switch->getCondition(), Left);
    return true;
  }

  // Whether a condition is one that the run decides: something from outside, compared with something else.
  bool decides(const Value *Condition, unsigned Left) {
    if (auto *Compare = dyn_cast<CmpInst>(Condition)) {
      const Value *A = Compare->getOperand(0), *B = Compare->getOperand(1);
      if (isa<Constant>(B) || (Clean ? A != B : origin(A) != origin(B)))
        return comesFromOutside(A, Left) || (!isa<Constant>(B) && comesFromOutside(B, Left));
      return false;
    }
    return comesFromOutside(Condition, Left);
  }

  static const Value *origin(const Value *V) {
    while (auto *I = dyn_cast<Instruction>(V)) {
      if (!isa<LoadInst, CastInst, GetElementPtrInst>(I))
        break;
      V = I->getOperand(0);
    }
    return V;
  }

  // Whether a value is read from memory that other modules write, returned by a function of another module, or an argument that
  // another module passes: also by way of a local variable or of a function of this module.
  bool comesFromOutside(const Value *V, unsigned Left) {
    if (!Left)
      return false;
    auto [Answer, New] = Outside.try_emplace(V, false); // false too while it is asked: what goes round comes from elsewhere
    if (!New)
      return Answer->second;
    const bool Found = looksFromOutside(V, Left - 1);
    return Outside[V] = Found;
  }

  bool looksFromOutside(const Value *V, unsigned Left) {
    if (auto *Argument = dyn_cast<llvm::Argument>(V))
      return !Inlined && (!isDiscardable(*Argument->getParent()) || (Clean && isPassedFromOutside(*Argument)));
    if (auto *Call = dyn_cast<CallBase>(V)) {
      const Function *Callee = Call->getCalledFunction();
      if (auto *Intrinsic = dyn_cast<IntrinsicInst>(Call))
        return Intrinsic->getIntrinsicID() == Intrinsic::expect ? comesFromOutside(Call->getArgOperand(0), Left)
                                                                : Clean && isMadeFromOutside(V, Left);
      return !Callee || (Callee->isDeclaration() ? !isFoldable(*Call) : Clean && returnsFromOutside(*Callee));
    }
    if (auto *Load = dyn_cast<LoadInst>(V)) {
      const Value *From = Load->getPointerOperand(), *Base = Clean ? base(From) : origin(From);
      if (auto *Slot = dyn_cast<AllocaInst>(Base))
        return (Clean || Base == From) && isWrittenFromOutside(*Slot, Left);
      if (auto *Variable = dyn_cast<GlobalVariable>(Base))
        return !Variable->isConstant() && !Variable->hasLocalLinkage();
      return Clean ? comesFromOutside(Base, Left) : isa<CallBase>(Base);
    }
    if (isa<CastInst, FreezeInst>(V))
      return comesFromOutside(cast<Instruction>(V)->getOperand(0), Left);
    if (auto *Operation = dyn_cast<BinaryOperator>(V); Operation && isa<ConstantInt>(Operation->getOperand(1)))
      return comesFromOutside(Operation->getOperand(0), Left);
    return Clean && isMadeFromOutside(V, Left);
  }

  // The same for values that may be known, though nothing that they are made of is, until that was simplified.
  bool isMadeFromOutside(const Value *V, unsigned Left) {
    if (isa<CmpInst>(V))
      return decides(V, Left);
    if (isa<GetElementPtrInst, ExtractValueInst>(V))
      return comesFromOutside(cast<Instruction>(V)->getOperand(0), Left);
    if (isa<PHINode, SelectInst, MinMaxIntrinsic>(V))
      return any_of(cast<Instruction>(V)->operands(), [&](const Use &U) { return comesFromOutside(U, Left); }) ||
             (isa<PHINode>(V) && isChosenOutside(cast<PHINode>(*V), Left));
    if (auto *Operation = dyn_cast<BinaryOperator>(V)) {
      const Value *A = Operation->getOperand(0), *B = Operation->getOperand(1);
      if (is_contained({Instruction::Add, Instruction::Sub, Instruction::Xor}, Operation->getOpcode()))
        return comesFromOutside(A, Left) || comesFromOutside(B, Left);
      return comesFromOutside(A, Left) && comesFromOutside(B, Left);
    }
    return false;
  }

  // What an address is relative to.
  static const Value *base(const Value *Address) {
    while (isa<CastInst, GetElementPtrInst>(Address))
      Address = cast<Instruction>(Address)->getOperand(0);
    return Address;
  }

  // Whether a call that is reached passes something from outside, or is in another module.
  bool isPassedFromOutside(const llvm::Argument &Argument) {
    unsigned Looked = 0;
    for (const User *U : Argument.getParent()->users()) {
      if (++Looked > 16)
        break;
      auto *I = dyn_cast<Instruction>(U);
      auto *Call = dyn_cast<CallBase>(U);
      const bool Known = Call && Call->getCalledOperand() == Argument.getParent() && Argument.getArgNo() < Call->arg_size();
      if ((!Known || comesFromOutside(Call->getArgOperand(Argument.getArgNo()), Depth)) && (!I || isReached(*I)))
        return true;
    }
    return false;
  }

  // Whether that is so whatever is passed.
  bool returnsFromOutside(const Function &F) {
    if (!Inlined) {
      if (!Callees)
        Callees = std::make_unique<Witnesses>(Clean, /*Inlined=*/true);
      return Callees->returnsFromOutside(F);
    }
    auto [Answer, New] = Returned.try_emplace(&F, false); // likewise
    if (!New)
      return Answer->second;
    bool Found = any_of(F, [&](const BasicBlock &Block) {
      auto *Return = dyn_cast<ReturnInst>(Block.getTerminator());
      return Return && Return->getReturnValue() && comesFromOutside(Return->getReturnValue(), Depth);
    });
    return Returned[&F] = Found;
  }

  // Whether something from outside is stored in a local variable, or its address is given away.
  bool isWrittenFromOutside(const Instruction &Address, unsigned Left) {
    for (const User *U : Address.users()) {
      if (auto *Store = dyn_cast<StoreInst>(U)) {
        if (Store->getValueOperand() == &Address || comesFromOutside(Store->getValueOperand(), Left))
          return true;
      } else if (auto *Call = dyn_cast<CallBase>(U)) {
        const Function *Callee = Call->getCalledFunction();
        if (!Callee || (!Callee->isIntrinsic() && (!Clean || Callee->isDeclaration())))
          return true;
      } else if (Clean && isa<CastInst, GetElementPtrInst>(U)) {
        if (isWrittenFromOutside(*cast<Instruction>(U), Left))
          return true;
      }
    }
    return false;
  }
};

// The instructions that use a global, also by way of constants. False: something else does.
inline bool instructions(const Value &V, SmallVectorImpl<const Instruction *> &Found, unsigned Left = 6) {
  for (const User *U : V.users()) {
    if (auto *I = dyn_cast<Instruction>(U))
      Found.push_back(I);
    else if (!Left || isa<GlobalValue>(U) || !instructions(*U, Found, Left - 1))
      return false;
  }
  return true;
}

} // namespace references
