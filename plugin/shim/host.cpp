// Finds out what the host's options add behind our pass, so that nothing of it is lost from bodies that leave.
//
// Passes: the host's pipeline is built once more, for nothing but the names of its passes, and compared with the one that
// LLVM has for this level. What is in the host's only comes from its options or from another plugin. Code generation: the
// host's TargetMachine has all options. Receives the host's PassBuilder; hands on a HostLook.

#include "host.h"
#include "releases.h"

#include <dlfcn.h>
#include <link.h>

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace {

// PassBuilder does not show what it was made with; an explicit instantiation may name private members.
template <typename Tag, auto Field> struct Private {
  friend auto field(Tag) { return Field; }
};
struct MachineOf {
  friend auto field(MachineOf);
};
struct TuningOf {
  friend auto field(TuningOf);
};
template struct Private<MachineOf, &PassBuilder::TM>;
template struct Private<TuningOf, &PassBuilder::PTO>;

constexpr const char *Marker = "AutojitPass";

thread_local bool Looking = false;

ModulePassManager build(PassBuilder &PB, OptimizationLevel Level) {
  return Level == OptimizationLevel::O0 ? PB.buildO0DefaultPipeline(Level) : PB.buildPerModuleDefaultPipeline(Level);
}

// The names of a pipeline's passes behind ours, in order, with their parameters.
SmallVector<std::string, 0> passesBehind(ModulePassManager &&MPM) {
  std::string Text;
  raw_string_ostream OS(Text);
  // Of a class in an anonymous namespace, the whole name has brackets.
  MPM.printPipeline(OS, [](StringRef ClassName) { return ClassName.substr(ClassName.rfind(':') + 1); });
  StringRef Behind = Text;
  size_t At = Behind.find(Marker);
  Behind = At == StringRef::npos ? Behind : Behind.substr(At + strlen(Marker));
  SmallVector<std::string, 0> Passes;
  while (!Behind.empty()) {
    auto [Pass, Rest] = Behind.split(',');
    // Several adaptors may open or close around one.
    SmallVector<StringRef, 4> Pieces;
    SplitString(Pass, Pieces, "()");
    for (StringRef Piece : Pieces)
      Passes.push_back(Piece.str());
    Behind = Rest;
  }
  return Passes;
}

// What runs passes on parts of a module.
bool isAdaptor(StringRef Pass) {
  static constexpr StringLiteral Adaptors[] = {"module", "cgscc", "function", "loop", "loop-mssa", "devirt", "repeat"};
  return is_contained(Adaptors, Pass.split('<').first);
}

// A pass's name for users: without the ending that most have, and without parameters.
std::string displayName(StringRef Pass) {
  Pass = Pass.split('<').first;
  Pass.consume_back("Pass");
  return Pass.str();
}

void word(std::string &Build, const Twine &Word) {
  if (!Build.empty())
    Build += ' ';
  Build += Word.str();
}

// Compares the host's passes behind ours with LLVM's own.
void comparePasses(HostLook &Look, PassBuilder &PB, OptimizationLevel Level, void (*addMarker)(ModulePassManager &)) {
  PassBuilder Reference(Look.Machine, PB.*field(TuningOf()));
  Reference.registerPipelineStartEPCallback(
      [addMarker](ModulePassManager &MPM, OptimizationLevel) { addMarker(MPM); });
  auto Passes = passesBehind(build(PB, Level)), Known = passesBehind(build(Reference, Level));
  if (Passes == Known)
    return;
  StringMap<int> Counts;
  for (const std::string &Pass : Known)
    ++Counts[Pass];
  auto IsNew = [&](StringRef Pass) {
    return none_of(Known, [&](StringRef Other) { return displayName(Other) == displayName(Pass); });
  };
  size_t Accepted = 0;
  bool New = false;
  for (StringRef Pass : Passes) {
    if (--Counts[Pass] >= 0)
      continue;
    if (Pass.starts_with("BoundsCheckingPass<")) {
      // The engine runs it, at the same place in its pipeline.
      ++Accepted;
      if (!StringRef(Look.Build).contains("bounds-checking"))
        word(Look.Build, Pass.str().replace(0, strlen("BoundsCheckingPass"), "bounds-checking"));
    } else if (Pass.starts_with("LowerAllowCheckPass")) {
      // Sanitizers have it; functions with what it lowers stay.
      ++Accepted;
    } else if (!New && !isAdaptor(Pass)) {
      // Best of all one that has no business in a plain pipeline: others come with it.
      New = IsNew(Pass);
      if (New || Look.Why.empty())
        Look.Why = displayName(Pass) + " needs its bodies";
    }
  }
  if (Look.Why.empty() && Passes.size() != Known.size() + Accepted)
    Look.Why = "its passes are not those of its level of optimisation";
}

// Options of LLVM's own (-mllvm, -C llvm-args) that do not matter to lazy code, or that show in the module. rustc sets
// five of them in each compile.
bool isHarmless(StringRef Option) {
  static constexpr StringLiteral Harmless[] = {
      "enable-matrix",           "generate-type-units",   "x86-asm-syntax",         "time-passes", "stats",
      "generate-arange-section", "mergefunc-use-aliases", "import-cold-multiplier",
      "preserve-alignment-assumptions-during-inlining",   "enable-machine-outliner",
      // clang 16 sets it always.
      "treat-scalable-fixed-error-as-warning"};
  return is_contained(Harmless, Option);
}

// Options of LLVM's own belong to the whole process; the engine compiles for many builds in one.
void compareOptions(HostLook &Look) {
  auto &Options = cl::getRegisteredOptions();
  // In opt, everything on the command line is one.
  if (Options.count("load-pass-plugin"))
    return;
  StringRef First;
  for (const auto &[Name, Option] : Options)
    if (Option->getNumOccurrences() && !isHarmless(Name) && (First.empty() || Name < First))
      First = Name;
  if (!First.empty())
    Look.Why = ("the option -" + First + " is for LLVM as it is in this compiler").str();
}

void tellTuning(HostLook &Look, const PipelineTuningOptions &Tuning, OptimizationLevel Level) {
  // The engine's own choice: clang's, without options.
  const bool Speed = Level.getSpeedupLevel() > 1, Vectors = Speed && Level.getSizeLevel() < 2;
  auto Tell = [&](const char *Name, bool Wanted, bool Expected) {
    if (Wanted != Expected)
      word(Look.Build, Twine(Name) + (Wanted ? "=1" : "=0"));
  };
  Tell("vectorize", Tuning.LoopVectorization, Vectors);
  Tell("slp", Tuning.SLPVectorization, Vectors);
  Tell("unroll", Tuning.LoopUnrolling, Speed);
  Tell("interleave", Tuning.LoopInterleaving, Speed);
}

void lookAtMachine(HostLook &Look) {
  const TargetOptions &Options = Look.Machine->Options, Defaults;
  auto Tell = [&](const char *Word, unsigned Set, unsigned Default) {
    if (Set != Default)
      word(Look.Build, Twine(Word) + "=" + Twine(Set));
  };
  Tell("no-infs", Options.NoInfsFPMath, Defaults.NoInfsFPMath);
  Tell("no-nans", Options.NoNaNsFPMath, Defaults.NoNaNsFPMath);
  Tell("no-signed-zeros", Options.NoSignedZerosFPMath, Defaults.NoSignedZerosFPMath);
  Tell("no-trapping", Options.NoTrappingFPMath, Defaults.NoTrappingFPMath);
  Tell("contract", Options.AllowFPOpFusion, Defaults.AllowFPOpFusion);
  Tell("single-thread", Options.ThreadModel == ThreadModel::Single, false);
  Tell("trap-unreachable", Options.TrapUnreachable, Defaults.TrapUnreachable);
  Tell("no-trap-after-noreturn", Options.NoTrapAfterNoreturn, Defaults.NoTrapAfterNoreturn);
  Tell("align-loops", Options.LoopAlignment, Defaults.LoopAlignment);
  if (!Options.StackUsageOutput.empty())
    Look.Why = "-fstack-usage tells the stack of each function when it is compiled";
  else if (Options.EmitStackSizeSection || releases::mapsBlocks(Options) || releases::hasCallGraphSection(Options))
    Look.Why = "a section of the object describes the code of its functions";
  else if (Options.MisExpect)
    Look.Why = "-Wmisexpect compares a profile with its bodies";
  else if (Options.JMCInstrument)
    Look.Why = "it is instrumented for debuggers";
  else if (Options.GuaranteedTailCallOpt)
    Look.Why = "its calls are all tail calls";
  else if (Look.Machine->getCodeModel() > CodeModel::Small)
    Look.Why = "its code model is not the small one";
}

// Whether another plugin generates code itself.
bool hasOtherGenerator() {
  bool Found = false;
  auto Visit = [](dl_phdr_info *Info, size_t, void *Found) {
    void *Handle = *Info->dlpi_name ? dlopen(Info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
    if (!Handle)
      return 0;
    using Entry = PassPluginLibraryInfo (*)();
    if (auto Plugin = reinterpret_cast<Entry>(dlsym(Handle, "llvmGetPassPluginInfo"))) {
      PassPluginLibraryInfo Library = Plugin();
      *static_cast<bool *>(Found) |= releases::generatesCode(Library);
    }
    dlclose(Handle);
    return 0;
  };
  dl_iterate_phdr(Visit, &Found);
  return Found;
}

} // namespace

bool isLooking() { return Looking; }

std::shared_ptr<HostLook> lookAtHost(PassBuilder &PB, OptimizationLevel Level, void (*addMarker)(ModulePassManager &)) {
  auto Look = std::make_shared<HostLook>();
  Look->Machine = PB.*field(MachineOf());
  Looking = true;
  comparePasses(*Look, PB, Level, addMarker);
  Looking = false;
  if (Look->Why.empty())
    compareOptions(*Look);
  if (Look->Why.empty() && hasOtherGenerator())
    Look->Why = "another plugin generates its code";
  if (Look->Why.empty() && Look->Machine)
    lookAtMachine(*Look);
  tellTuning(*Look, PB.*field(TuningOf()), Level);
  return Look;
}

std::shared_ptr<HostLook> lookAtMachineOnly(PassBuilder &PB) {
  auto Look = std::make_shared<HostLook>();
  Look->Machine = PB.*field(MachineOf());
  return Look;
}

const char *wantsRemarks(Module &M) {
  const LLVMContext &Context = M.getContext();
  if (Context.getLLVMRemarkStreamer() || Context.getMainRemarkStreamer())
    return "a file of remarks tells of its bodies";
  const DiagnosticHandler *Handler = Context.getDiagHandlerPtr();
  return Handler && Handler->isAnyRemarkEnabled() ? "remarks tell of its bodies" : nullptr;
}
