// Compilers. Everything that batches can share is made once, and lent to one batch after another, of whichever module:
// the optimisation pipeline, the code generator's passes, and an ORC session with one JITDylib. A batch is a
// materialisation unit in that dylib; a lookup of its root runs IRCompileLayer, and the object layer beneath keeps the
// object instead of linking it.

#include "aliases.h"
#include "calls.h"
#include "compile.h"
#include "continuation.h"
#include "describe.h"

#include <mutex>
#include <new>

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ExecutorProcessControl.h"
#include "llvm/ExecutionEngine/Orc/IRCompileLayer.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace llvm::orc;

static Error failure(const Twine &Text) { return make_error<StringError>(Text, inconvertibleErrorCode()); }

static Expected<const Target *> target(const Triple &Triple) {
  std::string Message;
  if (const Target *Found = TargetRegistry::lookupTarget(Triple, Message))
    return Found;
  return failure(Message);
}

Error checkTarget(const Triple &Triple) { return target(Triple).takeError(); }

namespace {

// What a compiler is made for. Modules that agree in it share compilers, whatever contexts they have.
struct Kind {
  Triple Target;
  unsigned Speed, Size;
  bool FullDebug;
  BuildOptions Build;

  explicit Kind(const autojit_shim_module &Open)
      : Target(Open.Kept->getTargetTriple()), Speed(std::min<unsigned>(Open.Options.speed, 3)),
        Size(std::min<unsigned>(Open.Options.size, 2)), FullDebug(Open.Options.full_debug), Build(Open.Build) {}
  bool operator==(const Kind &Other) const {
    return Target == Other.Target && Speed == Other.Speed && Size == Other.Size && FullDebug == Other.FullDebug &&
           Build.Words == Other.Build.Words;
  }
};

// Position-independent code; processor and features are attributes of functions.
std::unique_ptr<TargetMachine> createMachine(const Kind &Kind) {
  static constexpr CodeGenOptLevel Levels[] = {CodeGenOptLevel::None, CodeGenOptLevel::Less, CodeGenOptLevel::Default,
                                               CodeGenOptLevel::Aggressive};
  const Target *Found = cantFail(target(Kind.Target)); // checked when the module was opened
  return std::unique_ptr<TargetMachine>(Found->createTargetMachine(Kind.Target, "", "", Kind.Build.target(), Reloc::PIC_,
                                                                   CodeModel::Small, Levels[Kind.Speed]));
}

// Defines again what stands for variables of the program, for their sizes: the optimiser forgets definitions of others before
// it settles what is left of `llvm.objectsize`.
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

// The optimiser, with analysis managers that are emptied after each batch.
class Optimizer {
public:
  Optimizer(TargetMachine &Machine, const Kind &Kind)
      : Library(Kind.Target), Builder(&Machine, Kind.Build.tuning(Kind.Speed, Kind.Size)), Level(level(Kind)) {
    Kind.Build.addPasses(Builder);
    Builder.registerOptimizerEarlyEPCallback(
        [](ModulePassManager &Passes, OptimizationLevel, ThinOrFullLTOPhase) { Passes.addPass(KeepSizes()); });
    Functions.registerPass([&] { return TargetLibraryAnalysis(Library); });
    Builder.registerModuleAnalyses(Modules);
    Builder.registerCGSCCAnalyses(Graph);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerLoopAnalyses(Loops);
    Builder.crossRegisterProxies(Loops, Functions, Graph, Modules);
    if (Level == OptimizationLevel::O0)
      Unoptimized = Builder.buildO0DefaultPipeline(Level);
  }

  void run(Module &M) {
    if (Level == OptimizationLevel::O0)
      Unoptimized.run(M, Modules);
    else // The inliner's wrapper gives its passes away when it runs, so that a pipeline runs once.
      Builder.buildPerModuleDefaultPipeline(Level).run(M, Modules);
    Modules.clear();
    Graph.clear();
    Functions.clear();
    Loops.clear();
  }

private:
  TargetLibraryInfoImpl Library;
  PassBuilder Builder;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Graph;
  ModuleAnalysisManager Modules;
  OptimizationLevel Level;
  ModulePassManager Unoptimized;

  static OptimizationLevel level(const Kind &Kind) {
    if (Kind.Size)
      return Kind.Size == 1 ? OptimizationLevel::Os : OptimizationLevel::Oz;
    static const OptimizationLevel Levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                               OptimizationLevel::O3};
    return Levels[Kind.Speed];
  }
};

// The code generator's passes.
class CodePasses final : public legacy::PassManager {
public:
  explicit CodePasses(bool FullDebug) : FullDebug(FullDebug) {}

  void add(Pass *P) override {
    if (P->getPassName() == "X86 Assembly Printer") {
      auto &Printer = static_cast<AsmPrinter &>(*P);
      Printer.addAsmPrinterHandler(layOutCalls(Printer));
      if (FullDebug)
        Printer.addAsmPrinterHandler(describeStubs(Printer));
    }
    legacy::PassManager::add(P);
  }

private:
  bool FullDebug;
};

