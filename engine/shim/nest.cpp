// Copies loops that a continuation enters in their middle, so that each of them is entered by its header again.

#include "nest.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

using namespace llvm;

// Instructions that copies may have: the optimiser takes its time for each.
static constexpr size_t Most = 1500;

LoopNest::LoopNest(Function &F, const DominatorTree &Dominators, BasicBlock *Header) : Header(Header) {
  const LoopInfo Loops(Dominators);
  const Loop *Around = Loops.getLoopFor(Header);
  if (!Around || Around->getHeader() != Header)
    return;
  for (; Around; Around = Around->getParentLoop()) {
    for (const BasicBlock *Block : Around->blocks())
      Innermost.try_emplace(Block, Headers.size());
    Headers.push_back(Around->getHeader());
  }
}

// Whether a block can be there several times, with values that go from block to block in variables.
static bool canBeCopied(BasicBlock &Block) {
  if (Block.hasAddressTaken() || isa<IndirectBrInst, CallBrInst>(Block.getTerminator()))
    return false;
  for (Instruction &I : Block) {
    // These name a scope, or a variable, once.
    if (isa<NoAliasScopeDeclInst>(I))
      return false;
    if (isa<AllocaInst>(I) && any_of(I.users(), [](User *U) { return cast<Instruction>(U)->isLifetimeStartOrEnd(); }))
      return false;
    if (const auto *Called = dyn_cast<CallBase>(&I)) {
      const auto *Assembly = dyn_cast<InlineAsm>(Called->getCalledOperand());
      if (Called->cannotDuplicate() || Called->isConvergent() || (Assembly && StringRef(Assembly->getAsmString()).contains(':')))
        return false;
    }
  }
  return true;
}

// What an invocation returns is stored behind it, in a block of its own that is copied along with the invocation's.
static BasicBlock *splitInvocation(InvokeInst &Invoke) {
  BasicBlock *To = Invoke.getNormalDest();
  BasicBlock *Edge = BasicBlock::Create(Invoke.getContext(), "", Invoke.getFunction(), To);
  BranchInst::Create(To, Edge);
  To->replacePhiUsesWith(Invoke.getParent(), Edge);
  Invoke.setNormalDest(Edge);
  return Edge;
}

// Leaves no value that one of these blocks defines and another one uses, and no phis there and behind them.
static void useVariables(const SmallVectorImpl<BasicBlock *> &Blocks, BasicBlock *Entry) {
  SmallVector<Instruction *, 32> Values, Phis;
  SmallPtrSet<BasicBlock *, 32> Seen;
  for (BasicBlock *Block : Blocks) {
    for (Instruction &I : *Block)
      if (any_of(I.users(), [&](User *U) { return isa<PHINode>(U) || cast<Instruction>(U)->getParent() != Block; }))
        Values.push_back(&I);
    SmallVector<BasicBlock *, 4> Here(successors(Block));
    for (Here.push_back(Block); !Here.empty();)
      if (BasicBlock *With = Here.pop_back_val(); Seen.insert(With).second)
        for (PHINode &Phi : With->phis())
          Phis.push_back(&Phi);
  }
  for (Instruction *I : Values)
    DemoteRegToStack(*I, false, Entry->getFirstInsertionPt());
  for (Instruction *Phi : Phis)
    DemotePHIToStack(cast<PHINode>(Phi), Entry->getFirstInsertionPt());
}

namespace {

// A block, the loop that is gone round as a whole or whose round is ended, and which of both.
struct Place {
  BasicBlock *Block;
  unsigned Loop;
  bool Whole;
};

} // namespace

void LoopNest::separate(Function &New, BasicBlock *Entry) {
  if (Headers.size() < 2)
    return;
  SmallVector<BasicBlock *, 32> Blocks;
  SmallVector<size_t, 4> Sizes(Headers.size());
  for (BasicBlock &Block : New)
    if (auto Found = Innermost.find(&Block); Found != Innermost.end())
      Sizes[Found->second] += Block.size();
  // A loop is copied twice, with all that is in it, but the innermost one once.
  size_t Loops = 0, Size = 0, Copied = 0;
  for (; Loops != Headers.size(); ++Loops) {
    Size += Sizes[Loops];
    Copied += Loops ? 2 * Size : Size;
    if (Copied > Most)
      break;
  }
  if (!Loops)
    return;
  for (BasicBlock &Block : New)
    if (auto Found = Innermost.find(&Block); Found != Innermost.end() && Found->second < Loops)
      Blocks.push_back(&Block);
  if (!all_of(Blocks, [](BasicBlock *Block) { return canBeCopied(*Block); }))
    return;
  DenseMap<const BasicBlock *, BasicBlock *> Edges;
  for (size_t I = 0, Count = Blocks.size(); I != Count; ++I)
    if (auto *Invoke = dyn_cast<InvokeInst>(Blocks[I]->getTerminator()); Invoke && !Invoke->use_empty())
      Blocks.push_back(Edges[Blocks[I]] = splitInvocation(*Invoke));
  useVariables(Blocks, Entry);

  using Key = std::pair<BasicBlock *, unsigned>;
  DenseMap<Key, BasicBlock *> Copies;
  SmallVector<std::pair<BasicBlock *, Place>, 32> Work;
  auto CopyOf = [&](Place At) {
    BasicBlock *&Copy = Copies[{At.Block, 2 * At.Loop + At.Whole}];
    if (!Copy) {
      ValueToValueMapTy Map;
      auto Add = [&](BasicBlock *Block) {
        BasicBlock *Cloned = CloneBasicBlock(Block, Map, "", &New);
        for (Instruction &I : *Cloned)
          RemapInstruction(&I, Map, RF_NoModuleLevelChanges | RF_IgnoreMissingLocals);
        Work.push_back({Cloned, At});
        return Cloned;
      };
      Copy = Add(At.Block);
      if (BasicBlock *Edge = Edges.lookup(At.Block))
        cast<InvokeInst>(Copy->getTerminator())->setNormalDest(Add(Edge));
    }
    return Copy;
  };
  auto Behind = [&](Place At, BasicBlock *To) {
    auto Found = Innermost.find(To);
    const unsigned Inside = Found == Innermost.end() ? Loops : std::min<unsigned>(Found->second, Loops);
    const unsigned Loop = std::max(At.Loop, Inside);
    if (Loop == Loops)
      return To;
    const bool Stays = At.Whole && Loop == At.Loop;
    return CopyOf({To, Loop, Stays || To == Headers[Loop]});
  };
  Entry->getTerminator()->replaceSuccessorWith(Header, CopyOf({Header, 0, true}));
  while (!Work.empty()) {
    auto [Copy, At] = Work.pop_back_val();
    Instruction *End = Copy->getTerminator();
    for (unsigned I = 0; I != End->getNumSuccessors(); ++I)
      End->setSuccessor(I, Behind(At, End->getSuccessor(I)));
  }
  removeUnreachableBlocks(New);
}
