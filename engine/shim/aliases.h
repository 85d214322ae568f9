// Aliases in the module of a batch.
#pragma once

namespace llvm {
class Module;
}

// Makes declarations of a batch's aliases, which stand for something only as long as the optimiser looks at them.
void undefineAliases(llvm::Module &M);
