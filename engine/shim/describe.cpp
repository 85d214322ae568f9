// The description of a whole unit. The plugin keeps it in a function of its own, which is read when a debugger wants
// it and never else: loading the lists takes longer than most first calls.
//
//   define void @__autojit_description() { ret void, !autojit.description !{ !{lists of unit}..., !{variables} } }
//
// Lists of a unit are operands 4 to 8 of DICompileUnit; variables are pairs of a global and its debug expression.

#include "describe.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCSectionELF.h"
#include "llvm/MC/MCStreamer.h"

using namespace llvm;

static constexpr unsigned FirstList = 4, Lists = 5;

static MDNode *read(Module &Kept) {
  Function *Holder = Kept.getFunction("__autojit_description");
  if (!Holder)
    return nullptr;
  if (Error E = Holder->materialize()) {
    // A debugger that knows less is no reason to end the program.
    consumeError(std::move(E));
    return nullptr;
  }
  for (Instruction &I : instructions(*Holder))
    if (MDNode *Description = I.getMetadata("autojit.description"))
      return Description;
  return nullptr;
}

// The batch's variable for a kept one. Optimisation drops what no body refers to, so this comes after it.
static GlobalVariable &variable(Module &Batch, const GlobalVariable &Old) {
  if (GlobalVariable *Known = Batch.getGlobalVariable(Old.getName(), /*AllowInternal=*/true))
    return *Known;
  auto *New = new GlobalVariable(Batch, Old.getValueType(), Old.isConstant(), GlobalValue::ExternalLinkage, nullptr,
                                 Old.getName(), nullptr, Old.getThreadLocalMode());
  New->setDSOLocal(Old.isDSOLocal());
  return *New;
}

UnitDescription::UnitDescription(autojit_shim_module &Open, Module &Batch) {
  MDNode *Description = Open.Whole ? read(*Open.Kept) : nullptr;
  if (!Description)
    return;
  unsigned Next = 0;
  for (DICompileUnit *Unit : Batch.debug_compile_units()) {
    auto *Held = cast<MDNode>(Description->getOperand(Next++));
    for (unsigned List = 0; List != Lists; ++List)
      Unit->replaceOperandWith(FirstList + List, Held->getOperand(List));
    Units.push_back(Unit);
  }
  auto *Variables = cast<MDNode>(Description->getOperand(Next));
  for (unsigned I = 0; I + 1 < Variables->getNumOperands(); I += 2)
    if (auto *Old = mdconst::dyn_extract_or_null<GlobalVariable>(Variables->getOperand(I)))
      variable(Batch, *Old).addDebugInfo(cast<DIGlobalVariableExpression>(Variables->getOperand(I + 1)));
}

UnitDescription::~UnitDescription() {
  for (DICompileUnit *Unit : Units)
    for (unsigned List = 0; List != Lists; ++List)
      Unit->replaceOperandWith(FirstList + List, nullptr);
}

namespace {

// Makes each stub a second range of its function, with the line on which the function begins. So there is one function
// for a breakpoint by name, at its code, although the stub has the symbol; and a step into the stub does not look like
// one into code without lines, which debuggers run over.
class StubRanges final : public AsmPrinterHandler {
public:
  explicit StubRanges(AsmPrinter &Printer) : Printer(Printer) {}

  void beginFunction(const MachineFunction *) override { File.reset(); }

  void endInstruction() override {
    // The first line's file, in the numbers of the line table.
    if (!File)
      File = Printer.OutContext.getCurrentDwarfLoc().getFileNum();
  }

  void endFunction(const MachineFunction *MF) override {
    const Function &F = MF->getFunction();
    const DISubprogram *Subprogram = F.getSubprogram();
    if (!Subprogram || !F.hasFnAttribute(StubbedAttribute))
      return;
    MCContext &Context = Printer.OutContext;
    MCStreamer &Out = *Printer.OutStreamer;
    MCSection *Code = Out.getCurrentSectionOnly();
    Out.switchSection(Context.getELFSection(StubSection + Printer.getSymbol(&F)->getName(), ELF::SHT_PROGBITS,
                                            ELF::SHF_ALLOC | ELF::SHF_EXECINSTR));
    MCSymbol *Begin = Context.createTempSymbol(), *End = Context.createTempSymbol();
    Out.emitLabel(Begin);
    if (File)
      Out.emitDwarfLocDirective(*File, Subprogram->getScopeLine(), 0, DWARF2_FLAG_IS_STMT, 0, 0, "");
    Printer.emitNops(StubLength);
    Out.emitLabel(End);
    Out.switchSection(Code);
    // Behind the numbers that the function's blocks have.
    Printer.MBBSectionRanges[MBBSectionID(MF->getNumBlockIDs() + 1)] = {Begin, End};
  }

  void endModule() override {}

private:
  // Bytes of a stub without endbr64 (trampoline/src/arch/x86_64/emit.rs).
  static constexpr unsigned StubLength = 14;
  AsmPrinter &Printer;
  std::optional<unsigned> File;
};

} // namespace

std::unique_ptr<AsmPrinterHandler> describeStubs(AsmPrinter &Printer) { return std::make_unique<StubRanges>(Printer); }
