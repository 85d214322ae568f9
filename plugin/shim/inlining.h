// What functions that are inlined before bodies leave have in common.
#pragma once
#include "llvm/IR/Comdat.h"
#include "llvm/IR/Function.h"

namespace inlining {

using namespace llvm;

// Takes F away if nothing uses it any more; whether it did.
inline bool eraseUnused(Function &F) {
  F.removeDeadConstantUsers();
  if (!F.isDefTriviallyDead() || (F.hasComdat() && F.getComdat()->getUsers().size() != 1))
    return false;
  F.eraseFromParent();
  return true;
}

} // namespace inlining
