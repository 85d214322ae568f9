// From a batch's module to an object: optimisation, code generation, and the ORC session around them.
#pragma once
#include "llvm/Support/Error.h"

#include "open.h"

// The target machine of a module: position-independent code; processor and features are attributes of functions.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const llvm::Triple &Triple,
                                                                   const autojit_shim_options &Options);

class Compiler {
public:
  explicit Compiler(autojit_shim_module &Module);
  ~Compiler();
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> compile(Batch &Batch, llvm::StringRef Root);

private:
  struct Session;
  std::unique_ptr<Session> S;
};
