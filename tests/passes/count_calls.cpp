// A pass plugin as others write them: each function of a module calls `counted` first. Where in the pipeline it does so,
// COUNT_AT says: at its start, or at its end.
#include <cstdlib>
#include <cstring>

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Plugins/PassPlugin.h"

using namespace llvm;

namespace {
struct CountCallsPass : PassInfoMixin<CountCallsPass> {
  PreservedAnalyses run(Module &M, ModuleAnalysisManager &) {
    FunctionCallee Counted = M.getOrInsertFunction("counted", Type::getVoidTy(M.getContext()));
    for (Function &F : M)
      if (!F.isDeclaration() && F.getName() != "counted")
        IRBuilder<>(&*F.getEntryBlock().getFirstInsertionPt()).CreateCall(Counted);
    return PreservedAnalyses::none();
  }
  static bool isRequired() { return true; }
};
} // namespace

extern "C" PassPluginLibraryInfo llvmGetPassPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "count-calls", "1", [](PassBuilder &PB) {
            const char *At = getenv("COUNT_AT");
            if (At && !strcmp(At, "start"))
              PB.registerPipelineStartEPCallback(
                  [](ModulePassManager &MPM, OptimizationLevel) { MPM.addPass(CountCallsPass()); });
            else
              PB.registerOptimizerLastEPCallback([](ModulePassManager &MPM, OptimizationLevel, ThinOrFullLTOPhase) {
                MPM.addPass(CountCallsPass());
              });
          }};
}
