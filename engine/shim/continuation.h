// Continuations: functions that go on in the place of a frame of baseline code (on-stack replacement).
#pragma once
#include "llvm/Support/Error.h"

#include "shim.h"

namespace llvm {
class Function;
}

// Makes the continuation of a function of a batch, of which only the declaration is left; `Optimized` if optimisers work on it.
llvm::Expected<llvm::Function *> continueAt(llvm::Function &F, const autojit_shim_continued &At, bool Optimized);
