// What differs between the releases of LLVM that the plugin is built for: a file for each, 16, 19 and 22
// (docs/decisions/0057).
#pragma once
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ValueMapper.h"
#if LLVM_VERSION_MAJOR >= 22
#include "llvm_22.h"
#elif LLVM_VERSION_MAJOR >= 19
#include "llvm_19.h"
#else
#include "llvm_16.h"
#endif
