// What LLVM 16 and 19 have in common; see releases.h.
#pragma once
#include "llvm/Passes/PassPlugin.h"

namespace releases {

inline llvm::RemapFlags remapFlags() { return llvm::RF_NoModuleLevelChanges | llvm::RF_IgnoreMissingLocals; }

inline void copyBlocks(llvm::Function &To, const llvm::Function &From, llvm::ValueToValueMapTy &Map,
                       llvm::ValueMaterializer *Materializer) {
  for (const llvm::BasicBlock &Block : From)
    Map[&Block] = llvm::CloneBasicBlock(&Block, Map, "", &To);
  for (llvm::BasicBlock &Block : To)
    for (llvm::Instruction &I : Block)
      llvm::RemapInstruction(&I, Map, remapFlags(), nullptr, Materializer);
}

inline bool generatesCode(const llvm::PassPluginLibraryInfo &) { return false; }

inline bool hasCallGraphSection(const llvm::TargetOptions &) { return false; }

inline uint16_t language(const llvm::DICompileUnit &Unit) { return Unit.getSourceLanguage(); }

// The options do not say; modules with such a library are left alone.
inline bool vectorizes(const llvm::TargetMachine &) { return false; }
inline llvm::TargetLibraryInfoImpl library(const llvm::TargetMachine &Host) {
  return llvm::TargetLibraryInfoImpl(Host.getTargetTriple());
}

inline const char *unsaid(llvm::Module &M, llvm::ModuleAnalysisManager &Analyses) {
  // Their intrinsics have changed with the passes that lower them.
  if (M.getFunction("llvm.coro.begin"))
    return "its coroutines are for the passes of this release";
  auto &Functions = Analyses.getResult<llvm::FunctionAnalysisManagerModuleProxy>(M).getManager();
  for (llvm::Function &F : M)
    if (!F.isDeclaration()) {
      // Each library has one of these.
      const auto &Library = Functions.getResult<llvm::TargetLibraryAnalysis>(F);
      for (const char *Name : {"sin", "sinf", "exp", "expf", "llvm.sin.f32"})
        if (Library.isFunctionVectorizable(Name))
          return "a library of vector functions is chosen by -fveclib";
      break;
    }
  return nullptr;
}

} // namespace releases
