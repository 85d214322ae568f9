// A call that begins in the first half of a word of 8 bytes has its displacement in that word. The assembler's own padding of
// branches (-x86-align-branch) leaves calls through the PLT alone, and these are all that matter here.

#include "calls.h"

#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/CodeGen/MachineInstr.h"
#include "llvm/IR/GlobalValue.h"
#include "llvm/MC/MCStreamer.h"

using namespace llvm;

namespace {

class CallLayout final : public AsmPrinterHandler {
public:
  explicit CallLayout(AsmPrinter &Printer) : Printer(Printer) {}

  void beginInstruction(const MachineInstr *MI) override {
    if (leavesBatch(*MI))
      Printer.OutStreamer->emitValueToAlignment(Align(8), SegmentPrefix, 1, 4);
  }
  void beginFunction(const MachineFunction *) override {}
  void endFunction(const MachineFunction *) override {}
  void endModule() override {}

private:
  // cs: means nothing before a branch in 64-bit mode.
  static constexpr uint8_t SegmentPrefix = 0x2e;
  AsmPrinter &Printer;

  // Whether it is a direct call or tail call of a function that is not in the batch: it may be lazy, and without code
  // yet. What the code generator calls of the libraries (ExternalSymbol) is not.
  static bool leavesBatch(const MachineInstr &MI) {
    if (!MI.isCall() || !MI.getNumOperands() || !MI.getOperand(0).isGlobal())
      return false;
    return MI.getOperand(0).getGlobal()->isDeclarationForLinker();
  }
};

} // namespace

std::unique_ptr<AsmPrinterHandler> layOutCalls(AsmPrinter &Printer) { return std::make_unique<CallLayout>(Printer); }
