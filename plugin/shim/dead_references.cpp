// References that the optimiser removes: in a plain build they are not in the object, and need no definition. Assertions
// at link time are written in this way (`if (sizeof(x) != 4) never_defined();`).
//
// Receives the functions that leave; visits what only such references name. Most references are plainly there to stay
// (witnesses.h), and one of these settles a symbol. For those that are left, the functions around them are copied into a
// module of their own and simplified one by one, and looked at again. What is in doubt then is optimised.
//
// A batch is optimised with less around it, and may keep what is removed here. So only what no run reaches counts: what an
// optimiser may choose (`__builtin_constant_p`, the sizes of objects, other calls in the place of library functions) is
// settled as far as it is in each function alone, and unknown from there on. Functions with references that other choices
// remove have to stay.

#include "releases.h"
#include "witnesses.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/InferFunctionAttrs.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

using namespace llvm;
using namespace references;

namespace {

// Functions in a module of their own, without debug information; all else is declared there.
class Copy final : ValueMaterializer {
public:
  std::unique_ptr<Module> To;

  Copy(const Module &From, const SetVector<const Function *> &Functions) : Functions(Functions) {
    To = std::make_unique<Module>("references", From.getContext());
    To->setDataLayout(From.getDataLayout());
    To->setTargetTriple(From.getTargetTriple());
    for (const Function *F : Functions)
      copy(*F);
    while (!Pending.empty()) {
      auto [Old, New] = Pending.pop_back_val();
      New->setInitializer(MapValue(Old->getInitializer(), Map, Flags, nullptr, this));
    }
  }

private:
  const RemapFlags Flags = releases::remapFlags();
  const SetVector<const Function *> &Functions;
  ValueToValueMapTy Map;
  SmallVector<std::pair<const GlobalVariable *, GlobalVariable *>, 16> Pending;

  Value *materialize(Value *V) override {
    auto *Old = dyn_cast<GlobalValue>(V);
    if (!Old || Old->getParent() == To.get())
      return nullptr;
    if (auto *Type = dyn_cast<FunctionType>(Old->getValueType())) {
      auto *New = Function::Create(Type, GlobalValue::ExternalLinkage, Old->getAddressSpace(), Old->getName(), To.get());
      if (auto *F = dyn_cast<Function>(Old)) {
        New->setCallingConv(F->getCallingConv());
        New->setAttributes(F->getAttributes());
        // As in containers: it is not what its name says.
        if (!F->isDeclaration() && !Functions.contains(F))
          New->addFnAttr(Attribute::NoBuiltin);
      }
      return New;
    }
    auto *Variable = dyn_cast<GlobalVariable>(Old);
    const bool Sized = Variable && Variable->hasDefinitiveInitializer();
    const bool Known = Sized && (Variable->isConstant() || isOurs(*Variable));
    auto *New = new GlobalVariable(*To, Old->getValueType(), Variable && Variable->isConstant(),
                                   Known ? GlobalValue::InternalLinkage : GlobalValue::ExternalLinkage, nullptr,
                                   Old->getName(), nullptr, Old->getThreadLocalMode(), Old->getAddressSpace());
    if (Known) {
      Pending.push_back({Variable, New});
    } else if (Sized) {
      New->setInitializer(PoisonValue::get(Variable->getValueType()));
      New->setLinkage(GlobalValue::AvailableExternallyLinkage);
      New->setExternallyInitialized(true);
    }
    return New;
  }

  // Whether nothing but the functions knows a variable or a function.
  bool isOurs(const GlobalValue &Global) const {
    SmallVector<const Instruction *, 16> Users;
    if (isa<Function>(Global) ? !isDiscardable(cast<Function>(Global)) : !Global.hasLocalLinkage())
      return false;
    // A copy refers to the original's operands before they are replaced.
    return instructions(Global, Users) && all_of(Users, [&](const Instruction *I) {
             return Functions.contains(I->getFunction()) || I->getModule() == To.get();
           });
  }

