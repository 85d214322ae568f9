// Whether the host's code generator takes the inline assembly of functions that would leave.
//
// Receives calls of inline assembly; puts each, with operands of the same types, into a function of a module of its own,
// and generates code for that. Diagnostics of this attempt are discarded: a function whose assembly is not taken stays in
// the host's module, and the host reports it, unless the code is removed first.

#include <set>
#include <vector>

#include "releases.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace {

// Records whether there was an error or a warning.
struct Recorder final : DiagnosticHandler {
  bool &Reported;
  explicit Recorder(bool &Reported) : Reported(Reported) {}
  bool handleDiagnostics(const DiagnosticInfo &Info) override {
    Reported |= Info.getSeverity() == DS_Error || Info.getSeverity() == DS_Warning;
    return true;
  }
};

// Replaces the host's diagnostic handler of a context, until destruction.
class Recording {
public:
  explicit Recording(LLVMContext &Context) : Context(Context), Host(Context.getDiagnosticHandler()) {
    Context.setDiagnosticHandler(std::make_unique<Recorder>(Reported));
  }
  ~Recording() { Context.setDiagnosticHandler(std::move(Host)); }
  bool Reported = false;

private:
  LLVMContext &Context;
  std::unique_ptr<DiagnosticHandler> Host;
};

bool isSimple(Type *T) {
  if (auto *Structure = dyn_cast<StructType>(T))
    return all_of(Structure->elements(), isSimple);
  return T->isVoidTy() || T->isPointerTy() || (T->isIntegerTy() && T->getIntegerBitWidth() <= 64);
}

// A barrier to the optimiser: nothing to assemble, and any place will do for its operands.
bool isBarrier(const CallBase &Call) {
  auto *Assembly = cast<InlineAsm>(Call.getCalledOperand());
  if (!StringRef(Assembly->getAsmString()).trim().empty() || isa<CallBrInst>(Call) || Call.arg_size() > 4 ||
      !isSimple(Call.getType()) || any_of(Call.args(), [](const Use &U) { return !isSimple(U->getType()); }))
    return false;
  SmallVector<StringRef, 8> Constraints;
  StringRef(Assembly->getConstraintString()).split(Constraints, ',', -1, /*KeepEmpty=*/false);
  return all_of(Constraints, [](StringRef Constraint) {
    for (StringRef Known : {"~{memory}", "~{cc}", "~{flags}", "~{dirflag}", "~{fpsr}"})
      if (Constraint == Known)
        return true;
    Constraint.consume_front("=");
    Constraint.consume_front("&");
    Constraint.consume_front("*");
    return all_of(Constraint, [](char C) { return StringRef("rmgq0123").contains(C); });
  });
}

// A function with the same call, of the same processor.
void addCopy(Module &M, const CallBase &Call) {
  SmallVector<Type *, 8> Types;
  for (const Use &Argument : Call.args())
    if (!isa<ConstantInt, ConstantFP>(Argument))
      Types.push_back(Argument->getType());
  LLVMContext &Context = M.getContext();
  auto *F = Function::Create(FunctionType::get(Type::getVoidTy(Context), Types, false), GlobalValue::ExternalLinkage,
                             "assembles", M);
  const Function *From = Call.getFunction();
  for (const char *Name : {"target-cpu", "tune-cpu", "target-features"})
    if (Attribute A = From->getFnAttribute(Name); A.isValid())
      F->addFnAttr(A);
  if (From->hasFnAttribute(Attribute::NoRedZone))
    F->addFnAttr(Attribute::NoRedZone);
  F->addFnAttr(Attribute::NoUnwind);
  // Any function may come to need one.
  F->addFnAttr("frame-pointer", "all");
  SmallVector<Value *, 8> Arguments;
  auto Parameter = F->arg_begin();
  for (const Use &Argument : Call.args())
    Arguments.push_back(isa<ConstantInt, ConstantFP>(Argument) ? Argument.get() : &*Parameter++);
  auto *Entry = BasicBlock::Create(Context, "", F);
  auto MakeExit = [&] {
    auto *Exit = BasicBlock::Create(Context, "", F);
    ReturnInst::Create(Context, Exit);
    return Exit;
  };
  CallBase *Copy;
  if (auto *Branch = dyn_cast<CallBrInst>(&Call)) {
    SmallVector<BasicBlock *, 4> Labels;
    for (unsigned I = 0; I != Branch->getNumIndirectDests(); ++I)
      Labels.push_back(MakeExit());
    Copy = CallBrInst::Create(Call.getFunctionType(), Call.getCalledOperand(), MakeExit(), Labels, Arguments, "", Entry);
  } else {
    Copy = CallInst::Create(Call.getFunctionType(), Call.getCalledOperand(), Arguments, "", Entry);
    ReturnInst::Create(Context, Entry);
  }
  Copy->setAttributes(Call.getAttributes());
}

bool assemble(ArrayRef<const CallBase *> Calls, const Module &From, TargetMachine &Machine) {
  LLVMContext &Context = From.getContext();
  Recording Diagnostics(Context);
  Module M("assembles", Context);
  M.setDataLayout(From.getDataLayout());
  M.setTargetTriple(From.getTargetTriple());
  M.setPICLevel(From.getPICLevel());
  M.setPIELevel(From.getPIELevel());
  // Headers have the same few in many functions.
  std::set<std::vector<const void *>> Seen;
  for (const CallBase *Call : Calls) {
    std::vector<const void *> Key = {Call->getCalledOperand(), Call->getAttributes().getRawPointer(),
                                     Call->getFunction()->getFnAttribute("target-features").getRawPointer()};
    for (const Use &Argument : Call->args())
      Key.push_back(isa<ConstantInt, ConstantFP>(Argument) ? Argument.get() : nullptr);
    if (Seen.insert(std::move(Key)).second)
      addCopy(M, *Call);
  }
  SmallVector<char, 0> Object;
  raw_svector_ostream Stream(Object);
  legacy::PassManager Passes;
  Passes.add(new TargetLibraryInfoWrapperPass(TargetLibraryInfoImpl(Machine.getTargetTriple())));
  if (Machine.addPassesToEmitFile(Passes, Stream, nullptr, releases::ObjectFile))
    return false;
  Passes.run(M);
  return !Diagnostics.Reported;
}

} // namespace

extern "C" {

// Writes for each call of inline assembly whether the host's code generator takes it. Without a machine, or with an
// assembler outside the process, only barriers are taken.
void autojit_shim_assembles(const LLVMValueRef *Values, size_t Count, void *Host, bool *Taken) {
  auto *Machine = static_cast<TargetMachine *>(Host);
  if (Machine && Machine->Options.DisableIntegratedAS)
    Machine = nullptr;
  SmallVector<const CallBase *, 8> Calls;
  for (size_t I = 0; I != Count; ++I) {
    auto *Call = unwrap<CallBase>(Values[I]);
    Taken[I] = isBarrier(*Call);
    if (!Taken[I])
      Calls.push_back(Call);
  }
  if (Calls.empty() || !Machine)
    return;
  const Module &From = *Calls.front()->getModule();
  const bool All = assemble(Calls, From, *Machine);
  for (size_t I = 0; I != Count; ++I)
    if (!Taken[I])
      Taken[I] = All || assemble(unwrap<CallBase>(Values[I]), From, *Machine);
}

} // extern "C"
