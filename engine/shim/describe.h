// What debuggers are told beyond lines: the description of a whole unit, and the stubs of its functions.
#pragma once
#include "llvm/ADT/SmallVector.h"
#include "llvm/CodeGen/AsmPrinterHandler.h"

#include <memory>

#include "open.h"

namespace llvm {
class AsmPrinter;
class DICompileUnit;
}

// What describes a whole unit: its lists of global variables, enumerations, retained types, imported entities and
// macros, and which variables they are about. Put into a batch, if the batch is to have it, until destruction.
class UnitDescription {
public:
  UnitDescription(autojit_shim_module &Open, llvm::Module &Batch);
  ~UnitDescription();

private:
  llvm::SmallVector<llvm::DICompileUnit *, 1> Units;
};

// On functions with a stub in the image.
inline constexpr llvm::StringLiteral StubbedAttribute = "autojit-stubbed";
// Sections in the place of stubs: this and the function's name. The runtime gives them the stubs' addresses.
inline constexpr llvm::StringLiteral StubSection = ".autojit.stub.";

// Describes the stub of each function as a part of it.
std::unique_ptr<llvm::AsmPrinterHandler> describeStubs(llvm::AsmPrinter &Printer);