  void copy(const Function &Old) {
    auto *New = cast<Function>(MapValue(const_cast<Function *>(&Old), Map, Flags, nullptr, this));
    New->setLinkage(isOurs(Old)                           ? GlobalValue::InternalLinkage
                    : Old.hasAvailableExternallyLinkage() ? GlobalValue::AvailableExternallyLinkage
                    : Old.isInterposable()                ? GlobalValue::WeakAnyLinkage
                                                          : GlobalValue::ExternalLinkage);
    if (Old.hasPersonalityFn())
      New->setPersonalityFn(cast<Constant>(MapValue(Old.getPersonalityFn(), Map, Flags, nullptr, this)));
    for (auto [OldArgument, NewArgument] : zip(Old.args(), New->args()))
      Map[&OldArgument] = &NewArgument;
    releases::copyBlocks(*New, Old, Map, this);
    stripDebugInfo(*New);
  }
};

// Discards diagnostics: they come when the real functions are compiled.
struct Discard final : DiagnosticHandler {
  bool handleDiagnostics(const DiagnosticInfo &) override { return true; }
};

// As the engine does (engine/shim/compile.cpp).
struct KeepSizes : PassInfoMixin<KeepSizes> {
  PreservedAnalyses run(Module &M, ModuleAnalysisManager &) {
    for (GlobalVariable &V : M.globals())
      if (V.isDeclaration() && V.isExternallyInitialized()) {
        V.setInitializer(PoisonValue::get(V.getValueType()));
        V.setLinkage(GlobalValue::AvailableExternallyLinkage);
      }
    return PreservedAnalyses::all();
  }
};

class Optimiser {
public:
  Optimiser(Module &M, TargetMachine *Machine, OptimizationLevel Level)
      : M(M), Level(Level), Builder(Machine), Library(Triple(M.getTargetTriple())), Host(M.getContext().getDiagnosticHandler()) {
    M.getContext().setDiagnosticHandler(std::make_unique<Discard>());
    Functions.registerPass([&] { return TargetLibraryAnalysis(Library); });
    Builder.registerOptimizerEarlyEPCallback(
        [](ModulePassManager &Passes, OptimizationLevel, auto...) { Passes.addPass(KeepSizes()); });
    Builder.registerModuleAnalyses(Modules);
    Builder.registerCGSCCAnalyses(Graph);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerLoopAnalyses(Loops);
    Builder.crossRegisterProxies(Loops, Functions, Graph, Modules);
  }
  ~Optimiser() { M.getContext().setDiagnosticHandler(std::move(Host)); }

  // What is done to each function whatever is around it.
  void alone() {
    ModulePassManager Passes;
    Passes.addPass(InferFunctionAttrsPass());
    Passes.addPass(AlwaysInlinerPass());
    Passes.addPass(createModuleToFunctionPassAdaptor(
        Builder.buildFunctionSimplificationPipeline(Level, ThinOrFullLTOPhase::None)));
    Passes.run(M, Modules);
    Modules.clear();
    Functions.clear();
  }

  void whole() { Builder.buildPerModuleDefaultPipeline(Level).run(M, Modules); }

private:
  Module &M;
  OptimizationLevel Level;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Graph;
  ModuleAnalysisManager Modules;
  PassBuilder Builder;
  TargetLibraryInfoImpl Library;
  std::unique_ptr<DiagnosticHandler> Host;
};

// Whether an optimiser may choose what a call returns.
bool isChoice(const Instruction &I) {
  auto *Call = dyn_cast<IntrinsicInst>(&I);
  return Call && is_contained(ArrayRef<Intrinsic::ID>{Intrinsic::is_constant, Intrinsic::objectsize, Intrinsic::coro_alloc},
                              Call->getIntrinsicID());
}

// Makes what is still to be chosen unknown.
void leaveOpen(Module &M) {
  for (Function &F : M)
    for (Instruction &I : make_early_inc_range(llvm::instructions(F)))
      if (isChoice(I)) {
        Constant *Unknown = M.getOrInsertGlobal("__autojit_unknown." + Twine(I.getType()->getIntegerBitWidth()).str(), I.getType());
        I.replaceAllUsesWith(IRBuilder<>(&I).CreateLoad(I.getType(), Unknown, /*isVolatile=*/true));
        I.eraseFromParent();
      }
}

// Leaves nothing to know of a function's calls but whether they are reached.
void hide(Function &F, const Twine &Name) {
  static constexpr Attribute::AttrKind Removable[] = {Attribute::Memory, Attribute::WillReturn, Attribute::Speculatable};
  F.setName(Name);
  for (Attribute::AttrKind Kind : Removable)
    F.removeFnAttr(Kind);
  for (User *U : F.users())
    if (auto *Call = dyn_cast<CallBase>(U))
      for (Attribute::AttrKind Kind : Removable)
        Call->removeFnAttr(Kind);
}

class Search {
public:
  Search(Module &M, ArrayRef<LLVMValueRef> Leaving) : M(M) {
    for (LLVMValueRef F : Leaving)
      Lazy.insert(unwrap<Function>(F));
  }

