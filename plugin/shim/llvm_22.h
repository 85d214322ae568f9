// LLVM 22; see releases.h.
#pragma once
#include "llvm/Plugins/PassPlugin.h"

namespace releases {

constexpr auto ObjectFile = llvm::CodeGenFileType::ObjectFile;

constexpr bool RenamesAliased = false;

inline bool mapsBlocks(const llvm::TargetOptions &Options) { return Options.BBAddrMap; }

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

} // namespace releases
