// What differs between the releases of LLVM that the plugin is built for: 19 and 22. With 16 it can be built, too, and is not
// offered: docs/decisions/0057.
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
#include "llvm/Plugins/PassPlugin.h"
#else
#include "llvm/Passes/PassPlugin.h"
#endif

namespace releases {

#if LLVM_VERSION_MAJOR >= 19

constexpr auto ObjectFile = llvm::CodeGenFileType::ObjectFile;

inline bool mapsBlocks(const llvm::TargetOptions &Options) { return Options.BBAddrMap; }

#else

constexpr auto ObjectFile = llvm::CGFT_ObjectFile;

inline bool mapsBlocks(const llvm::TargetOptions &Options) {
  return Options.BBSections == llvm::BasicBlockSection::Labels;
}

#endif

#if LLVM_VERSION_MAJOR >= 22

inline llvm::RemapFlags remapFlags() {
  return llvm::RF_NoModuleLevelChanges | llvm::RF_IgnoreMissingLocals | llvm::RF_DoNotRemapAtoms;
}

// Copies the blocks of a function into a declaration; arguments are in the map.
inline void copyBlocks(llvm::Function &To, const llvm::Function &From, llvm::ValueToValueMapTy &Map,
                       llvm::ValueMaterializer *Materializer) {
  llvm::SmallVector<llvm::ReturnInst *, 8> Returns;
  llvm::CloneFunctionBodyInto(To, From, Map, remapFlags(), Returns, "", nullptr, nullptr, Materializer);
}

inline bool generatesCode(const llvm::PassPluginLibraryInfo &Library) {
  return Library.APIVersion >= 2 && Library.PreCodeGenCallback;
}

inline bool hasCallGraphSection(const llvm::TargetOptions &Options) { return Options.EmitCallGraphSection; }

// A unit's source language, as DW_LANG; 0 if it has no such number.
inline uint16_t language(const llvm::DICompileUnit &Unit) {
  llvm::DISourceLanguageName Language = Unit.getSourceLanguage();
  if (!Language.hasVersionedName())
    return Language.getUnversionedName();
  auto Known =
      llvm::dwarf::toDW_LANG(llvm::dwarf::SourceLanguageName(Language.getName()), Language.getVersion());
  return Known ? *Known : 0;
}

// The names of vector functions that the host's options allow.
inline bool vectorizes(const llvm::TargetMachine &Host) {
  return Host.Options.VecLib != llvm::VectorLibrary::NoLibrary;
}
inline llvm::TargetLibraryInfoImpl library(const llvm::TargetMachine &Host) {
  return llvm::TargetLibraryInfoImpl(Host.getTargetTriple(), Host.Options.VecLib);
}

// Why a module is left alone because of what is known in no other way.
inline const char *unsaid(llvm::Module &, llvm::ModuleAnalysisManager &) { return nullptr; }

#else

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

#endif

} // namespace releases