// The code generator. Its passes can run again and again: the streamer is reset after each module.
class Generator {
public:
  Generator(TargetMachine &Machine, bool FullDebug) : Stream(Bytes), Passes(FullDebug) {
    TargetLibraryInfoImpl Library(Machine.getTargetTriple());
    Passes.add(new TargetLibraryInfoWrapperPass(Library));
    Usable = !Machine.addPassesToEmitFile(Passes, Stream, nullptr, CodeGenFileType::ObjectFile);
  }

  Expected<std::unique_ptr<MemoryBuffer>> run(Module &M) {
    if (!Usable)
      return failure("the target cannot emit objects");
    Passes.run(M);
    // The copy is as long as the object; the stream's buffer keeps its capacity for the next one.
    auto Object = std::make_unique<SmallVectorMemoryBuffer>(SmallVector<char, 0>(Bytes.begin(), Bytes.end()),
                                                            M.getModuleIdentifier(), false);
    Bytes.clear();
    return Object;
  }

private:
  SmallVector<char, 0> Bytes;
  raw_svector_ostream Stream;
  CodePasses Passes;
  bool Usable;
};

class BatchCompiler final : public IRCompileLayer::IRCompiler {
public:
  // The module whose batch is compiled.
  autojit_shim_module *Open = nullptr;

  BatchCompiler(const Kind &Made)
      : IRCompiler({}), FullDebug(Made.FullDebug), Machine(createMachine(Made)), Optimize(*Machine, Made) {}

  Expected<std::unique_ptr<MemoryBuffer>> operator()(Module &M) override {
    Open->Diags->Errors.clear();
    if (Open->Options.verify) {
      std::string Broken;
      raw_string_ostream Out(Broken);
      if (verifyModule(M, &Out))
        return failure("the module is not valid: " + Broken);
    }
    Optimize.run(M);
    undefineAliases(M);
    UnitDescription Described(*Open, M);
    for (Function &F : M) {
      if (F.isDeclaration())
        continue;
      if (F.hasAvailableExternallyLinkage())
        F.deleteBody();
      else if (!F.hasLocalLinkage())
        F.setLinkage(GlobalValue::ExternalLinkage);
    }
    if (!Generate)
      Generate = std::make_unique<Generator>(*Machine, FullDebug);
    auto Object = Generate->run(M);
    if (Open->Diags->Errors.empty()) {
      // MCContext::reset leaves the symbols of numbered labels (`1:`) in its table, though it frees them: the next module
      // that has such a label would find them.
      if (hasInlineAssembly(M))
        Generate.reset();
      return Object;
    }
    // What the passes hold after an error is not worth trusting.
    Generate.reset();
    return joinErrors(failure(Open->Diags->Errors), Object.takeError());
  }

private:
  static bool hasInlineAssembly(const Module &M) {
    if (!M.getModuleInlineAsm().empty())
      return true;
    for (const Function &F : M)
      for (const Instruction &I : instructions(F))
        if (const auto *Call = dyn_cast<CallBase>(&I); Call && Call->isInlineAsm())
          return true;
    return false;
  }

  bool FullDebug;
  std::unique_ptr<TargetMachine> Machine;
  Optimizer Optimize;
  std::unique_ptr<Generator> Generate;
};

// No code runs in the session's process: whatever needs one is a mistake.
class NoProcess final : public ExecutorProcessControl {
public:
  NoProcess(const Triple &Triple)
      : ExecutorProcessControl(std::make_shared<SymbolStringPool>(), std::make_unique<InPlaceTaskDispatcher>()) {
    TargetTriple = Triple;
    PageSize = 4096;
  }
  Expected<int32_t> runAsMain(ExecutorAddr, ArrayRef<std::string>) override { llvm_unreachable("no process"); }
  Expected<int32_t> runAsVoidFunction(ExecutorAddr) override { llvm_unreachable("no process"); }
  Expected<int32_t> runAsIntFunction(ExecutorAddr, int) override { llvm_unreachable("no process"); }
  void callWrapperAsync(ExecutorAddr, IncomingWFRHandler, ArrayRef<char>) override { llvm_unreachable("no process"); }
  Error disconnect() override { return Error::success(); }
};

// The layer where others link: the runtime does that, near the image, so it wants the object itself.
class ObjectKeeper final : public ObjectLayer {
public:
  using ObjectLayer::ObjectLayer;
  std::unique_ptr<MemoryBuffer> Object;

  void emit(std::unique_ptr<MaterializationResponsibility> R, std::unique_ptr<MemoryBuffer> O) override {
    Object = std::move(O);
    SymbolMap Symbols;
    for (const auto &[Name, SymbolFlags] : R->getSymbols())
      Symbols[Name] = {ExecutorAddr(), SymbolFlags};
    if (Error E = joinErrors(R->notifyResolved(Symbols), R->notifyEmitted({}))) {
      getExecutionSession().reportError(std::move(E));
      R->failMaterialization();
    }
  }
};

} // namespace

struct Compiler::Session {
  const Kind Made;
  ExecutionSession ES;
  JITDylib &Dylib;
  ObjectKeeper Keeper;
  IRCompileLayer Layer;
  std::string Errors;

