// The C++ side of the shim: the kept-open module and what a batch takes out of it.
#pragma once
#include <memory>
#include <string>

#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

#include "build.h"
#include "shim.h"

// Collects LLVM's errors, and drops its warnings and remarks: compilers said them at build time.
struct Diagnostics final : llvm::DiagnosticHandler {
  std::string Errors;
  bool handleDiagnostics(const llvm::DiagnosticInfo &Info) override;
};

struct autojit_shim_module {
  autojit_shim_options Options;
  BuildOptions Build;
  llvm::orc::ThreadSafeContext Context;
  Diagnostics *Diags = nullptr; // the context's
  std::unique_ptr<llvm::Module> Kept;
  bool Whole = false; // the batch describes the whole unit to debuggers

  ~autojit_shim_module();
};

// A module of its own for the functions of a batch, in the context of the kept module: module passes see these
// functions only, and whatever they do to the module, the kept one stays as it was read.
class Batch final : private llvm::ValueMaterializer {
public:
  autojit_shim_module &From;
  std::unique_ptr<llvm::Module> To;
  std::string Error;

  explicit Batch(autojit_shim_module &From);
  void add(const autojit_shim_member &Member);
  // Fills in the constants that the batch's functions use.
  void finish();

private:
  llvm::ValueToValueMapTy Map;
  llvm::SmallVector<std::pair<const llvm::GlobalVariable *, llvm::GlobalVariable *>, 16> Pending;

  llvm::Value *materialize(llvm::Value *Value) override;
  llvm::Function *declare(const llvm::GlobalValue &Old, llvm::FunctionType *Type);
  llvm::GlobalAlias *declareAlias(const llvm::GlobalAlias &Old);
  llvm::GlobalVariable *declareVariable(const llvm::GlobalValue &Old);
  void move(llvm::Function &Old, llvm::Function &New);
  void copy(llvm::Function &Old, llvm::Function &New);
};

char *toText(const std::string &Text);
