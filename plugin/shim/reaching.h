// What is read from memory, followed backwards within a function: what the paths that lead to a load have written there.
#pragma once
#include "llvm/ADT/DenseSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"

namespace knowledge {

using namespace llvm;

// What memory is reached from: without constant and variable offsets.
inline const Value *rootOf(const Value *Address) {
  while (auto *Offset = dyn_cast<GEPOperator>(Address))
    Address = Offset->getPointerOperand();
  return Address;
}

// The function that a call reaches, if its body is there.
inline const Function *bodyOf(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  return Callee && !Callee->isDeclaration() ? Callee : nullptr;
}

// What a path that leads to a load has at its beginning.
enum class Origin {
  // What another function returned the address of.
  Elsewhere,
  // What is allocated, or written as a whole.
  Object,
  // A function that may be inlined.
  Call,
};

class Paths {
public:
  const DataLayout &Layout;
  const TargetLibraryInfo &Library;
  // Of what type the value is that is read.
  Type *const Read;
  // Whether functions that are called stay calls.
  const bool Alone;
  // Whether a value that was stored may be known, whether a path from there may bring something known, the same of where the function
  // is called (with the address there, an offset further), and whether functions that are called may reach the memory behind a pointer.
  const function_ref<bool(const Value &)> MayBeKnown;
  const function_ref<bool(Origin)> MayBring;
  const function_ref<bool(const Value &, int64_t)> MayEnter;
  const function_ref<bool(const Value &)> IsExposed;
  // More than a few instructions are not looked at.
  size_t Left = 2000;

  Paths(const DataLayout &Layout, const TargetLibraryInfo &Library, Type *Read, bool Alone, function_ref<bool(const Value &)> MayBeKnown,
        function_ref<bool(Origin)> MayBring, function_ref<bool(const Value &, int64_t)> MayEnter,
        function_ref<bool(const Value &)> IsExposed)
      : Layout(Layout), Library(Library), Read(Read), Alone(Alone), MayBeKnown(MayBeKnown), MayBring(MayBring), MayEnter(MayEnter), IsExposed(IsExposed) {}

  // Whether something known may be read at an address before an instruction: all paths have written it.
  bool mayBringKnown(const Instruction &Before, const Value &Address, int64_t Offset) {
    SmallVector<Place, 16> Open;
    auto Walk = [&](Place P, BasicBlock::const_reverse_iterator At) {
      for (; At != P.Block->rend(); ++At) {
        if (Left-- == 0)
          return true;
        // Where an address is one of several, each way has its own.
        if (&*At == P.Base && isa<PHINode>(*At))
          break;
        if (std::optional<bool> Known = written(*At, P))
          return *Known;
      }
      if (P.Block->isEntryBlock() && !MayEnter(*P.Base, P.Offset))
        return false;
      auto *Choice = dyn_cast<PHINode>(P.Base);
      for (const BasicBlock *Previous : predecessors(P.Block)) {
        Place Next = Choice && Choice->getParent() == P.Block ? place(*Choice->getIncomingValueForBlock(Previous), P.Offset) : P;
        Next.Block = Previous;
        if (Met.insert({Previous, Next.Base}).second)
          Open.push_back(Next);
      }
      return true;
    };
    Place Own = place(Address, Offset);
    Own.Block = Before.getParent();
    if (!Walk(Own, std::next(Before.getReverseIterator())))
      return false;
    while (!Open.empty() && Left != 0) {
      const Place P = Open.pop_back_val();
      if (!Walk(P, P.Block->rbegin()))
        return false;
    }
    return true;
  }

private:
  // What is read, as seen from a block.
  struct Place {
    const BasicBlock *Block;
    const Value *Base;
    int64_t Offset;
  };
  DenseSet<std::pair<const BasicBlock *, const Value *>> Met;

  Place place(const Value &Address, int64_t Further) const {
    APInt Offset(Layout.getIndexTypeSizeInBits(Address.getType()), 0);
    const Value *Base = Address.stripAndAccumulateConstantOffsets(Layout, Offset, /*AllowNonInbounds=*/true);
    return {nullptr, Base, Further + Offset.getSExtValue()};
  }

  // Whether an instruction leaves something known where the load reads; nothing if what was there may still be.
  std::optional<bool> written(const Instruction &I, const Place &P) const {
    const Value *Root = rootOf(P.Base);
    if (&I == Root) {
      if (isa<LoadInst>(I) || (Alone && isa<PHINode, SelectInst>(I)))
        return std::nullopt;
      auto *Call = dyn_cast<CallBase>(&I);
      LibFunc Number;
      const bool IsFound = Call && (!Call->getCalledFunction() || !Library.getLibFunc(*Call->getCalledFunction(), Number));
      return MayBring(IsFound ? Origin::Elsewhere : Origin::Object);
    }
    if (auto *Store = dyn_cast<StoreInst>(&I)) {
      const Place To = place(*Store->getPointerOperand(), 0);
      if (To.Base != P.Base || To.Offset != P.Offset)
        return std::nullopt;
      return Store->getValueOperand()->getType() != Read || MayBeKnown(*Store->getValueOperand());
    }
    if (auto *Memory = dyn_cast<MemIntrinsic>(&I))
      return rootOf(Memory->getRawDest()) == Root ? std::optional(MayBring(Origin::Object)) : std::nullopt;
    auto *Call = dyn_cast<CallBase>(&I);
    if (!Call || isa<IntrinsicInst>(Call) || !Call->mayWriteToMemory() || Call->isInlineAsm())
      return std::nullopt;
    if (!Alone && bodyOf(*Call))
      return MayBring(Origin::Call);
    const Function *Callee = Call->getCalledFunction();
    LibFunc Number;
    if (Callee ? Library.getLibFunc(*Callee, Number) : !Alone)
      return std::nullopt;
    const bool Passed = any_of(Call->args(), [&](const Use &U) { return rootOf(U) == Root; });
    return Passed || IsExposed(*Root) ? std::optional(false) : std::nullopt;
  }
};

} // namespace knowledge
