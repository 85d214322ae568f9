// From a batch's module to an object: optimisation, code generation, and the ORC session around them.
#pragma once
#include "llvm/Support/Error.h"

#include "open.h"

// Whether there is a code generator for a target.
llvm::Error checkTarget(const llvm::Triple &Triple);

// A compiler, on loan to the caller until destruction. It costs more than most modules and belongs to none, so there are
// as many as batches that are compiled at once, not as many as modules that are open.
class Compiler {
public:
  explicit Compiler(autojit_shim_module &Module);
  ~Compiler();
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> compile(Batch &Batch, llvm::StringRef Root);

private:
  struct Session;
  class Pool;
  autojit_shim_module &Open;
  std::unique_ptr<Session> S;
};
