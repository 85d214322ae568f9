// Aliases in the module of a batch, between the optimiser and the code generator.

#include "aliases.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace llvm;

void undefineAliases(Module &M) {
  for (GlobalAlias &Alias : make_early_inc_range(M.aliases())) {
    auto *Aliased = cast<GlobalVariable>(Alias.getAliasee());
    auto *Declared = new GlobalVariable(M, Alias.getValueType(), false, GlobalValue::ExternalWeakLinkage, nullptr);
    Declared->setVisibility(Alias.getVisibility());
    Declared->setDSOLocal(Alias.isDSOLocal());
    Declared->takeName(&Alias);
    // The code generator asks for aliases, too, and also takes two declarations for two objects. What it loads from memory
    // may be any address.
    auto *Cell = new GlobalVariable(M, Alias.getType(), false, GlobalValue::PrivateLinkage, Declared);
    convertUsersOfConstantsToInstructions({&Alias});
    DenseMap<std::pair<User *, BasicBlock *>, Value *> Incoming;
    for (Use &U : make_early_inc_range(Alias.uses())) {
      auto *User = dyn_cast<Instruction>(U.getUser());
      if (!User)
        continue;
      auto *Phi = dyn_cast<PHINode>(User);
      Instruction *At = Phi ? Phi->getIncomingBlock(U)->getTerminator() : User;
      // A phi node has one value for all edges from the same block.
      Value *&Known = Incoming[{User, At->getParent()}];
      if (!Known)
        Known = IRBuilder<>(At).CreateLoad(Alias.getType(), Cell);
      U.set(Known);
    }
    Alias.replaceAllUsesWith(Declared);
    Alias.eraseFromParent();
    Aliased->eraseFromParent();
    if (Cell->use_empty())
      Cell->eraseFromParent();
  }
}
