// LLVM 16; see releases.h.
#pragma once
#include "before_22.h"

namespace releases {

constexpr auto ObjectFile = llvm::CGFT_ObjectFile;

inline bool mapsBlocks(const llvm::TargetOptions &Options) {
  return Options.BBSections == llvm::BasicBlockSection::Labels;
}

} // namespace releases