  // The declared globals that may have no references in the end, with the functions that decide it.
  void look() {
    for (Function &F : M)
      if (F.isDeclaration() && !F.isIntrinsic())
        look(F);
    for (GlobalVariable &V : M.globals())
      if (V.isDeclaration())
        look(V);
  }

  // Visits those of them that no run reaches, and the functions that have to stay because of the others.
  void decide(TargetMachine *Machine, OptimizationLevel Level, function_ref<void(GlobalValue &)> Removed,
              function_ref<void(const Function &)> Stays) {
    if (Doubtful.empty())
      return;
    Copy Copied(M, Around);
    Optimiser Optimise(*Copied.To, Machine, Level);
    Optimise.alone();
    settle(*Copied.To);
    if (Doubtful.empty())
      return;
    leaveOpen(*Copied.To);
    // Whether the frame of a coroutine is allocated is chosen where it is called, and rarely what a symbol hangs on.
    const auto Settled = [](const Instruction *I) { return I->getFunction()->isPresplitCoroutine(); };
    SmallVector<GlobalValue *, 8> Rest;
    for (auto [Global, Left] : zip(Doubtful, remaining(*Copied.To, Optimise, /*Chosen=*/false))) {
      SmallVector<const Instruction *, 16> Users;
      if (!Left)
        Removed(*Global);
      else if (instructions(*Global, Users) && none_of(Users, Settled))
        Rest.push_back(Global);
    }
    const auto Chooses = [](const Function *F) { return any_of(llvm::instructions(*F), isChoice); };
    if (Rest.empty() || none_of(Around, Chooses))
      return;
    Doubtful = std::move(Rest);
    Copy Again(M, Around);
    Optimiser OptimiseAgain(*Again.To, Machine, Level);
    for (auto [Global, Left] : zip(Doubtful, remaining(*Again.To, OptimiseAgain, /*Chosen=*/true))) {
      SmallVector<const Instruction *, 16> Users;
      if (!Left && instructions(*Global, Users))
        for (const Instruction *I : Users)
          Stays(*I->getFunction());
    }
  }

private:
  Module &M;
  DenseSet<const Function *> Lazy;
  Witnesses Seen{/*Clean=*/false};
  SmallVector<GlobalValue *, 8> Doubtful;
  // By doubtful global, and of all together.
  DenseMap<const GlobalValue *, SmallVector<const Function *, 0>> AroundEach;
  SetVector<const Function *> Around;
  // What is optimised together with a function.
  struct Neighbourhood {
    bool CanMove;
    // Those that it may be inlined into, and that may be inlined into it.
    SetVector<const Function *> Functions;
  };
  DenseMap<const Function *, std::unique_ptr<Neighbourhood>> Neighbourhoods;
  DenseMap<const Function *, size_t> Sizes;
  size_t Size = 0;
  // Instructions that are optimised for this, most of them simplified before: what that costs must not be noticed.
  size_t Budget = 600;
  static constexpr size_t Inlined = 700;

  // Leaves those whose references are not plainly there either in a copy of which each function has been simplified: in what the
  // front end writes, most values go through memory. What is around none of these need not be optimised.
  void settle(Module &Copied) {
    Witnesses Clean(/*Clean=*/true);
    erase_if(Doubtful, [&](const GlobalValue *Global) {
      const GlobalValue *Same = Copied.getNamedValue(Global->getName());
      SmallVector<const Instruction *, 16> Users;
      return Same && instructions(*Same, Users) && any_of(Users, [&](const Instruction *I) { return Clean.isReached(*I); });
    });
    SetVector<const Function *> Still;
    for (const GlobalValue *Global : Doubtful)
      Still.insert(AroundEach[Global].begin(), AroundEach[Global].end());
    for (const Function *F : Around)
      if (Function *Same = Still.contains(F) ? nullptr : Copied.getFunction(F->getName()))
        Same->deleteBody();
    Around = std::move(Still);
  }

