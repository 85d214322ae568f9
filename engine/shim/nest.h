// The loops around the header of a continuation, which are to stay loops of their own.
#pragma once
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace llvm {
class BasicBlock;
class DominatorTree;
class Function;
} // namespace llvm

// Receives the function as it was, whose loops are entered by their headers; hands on a continuation that enters one of them:
// with that alone all loops around it would be entered in their middle, and optimisers would see a single loop that begins
// anywhere, with counters that begin with anything.
class LoopNest {
public:
  // Finds the loops around `Header`, in the function before anything else enters them.
  LoopNest(llvm::Function &F, const llvm::DominatorTree &Dominators, llvm::BasicBlock *Header);

  // Has the branch at the end of `Entry` to the header lead to copies: of the innermost loop, from there to the rest of this
  // round of the loop around it, from there to that loop as a whole, and so on. Leaves the function alone if that cannot
  // be, or would become too large.
  void separate(llvm::Function &New, llvm::BasicBlock *Entry);

private:
  llvm::BasicBlock *Header;
  // The headers of the loops, from the innermost one on; none if `Header` is not the innermost's.
  llvm::SmallVector<llvm::BasicBlock *, 4> Headers;
  // The innermost loop that a block is in, by its number in `Headers`.
  llvm::DenseMap<const llvm::BasicBlock *, unsigned> Innermost;
};
