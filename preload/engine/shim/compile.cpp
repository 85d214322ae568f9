// The compiler of a kept-open module. Everything that batches can share is made once: the optimisation pipeline, the
// code generator's passes, and an ORC session with one JITDylib. A batch is a materialisation unit in that dylib; a
// lookup of its root runs IRCompileLayer, and the object layer beneath keeps the object instead of linking it.

#include "compile.h"
#include "describe.h"

#include <new>

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ExecutorProcessControl.h"
#include "llvm/ExecutionEngine/Orc/IRCompileLayer.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"

using namespace llvm;
using namespace llvm::orc;

static Error failure(const Twine &Text) { return make_error<StringError>(Text, inconvertibleErrorCode()); }

Expected<std::unique_ptr<TargetMachine>> createMachine(const Triple &Triple, const autojit_shim_options &Options) {
  std::string Message;
  const Target *Found = TargetRegistry::lookupTarget(Triple, Message);
  if (!Found)
    return failure(Message);
  TargetOptions Defaults;
  static constexpr CodeGenOptLevel Levels[] = {CodeGenOptLevel::None, CodeGenOptLevel::Less, CodeGenOptLevel::Default,
                                               CodeGenOptLevel::Aggressive};
  return std::unique_ptr<TargetMachine>(Found->createTargetMachine(
      Triple, "", "", Defaults, Reloc::PIC_, CodeModel::Small, Levels[std::min<unsigned>(Options.speed, 3)]));
}

namespace {

// The optimiser, with analysis managers that are emptied after each batch.
class Optimizer {
public:
  Optimizer(TargetMachine &Machine, const autojit_shim_options &Options)
      : Library(Machine.getTargetTriple()), Builder(&Machine, tuning(Options)), Level(level(Options)) {
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

  static OptimizationLevel level(const autojit_shim_options &Options) {
    if (Options.size)
      return Options.size == 1 ? OptimizationLevel::Os : OptimizationLevel::Oz;
    static const OptimizationLevel Levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                               OptimizationLevel::O3};
    return Levels[std::min<unsigned>(Options.speed, 3)];
  }

  // As clang and rustc set them: LLVM's default leaves out the SLP vectoriser.
  static PipelineTuningOptions tuning(const autojit_shim_options &Options) {
    PipelineTuningOptions Tuning;
    Tuning.LoopVectorization = Tuning.SLPVectorization = Options.speed > 1 && Options.size < 2;
    return Tuning;
  }
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
  BatchCompiler(autojit_shim_module &Open) : IRCompiler({}), Open(Open), Optimize(*Open.Machine, Open.Options) {}

  Expected<std::unique_ptr<MemoryBuffer>> operator()(Module &M) override {
    Open.Diags->Errors.clear();
    if (Open.Options.verify) {
      std::string Broken;
      raw_string_ostream Out(Broken);
      if (verifyModule(M, &Out))
        return failure("the module is not valid: " + Broken);
    }
    Optimize.run(M);
    UnitDescription Described(Open, M);
    for (Function &F : M) {
      if (F.isDeclaration())
        continue;
      if (F.hasAvailableExternallyLinkage())
        F.deleteBody();
      else if (!F.hasLocalLinkage())
        F.setLinkage(GlobalValue::ExternalLinkage);
    }
    if (!Generate)
      Generate = std::make_unique<Generator>(*Open.Machine, Open.Options.full_debug);
    auto Object = Generate->run(M);
    if (Open.Diags->Errors.empty())
      return Object;
    // What the passes hold after an error is not worth trusting.
    Generate.reset();
    return joinErrors(failure(Open.Diags->Errors), Object.takeError());
  }

private:
  autojit_shim_module &Open;
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
  autojit_shim_module &Open;
  ExecutionSession ES;
  JITDylib &Dylib;
  ObjectKeeper Keeper;
  IRCompileLayer Layer;
  std::string Errors;

  Session(autojit_shim_module &Open)
      : Open(Open), ES(std::make_unique<NoProcess>(Open.Machine->getTargetTriple())),
        Dylib(ES.createBareJITDylib(Open.Kept->getModuleIdentifier())), Keeper(ES),
        Layer(ES, Keeper, std::make_unique<BatchCompiler>(Open)) {
    ES.setErrorReporter([this](Error E) {
      if (!Errors.empty())
        Errors += '\n';
      Errors += toString(std::move(E));
    });
  }
  ~Session() { cantFail(ES.endSession()); }
};

Compiler::Compiler(autojit_shim_module &Module) : S(std::make_unique<Session>(Module)) {}
Compiler::~Compiler() = default;

Expected<std::unique_ptr<MemoryBuffer>> Compiler::compile(Batch &Batch, StringRef Root) {
  Batch.finish();
  if (!Batch.Error.empty())
    return failure(Batch.Error);
  S->Errors.clear();
  ResourceTrackerSP Tracker = S->Dylib.createResourceTracker();
  if (Error E = S->Layer.add(Tracker, ThreadSafeModule(std::move(Batch.To), S->Open.Context)))
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
                                         size_t Count, bool Whole, char **Error) {
  Module->Whole = Whole && Module->Options.full_debug;
  Batch Batch(*Module);
  for (const autojit_shim_member &Member : ArrayRef(Members, Count))
    Batch.add(Member);
  auto Object = Module->Compile->compile(Batch, unwrap(Members->function)->getName());
  if (Object)
    return wrap(Object->release());
  *Error = toText(toString(Object.takeError()));
  return nullptr;
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