  // Whether there are references to each of the doubtful globals in the end. `Chosen`: as the optimiser chooses.
  SmallVector<bool, 8> remaining(Module &Copied, Optimiser &Optimise, bool Chosen) {
    TargetLibraryInfoImpl Library{Triple(M.getTargetTriple())};
    SmallVector<std::string, 8> Names;
    for (GlobalValue *Global : Doubtful) {
      Names.push_back(Global->getName().str());
      LibFunc Known;
      auto *F = dyn_cast_or_null<Function>(Copied.getNamedValue(Names.back()));
      if (F && (!Chosen || Library.getLibFunc(*F, Known)))
        hide(*F, Names.back() = ("__autojit_hidden." + Twine(Names.size())).str());
    }
    Optimise.whole();
    SmallVector<bool, 8> Left;
    for (const std::string &Name : Names) {
      const GlobalValue *Global = Copied.getNamedValue(Name);
      Left.push_back(Global && !Global->use_empty());
    }
    return Left;
  }

  // Globals are looked at one after the other, and most have the same functions around them.
  size_t size(const Function &F) {
    auto [Known, New] = Sizes.try_emplace(&F, 0);
    return New ? Known->second = F.getInstructionCount() : Known->second;
  }

  const Neighbourhood &neighbourhood(const Function &F) {
    auto [Known, New] = Neighbourhoods.try_emplace(&F);
    if (!New)
      return *Known->second;
    auto Near = std::make_unique<Neighbourhood>();
    // A block whose address is taken belongs to its function.
    Near->CanMove = none_of(F, [](const BasicBlock &Block) { return Block.hasAddressTaken(); });
    if (isDiscardable(F) || F.hasFnAttribute(Attribute::AlwaysInline))
      for (const User *U : F.users())
        if (auto *I = dyn_cast<Instruction>(U))
          Near->Functions.insert(I->getFunction());
    for (const Instruction &I : llvm::instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I))
        if (const Function *Callee = Call->getCalledFunction())
          if (!Callee->isDeclaration() && !Callee->hasFnAttribute(Attribute::NoInline) && size(*Callee) < Inlined)
            Near->Functions.insert(Callee);
    return *(Known->second = std::move(Near));
  }

  void look(GlobalValue &Global) {
    SmallVector<const Instruction *, 16> Users;
    if (Global.hasExternalWeakLinkage() || Global.use_empty() || !instructions(Global, Users))
      return;
    SetVector<const Function *> Needed;
    for (const Instruction *I : Users) {
      if (!Lazy.contains(I->getFunction()) || Seen.isReached(*I))
        return;
      Needed.insert(I->getFunction());
    }
    size_t More = 0;
    for (size_t At = 0; At != Needed.size(); ++At) {
      const Function &F = *Needed[At];
      const Neighbourhood &Near = neighbourhood(F);
      if (!Near.CanMove)
        return;
      if (!Around.contains(&F))
        More += size(F);
      if (Size + More > Budget)
        return;
      Needed.insert(Near.Functions.begin(), Near.Functions.end());
    }
    Size += More;
    Around.insert(Needed.begin(), Needed.end());
    AroundEach[&Global].assign(Needed.begin(), Needed.end());
    Doubtful.push_back(&Global);
  }
};

} // namespace

extern "C" {

// Whether an instruction of a body that another module defines is there where this one's is inlined, and that may well be done. In C++ the
// definition has the same references.
bool autojit_shim_comes_with_inlining(LLVMValueRef V) {
  constexpr unsigned Large = 150;
  const auto *I = unwrap<Instruction>(V);
  const Function &F = *I->getFunction();
  return !F.hasFnAttribute(Attribute::NoInline) && !F.getName().starts_with("_Z") && F.getInstructionCount() <= Large &&
         Witnesses(/*Clean=*/false).isReachedOnceCalled(*I);
}

// Visits the declared globals to which the functions that leave will not refer when they are optimised, and those of these
// functions that have to stay.
void autojit_shim_dead_references(LLVMModuleRef M, const LLVMValueRef *Leaving, size_t Count, void *Machine,
                                  uint8_t Speed, uint8_t Size, void *Dead, void *Staying,
                                  void (*Visit)(void *, LLVMValueRef)) {
  static const OptimizationLevel Levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                             OptimizationLevel::O3};
  OptimizationLevel Level = Size == 1   ? OptimizationLevel::Os
                            : Size == 2 ? OptimizationLevel::Oz
                                        : Levels[std::min<unsigned>(Speed, 3)];
  Search Search(*unwrap(M), ArrayRef(Leaving, Count));
  Search.look();
  Search.decide(
      static_cast<TargetMachine *>(Machine), Level, [&](GlobalValue &Global) { Visit(Dead, wrap(&Global)); },
      [&](const Function &F) { Visit(Staying, wrap(&F)); });
}

} // extern "C"
