// What every optimiser does first, done before bodies leave optimised builds: small functions become the few instructions that they are.
//
// Such code is what first calls compile, without an optimiser, and what runs until there is something better. Containers become smaller, too.
// Receives a module. Functions that are called come before those that call them; those that are not large are simplified by the passes with
// which LLVM's own pipeline begins, and inlined from then on if they are hardly larger than a call. Functions that ask what object_sizes.cpp
// answers are simplified, too.

#include "inlining.h"
#include "releases.h"

#include "llvm-c/Core.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Analysis/InlineCost.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LowerExpectIntrinsic.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace {

// In instructions, when it has been simplified. With more, objects are larger again: measured with C++ that has many layers of such functions.
constexpr unsigned Small = 8;
// What is larger, as the front end writes it and with what was inlined, is left as it is: simplifying takes time, and what is large makes up
// most of it.
constexpr unsigned Large = 150;
// Of functions that ask for the size of what they are given, and are always inlined.
constexpr unsigned SmallWrapper = 200;

class Simplifier {
public:
  Simplifier(Module &M, TargetMachine *Machine) : Builder(Machine), Library(Triple(M.getTargetTriple())) {
    Functions.registerPass([&] { return TargetLibraryAnalysis(Library); });
    Builder.registerModuleAnalyses(Modules);
    Builder.registerCGSCCAnalyses(Graph);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerLoopAnalyses(Loops);
    Builder.crossRegisterProxies(Loops, Functions, Graph, Modules);
    Passes.addPass(LowerExpectIntrinsicPass());
    Passes.addPass(SimplifyCFGPass());
    Passes.addPass(SROAPass(SROAOptions::ModifyCFG));
    Passes.addPass(EarlyCSEPass());
  }

  void simplify(Function &F) {
    Passes.run(F, Functions);
    Functions.clear(F, F.getName());
  }

  // Whether calls of it may be something else than calls to an optimiser.
  bool isOfLibrary(const Function &F) const {
    LibFunc Number;
    return Library.getLibFunc(F, Number);
  }

private:
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Graph;
  ModuleAnalysisManager Modules;
  PassBuilder Builder;
  TargetLibraryInfoImpl Library;
  FunctionPassManager Passes;
};

bool isToChange(const Function &F) { return !F.isDeclaration() && !F.hasOptNone() && !F.isPresplitCoroutine(); }

// Has calls of the module's own operator new and delete call them: an optimiser that sees a pair of calls, but not what they do, may leave both
// out (C++14), and a plain build's sees what they do first.
void keepOwnOperators(Module &M) {
  for (Function &F : M)
    if (!F.isDeclaration() && is_contained(ArrayRef<StringRef>{"_Znw", "_Zna", "_Zdl", "_Zda"}, F.getName().take_front(4)))
      for (User *U : F.users())
        if (auto *Call = dyn_cast<CallBase>(U); Call && Call->getCalledFunction() == &F) {
          Call->removeFnAttr(Attribute::Builtin);
          Call->addFnAttr(Attribute::NoBuiltin);
        }
}

// Whether anything is there to have the address of a label. What functions with labels, and readers of them, must look like is the front
// end's to say (src/select.rs).
bool hasLabels(const Module &M) {
  return any_of(M, [](const Function &F) {
    return any_of(F, [](const BasicBlock &Block) {
      return Block.hasAddressTaken() || isa_and_nonnull<IndirectBrInst>(Block.getTerminator());
    });
  });
}

// All functions with bodies, what they call directly first.
SmallVector<Function *, 0> calleesFirst(Module &M) {
  struct Open {
    Function *F;
    SmallVector<Function *, 8> Callees;
  };
  SmallVector<Function *, 0> Order;
  SmallVector<Open, 0> Stack;
  DenseSet<const Function *> Seen;
  auto Enter = [&](Function &F) {
    if (F.isDeclaration() || !Seen.insert(&F).second)
      return;
    Stack.push_back({&F, {}});
    for (Instruction &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I))
        if (Function *Callee = Call->getCalledFunction())
          Stack.back().Callees.push_back(Callee);
  };
  for (Function &F : M) {
    Enter(F);
    while (!Stack.empty())
      if (Stack.back().Callees.empty())
        Order.push_back(Stack.pop_back_val().F);
      else
        Enter(*Stack.back().Callees.pop_back_val());
  }
  return Order;
}

