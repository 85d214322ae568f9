// Calls that the runtime rewrites later: they are laid out such that it can.
#pragma once
#include "llvm/CodeGen/AsmPrinterHandler.h"

#include <memory>

namespace llvm {
class AsmPrinter;
}

// Lays out the calls and tail calls of what a batch does not define: the displacement of each lies within an aligned
// word of 8 bytes, so that it can be written with one store while other threads run the call.
std::unique_ptr<llvm::AsmPrinterHandler> layOutCalls(llvm::AsmPrinter &Printer);