  explicit Session(const Kind &Kind)
      : Made(Kind), ES(std::make_unique<NoProcess>(Kind.Target)), Dylib(ES.createBareJITDylib("batches")), Keeper(ES),
        Layer(ES, Keeper, std::make_unique<BatchCompiler>(Kind)) {
    ES.setErrorReporter([this](Error E) {
      if (!Errors.empty())
        Errors += '\n';
      Errors += toString(std::move(E));
    });
  }
  ~Session() { cantFail(ES.endSession()); }
  // Says whose batch is next.
  void serve(autojit_shim_module *Open) { static_cast<BatchCompiler &>(Layer.getCompiler()).Open = Open; }
};

// The compilers that are not in use.
class Compiler::Pool {
public:
  std::unique_ptr<Session> take(const Kind &Wanted) {
    {
      std::lock_guard<std::mutex> Locked(Mutex);
      // From the end: what was used last is in the processor's caches.
      for (size_t I = Idle.size(); I--;)
        if (Idle[I]->Made == Wanted) {
          auto Found = std::move(Idle[I]);
          Idle.erase(Idle.begin() + I);
          return Found;
        }
    }
    return std::make_unique<Session>(Wanted);
  }

  void give(std::unique_ptr<Session> Back) {
    std::unique_ptr<Session> Oldest;
    std::lock_guard<std::mutex> Locked(Mutex);
    Idle.push_back(std::move(Back));
    if (Idle.size() > Most) {
      Oldest = std::move(Idle.front());
      Idle.erase(Idle.begin());
    }
  }

  static Pool &get() {
    static Pool Only;
    return Only;
  }

private:
  // For the threads of a program that starts with all of them at once.
  static constexpr size_t Most = 8;
  std::mutex Mutex;
  SmallVector<std::unique_ptr<Session>, Most + 1> Idle;
};

Compiler::Compiler(autojit_shim_module &Module) : Open(Module), S(Pool::get().take(Kind(Module))) { S->serve(&Open); }

Compiler::~Compiler() {
  S->serve(nullptr);
  Pool::get().give(std::move(S));
}

Expected<std::unique_ptr<MemoryBuffer>> Compiler::compile(Batch &Batch, StringRef Root) {
  Batch.finish();
  if (!Batch.Error.empty())
    return failure(Batch.Error);
  S->Errors.clear();
  ResourceTrackerSP Tracker = S->Dylib.createResourceTracker();
  if (Error E = S->Layer.add(Tracker, ThreadSafeModule(std::move(Batch.To), Open.Context)))
    return E;
  Root.consume_front("\1"); // IR's mark of a name that is the symbol as it stands
  auto Symbol = S->ES.lookup({&S->Dylib}, S->ES.intern(Root));
  std::unique_ptr<MemoryBuffer> Object = std::move(S->Keeper.Object);
  Error Removed = Tracker->remove();
  S->ES.getSymbolStringPool()->clearDeadEntries();
  if (Symbol && !Removed)
    return Object;
  // The reporter has the cause; the lookup only says that there was one.
  Error E = joinErrors(Symbol ? Error::success() : Symbol.takeError(), std::move(Removed));
  if (S->Errors.empty())
    return E;
  consumeError(std::move(E));
  return failure(S->Errors);
}

LLVMMemoryBufferRef autojit_shim_compile(autojit_shim_module *Module, const autojit_shim_member *Members,
                                         size_t Count, bool Whole, const autojit_shim_continued *Continued,
                                         char **Error) {
  Module->Whole = Whole && Module->Options.full_debug;
  Batch Batch(*Module);
  for (const autojit_shim_member &Member : ArrayRef(Members, Count))
    Batch.add(Member);
  auto Fail = [&](llvm::Error E) {
    *Error = toText(toString(std::move(E)));
    return nullptr;
  };
  StringRef Root = unwrap(Members->function)->getName();
  if (Continued) {
    auto Made = continueAt(*Batch.To->getFunction(Root), *Continued, Module->Options.speed > 0);
    if (!Made)
      return Fail(Made.takeError());
    Root = (*Made)->getName();
  }
  auto Object = Compiler(*Module).compile(Batch, Root);
  return Object ? wrap(Object->release()) : Fail(Object.takeError());
}

void autojit_shim_free_text(char *Text) { free(Text); }

void autojit_shim_on_fatal(void (*Handler)(void *, const char *, bool)) {
  install_fatal_error_handler(Handler);
  install_bad_alloc_error_handler(Handler);
}

void autojit_shim_on_no_memory(void (*Handler)(void)) { std::set_new_handler(Handler); }

// The C++ runtime registers each static destructor of LLVM with this. They must not run: exit handlers of the program
// may still call functions for the first time, and run after the handlers of a library that was loaded last.
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }

// mimalloc gives each mapping a name by it. What is set by it is the program's, which may have a filter that ends the process
// at such a call.
extern "C" __attribute__((visibility("hidden"))) int prctl(int, ...) { return -1; }
