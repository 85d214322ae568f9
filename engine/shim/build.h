// The options of a build beyond its level, as the plugin writes them into containers (plugin/shim/host.cpp).
#pragma once
#include <optional>
#include <string>

#include "llvm/ADT/StringRef.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetOptions.h"

struct BuildOptions {
  // The words as they came. Modules that agree in them share compilers.
  std::string Words;

  // Reads words. The error names one that this engine does not know.
  static std::optional<BuildOptions> read(llvm::StringRef Words, std::string &Error);

  // A builder's tuning for a level.
  llvm::PipelineTuningOptions tuning(unsigned Speed, unsigned Size) const;
  llvm::TargetOptions target() const;
  // Whether its passes compute the sizes of objects.
  bool checksBounds() const;
  // Adds the passes that the host would have added to its pipeline.
  void addPasses(llvm::PassBuilder &Builder) const;

private:
  llvm::StringRef value(llvm::StringRef Name) const;
  unsigned number(llvm::StringRef Name, unsigned Default) const;
};
