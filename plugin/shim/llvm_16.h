// LLVM 16; see releases.h.
#pragma once
#include "before_22.h"

namespace releases {

constexpr auto ObjectFile = llvm::CGFT_ObjectFile;

// Optimisers give the only alias of a local global its name, whatever llvm.compiler.used says of the global itself.
constexpr bool RenamesAliased = true;

inline bool mapsBlocks(const llvm::TargetOptions &Options) {
  return Options.BBSections == llvm::BasicBlockSection::Labels;
}

} // namespace releases
