// What the host will do to a module behind our pass.
#pragma once
#include <memory>
#include <string>

#include "llvm/Passes/PassBuilder.h"

// What is known of the host when it builds its pipeline.
struct HostLook {
  // Why modules are left alone, if so: something behind our pass must see their bodies.
  std::string Why;
  // What the engine is told of the build's options, as words: `BuildOptions` in the engine reads them.
  std::string Build;
  // The host's, for as long as its passes run; null in an opt that has no target.
  llvm::TargetMachine *Machine = nullptr;
};

// Looks at the pipeline that the host is building, and at the options behind it. `addMarker` adds what our callback adds
// while `isLooking()`.
std::shared_ptr<HostLook> lookAtHost(llvm::PassBuilder &PB, llvm::OptimizationLevel Level,
                                     void (*addMarker)(llvm::ModulePassManager &));
bool isLooking();
// The same where others wrote the pipeline, as they do for opt: the passes behind ours are theirs to know.
std::shared_ptr<HostLook> lookAtMachineOnly(llvm::PassBuilder &PB);

// Why this module is left alone, of what is known only when it is compiled: remarks.
const char *wantsRemarks(llvm::Module &M);
