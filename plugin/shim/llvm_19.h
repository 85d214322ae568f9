// LLVM 19; see releases.h.
#pragma once
#include "before_22.h"

namespace releases {

constexpr auto ObjectFile = llvm::CodeGenFileType::ObjectFile;

constexpr bool RenamesAliased = false;

inline bool mapsBlocks(const llvm::TargetOptions &Options) { return Options.BBAddrMap; }

} // namespace releases
