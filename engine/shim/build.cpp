// Receives the words of a container; hands on what LLVM's pipeline and code generator are made with.

#include "build.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Error.h"

using namespace llvm;

static const StringLiteral BoundsChecking = "bounds-checking";

// Each is "NAME=NUMBER", or a pass with its parameters.
static bool isKnown(StringRef Word) {
  unsigned Number;
  auto [Name, Value] = Word.split('=');
  if (Word.starts_with(BoundsChecking)) {
    PassBuilder Builder;
    FunctionPassManager Passes;
    return !errorToBool(Builder.parsePassPipeline(Passes, Word));
  }
  return !Value.getAsInteger(10, Number) &&
         StringSwitch<bool>(Name)
             .Cases({"vectorize", "slp", "unroll", "interleave", "no-infs", "no-nans", "no-signed-zeros", "no-trapping",
                     "contract", "single-thread", "trap-unreachable", "no-trap-after-noreturn", "align-loops",
                     // A flag of the module, in which the code generator finds it; machines are made for one value each.
                     "align-stack"},
                    true)
             .Default(false);
}

std::optional<BuildOptions> BuildOptions::read(StringRef Words, std::string &Error) {
  SmallVector<StringRef, 8> All;
  Words.split(All, ' ', -1, /*KeepEmpty=*/false);
  for (StringRef Word : All)
    if (!isKnown(Word)) {
      Error = "the build has an option that this engine does not know: " + Word.str();
      return std::nullopt;
    }
  return BuildOptions{Words.str()};
}

bool BuildOptions::checksBounds() const { return StringRef(Words).contains(BoundsChecking); }

StringRef BuildOptions::value(StringRef Name) const {
  SmallVector<StringRef, 8> All;
  StringRef(Words).split(All, ' ', -1, /*KeepEmpty=*/false);
  for (StringRef Word : All)
    if (Word.split('=').first == Name)
      return Word.split('=').second;
  return "";
}

unsigned BuildOptions::number(StringRef Name, unsigned Default) const {
  unsigned Number;
  return value(Name).getAsInteger(10, Number) ? Default : Number;
}

PipelineTuningOptions BuildOptions::tuning(unsigned Speed, unsigned Size) const {
  PipelineTuningOptions Tuning;
  // clang's choice. rustc's differs, and is in the words.
  const bool Fast = Speed > 1, Vectors = Fast && Size < 2;
  Tuning.LoopVectorization = number("vectorize", Vectors);
  Tuning.SLPVectorization = number("slp", Vectors);
  Tuning.LoopUnrolling = number("unroll", Fast);
  Tuning.LoopInterleaving = number("interleave", Fast);
  // It describes the order of functions to linkers of whole programs.
  Tuning.CallGraphProfile = false;
  return Tuning;
}

TargetOptions BuildOptions::target() const {
  TargetOptions Options;
  Options.NoInfsFPMath = number("no-infs", Options.NoInfsFPMath);
  Options.NoNaNsFPMath = number("no-nans", Options.NoNaNsFPMath);
  Options.NoSignedZerosFPMath = number("no-signed-zeros", Options.NoSignedZerosFPMath);
  Options.NoTrappingFPMath = number("no-trapping", Options.NoTrappingFPMath);
  Options.AllowFPOpFusion = FPOpFusion::FPOpFusionMode(number("contract", Options.AllowFPOpFusion));
  Options.ThreadModel = number("single-thread", 0) ? ThreadModel::Single : ThreadModel::POSIX;
  Options.TrapUnreachable = number("trap-unreachable", Options.TrapUnreachable);
  Options.NoTrapAfterNoreturn = number("no-trap-after-noreturn", Options.NoTrapAfterNoreturn);
  Options.LoopAlignment = number("align-loops", Options.LoopAlignment);
  return Options;
}

void BuildOptions::addPasses(PassBuilder &Builder) const {
  SmallVector<StringRef, 8> All;
  StringRef(Words).split(All, ' ', -1, /*KeepEmpty=*/false);
  for (StringRef Word : All)
    if (Word.starts_with(BoundsChecking))
      Builder.registerScalarOptimizerLateEPCallback(
          [&Builder, Pass = Word.str()](FunctionPassManager &Passes, OptimizationLevel) {
            cantFail(Builder.parsePassPipeline(Passes, Pass)); // checked when the module was opened
          });
}