// Whether a body has something that belongs to its function, or for which functions stay (src/select.rs).
bool isBound(const Function &F) {
  static constexpr StringLiteral Instrumented[] = {"fentry-call",           "instrument-function-entry", "instrument-function-entry-inlined",
                                                   "instrument-function-exit", "instrument-function-exit-inlined", "function-instrument",
                                                   "patchable-function-entry", "xray-instruction-threshold", "split-stack"};
  if (F.hasSection() || any_of(Instrumented, [&](StringRef Name) { return F.hasFnAttribute(Name); }))
    return true;
  return any_of(instructions(F), [](const Instruction &I) {
    auto *Call = dyn_cast<CallBase>(&I);
    const Function *Callee = Call ? Call->getCalledFunction() : nullptr;
    if (!Callee)
      return Call && Call->isInlineAsm();
    return StringSwitch<bool>(Callee->getName())
        .Case("dlsym", true)
        .Case("dlvsym", true)
        .Case("dlopen", true)
        .Case("dlmopen", true)
        .StartsWith("llvm.returnaddress", true)
        .StartsWith("llvm.frameaddress", true)
        .StartsWith("llvm.addressofreturnaddress", true)
        .Default(false);
  });
}

bool asks(const Function &F, ArrayRef<Intrinsic::ID> Kinds) {
  return any_of(instructions(F), [&](const Instruction &I) {
    auto *Call = dyn_cast<IntrinsicInst>(&I);
    return Call && is_contained(Kinds, Call->getIntrinsicID());
  });
}

bool isWrapper(const Function &F) {
  return F.hasFnAttribute(Attribute::AlwaysInline) && F.getInstructionCount() <= SmallWrapper && asks(F, Intrinsic::objectsize);
}

bool isSmall(Function &F, const Simplifier &Simplify) {
  if (F.getInstructionCount() > Small && !isWrapper(F))
    return false;
  return !F.isInterposable() && !F.hasFnAttribute(Attribute::NoInline) && !Simplify.isOfLibrary(F) && !isBound(F) &&
         isInlineViable(F).isSuccess();
}

// As far as it needs no analysis, what LLVM's inliner asks of a pair.
bool canInline(const Function &Caller, const Function &Callee) {
  auto Same = [&](StringRef Name) { return Caller.getFnAttribute(Name) == Callee.getFnAttribute(Name); };
  // What asks for nothing needs what every processor has.
  auto Runs = [&](StringRef Name) { return !Callee.hasFnAttribute(Name) || Same(Name); };
  return AttributeFuncs::areInlineCompatible(Caller, Callee) && Runs("target-cpu") && Runs("target-features") && Same("no-builtins") &&
         Caller.hasFnAttribute(Attribute::StrictFP) == Callee.hasFnAttribute(Attribute::StrictFP) &&
         Caller.nullPointerIsDefined() == Callee.nullPointerIsDefined();
}

void inlineInto(Function &F, const DenseSet<const Function *> &Smalls) {
  SmallVector<CallBase *, 16> Calls;
  for (Instruction &I : instructions(F))
    if (auto *Call = dyn_cast<CallBase>(&I))
      if (const Function *Callee = Call->getCalledFunction())
        if (Callee != &F && Smalls.contains(Callee) && !Call->isNoInline() && canInline(F, *Callee))
          Calls.push_back(Call);
  for (CallBase *Call : Calls) {
    InlineFunctionInfo Info;
    // What fails stays a call.
    (void)InlineFunction(*Call, Info, /*MergeAttributes=*/true);
  }
}

} // namespace

extern "C" void autojit_shim_inline_small_functions(LLVMModuleRef Module, void *Machine) {
  auto &M = *unwrap(Module);
  keepOwnOperators(M);
  if (hasLabels(M))
    return;
  Simplifier Simplify(M, static_cast<TargetMachine *>(Machine));
  DenseSet<const Function *> Smalls;
  const SmallVector<Function *, 0> Order = calleesFirst(M);
  SmallVector<Intrinsic::ID, 4> Questions;
  for (Intrinsic::ID Kind : {Intrinsic::objectsize, Intrinsic::is_constant})
    if (any_of(M, [&](const Function &F) { return F.getIntrinsicID() == Kind; }))
      Questions.push_back(Kind);
  for (Function *F : Order) {
    if (!isToChange(*F))
      continue;
    inlineInto(*F, Smalls);
    if (F->getInstructionCount() <= Large || (!Questions.empty() && asks(*F, Questions))) {
      Simplify.simplify(*F);
      if (isSmall(*F, Simplify))
        Smalls.insert(F);
    }
  }
  // Those that call others first.
  for (Function *F : reverse(Order))
    if (Smalls.contains(F))
      inlining::eraseUnused(*F);
}
