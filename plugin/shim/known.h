// What an optimiser may come to know about a value, whatever it inlines: which object an address is in, which number a number is.
//
// Values are followed backwards, through memory, callers and callees, in code whose variables have become values. "Unknown" is as good as
// certain, "known" a possibility. What is read from memory is unknown unless the module writes something known where it may be read from;
// a number that a loop counts is unknown (a loop may be unrolled, which is not foreseen).
#pragma once
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"

namespace knowledge {

using namespace llvm;

// What memory is reached from: without constant and variable offsets.
inline const Value *rootOf(const Value *Address) {
  while (auto *Offset = dyn_cast<GEPOperator>(Address))
    Address = Offset->getPointerOperand();
  return Address;
}

// Visits what uses an address, offsets from it left out. False: not all of it can be seen.
inline bool visitUses(const Value &Address, function_ref<bool(const Use &)> Visit) {
  return all_of(Address.uses(), [&](const Use &U) {
    if (isa<GEPOperator>(U.getUser()) && U.getOperandNo() == 0)
      return visitUses(*U.getUser(), Visit);
    return Visit(U);
  });
}

// Whether an instruction says something of memory without using it.
inline bool isMarker(const User &U) {
  auto *Call = dyn_cast<IntrinsicInst>(&U);
  return Call && (Call->isLifetimeStartOrEnd() || isa<DbgInfoIntrinsic>(Call));
}

// The function that a call reaches, if its body is there.
inline const Function *bodyOf(const CallBase &Call) {
  const Function *Callee = Call.getCalledFunction();
  return Callee && !Callee->isDeclaration() ? Callee : nullptr;
}

class Values {
public:
  // `Computed`: whether it is enough that the program can compute the size of an object when it runs.
  Values(const Module &M, const TargetLibraryInfo &Library, bool Computed) : M(M), Library(Library), Computed(Computed) {}

  bool mayBeKnown(const Value &V) {
    if (Unknown.contains(&V))
      return false;
    if (++Steps > MostSteps || Open.size() > MostDepth)
      return true;
    if (!Open.insert(&V).second) {
      // Around a loop an address is in the object that it was in before.
      if (isa<PHINode>(V) && V.getType()->isPointerTy())
        return true;
      MetItself = true;
      return false;
    }
    const bool Outer = std::exchange(MetItself, false);
    const bool Known = isKnown(V);
    Open.erase(&V);
    if (!Known && (!MetItself || Open.empty()))
      Unknown.insert(&V);
    MetItself |= Outer;
    return Known;
  }

private:
  // A place in memory, as a load or a store names it: a member of a structure, a variable, or null for any other.
  using Place = std::pair<const void *, uint64_t>;
  // What known values are written to.
  struct Written {
    DenseSet<Place> Places;
    bool Anywhere = false;
    bool has(Place P) const { return Anywhere || (P.first ? Places.contains(P) : !Places.empty()); }
    // Numbers are written through so many pointers that only members and variables count for them.
    bool hasNumber(Place P) const { return P.first ? Places.contains(P) : Anywhere; }
  };

  const Module &M;
  const TargetLibraryInfo &Library;
  const bool Computed;
  DenseSet<const Value *> Unknown;
  // What is being looked at; whether an answer hangs on one that is not there yet.
  SmallPtrSet<const Value *, 32> Open;
  bool MetItself = false;
  Written Addresses, Numbers;
  bool HasLooked = false;
  // What this costs must not be noticed.
  size_t Steps = 0;
  static constexpr size_t MostSteps = 1 << 18, MostDepth = 200;

  bool isKnown(const Value &V) {
    if (auto *Argument = dyn_cast<llvm::Argument>(&V))
      return Argument->hasByValAttr() || isPassed(*Argument);
    if (auto *C = dyn_cast<Constant>(&V))
      return isKnown(*C);
    auto *I = dyn_cast<Instruction>(&V);
    if (!I)
      return true;
    if (auto *Variable = dyn_cast<AllocaInst>(I))
      return Computed || isa<ConstantInt>(Variable->getArraySize()) || mayBeKnown(*Variable->getArraySize());
    if (auto *Load = dyn_cast<LoadInst>(I))
      return isRead(*Load);
    if (auto *Call = dyn_cast<CallBase>(I))
      return isReturned(*Call);
    if (auto *Offset = dyn_cast<GetElementPtrInst>(I))
      return mayBeKnown(*Offset->getPointerOperand()) && (Computed || areKnown(Offset->indices()));
    if (auto *Choice = dyn_cast<SelectInst>(I))
      return mayBeKnown(*Choice->getTrueValue()) && mayBeKnown(*Choice->getFalseValue());
    if (auto *Phi = dyn_cast<PHINode>(I))
      return all_of(Phi->incoming_values(), [&](const Use &U) { return mayBeKnown(*U); });
    if (isa<AtomicRMWInst, AtomicCmpXchgInst, LandingPadInst, VAArgInst>(I))
      return false;
    return areKnown(I->operands());
  }

  // Constants are no witnesses: there is one in nearly every computation.
  template <typename Range> bool areKnown(Range &&Operands) {
    return all_of(Operands, [&](const Use &U) { return isa<ConstantInt, ConstantFP>(U) || mayBeKnown(*U); });
  }

  bool isKnown(const Constant &C) {
    if (auto *Variable = dyn_cast<GlobalVariable>(&C))
      return Variable->hasInitializer() && !Variable->isInterposable();
    if (isa<ConstantPointerNull, Function>(C))
      return false;
    if (auto *Offset = dyn_cast<GEPOperator>(&C))
      return mayBeKnown(*Offset->getPointerOperand());
    return true;
  }

  // What a function is called with in this module, if it may be known to it: inlined, or called with nothing else.
  bool isPassed(const Argument &Argument) {
    const Function &F = *Argument.getParent();
    if (F.hasFnAttribute(Attribute::NoInline) && !F.hasLocalLinkage())
      return false;
    return any_of(F.uses(), [&](const Use &U) {
      auto *Call = dyn_cast<CallBase>(U.getUser());
      if (Call && Call->isCallee(&U))
        return Argument.getArgNo() < Call->arg_size() && mayBeKnown(*Call->getArgOperand(Argument.getArgNo()));
      // Called through a pointer that may become known.
      if (Call)
        return bodyOf(*Call) != nullptr;
      auto *Table = dyn_cast<GlobalVariable>(U.getUser());
      return !Table || Table->isConstant();
    });
  }

  // Functions of the C library that return an address in, or a new object as large as, their arguments say.
  bool isUnderstood(const CallBase &Call) const {
    LibFunc Number;
    if (Call.hasFnAttr(Attribute::AllocSize) || Call.getReturnedArgOperand())
      return true;
    const Function *Callee = Call.getCalledFunction();
    if (!Callee || !Library.getLibFunc(*Callee, Number))
      return false;
    StringRef Name = Callee->getName().ltrim('_');
    return any_of(ArrayRef<StringRef>{"str", "mem", "stp", "wcs", "wmem", "malloc", "calloc", "realloc", "valloc", "aligned_alloc",
                                      "reallocf", "vec_", "Znw", "Zna"},
                  [&](StringRef Start) { return Name.starts_with(Start); });
  }

  bool isReturned(const CallBase &Call) {
    if (const Function *Body = bodyOf(Call))
      for (const BasicBlock &Block : *Body)
        if (auto *Return = dyn_cast<ReturnInst>(Block.getTerminator()))
          if (Return->getReturnValue() && mayBeKnown(*Return->getReturnValue()))
            return true;
    if (isa<IntrinsicInst>(Call) || isUnderstood(Call))
      return (Computed && Call.hasFnAttr(Attribute::AllocSize)) || areKnown(Call.args());
    return false;
  }

  bool isRead(const LoadInst &Load) {
    if (!Load.isSimple())
      return false;
    const Value *Root = rootOf(Load.getPointerOperand());
    if (auto *Variable = dyn_cast<AllocaInst>(Root))
      return !isOnlyUnknown(*Variable);
    if (auto *Variable = dyn_cast<GlobalVariable>(Root)) {
      if (Variable->isConstant())
        return true;
      if (Variable->hasLocalLinkage() && isOnlyUnknown(*Variable))
        return isa<GlobalVariable>(rootOf(Variable->getInitializer()));
    }
    look();
    const Place P = placeOf(Load.getPointerOperand());
    return Load.getType()->isIntegerTy() ? Numbers.hasNumber(P) : Addresses.has(P);
  }

  // Whether all that is stored in a variable is unknown, and nothing else writes to it but what is not in this module.
  bool isOnlyUnknown(const Value &Variable) {
    return visitUses(Variable, [&](const Use &U) {
      if (isa<LoadInst>(U.getUser()) || isMarker(*U.getUser()) || isa<MemSetInst>(U.getUser()))
        return true;
      if (auto *Store = dyn_cast<StoreInst>(U.getUser()))
        return U.getOperandNo() == StoreInst::getPointerOperandIndex() && !mayBeKnown(*Store->getValueOperand());
      if (auto *Copy = dyn_cast<MemTransferInst>(U.getUser()))
        return U.getOperandNo() != 0 || !holdsAddresses(*rootOf(Copy->getRawSource()));
      auto *Call = dyn_cast<CallBase>(U.getUser());
      return Call && !Call->isCallee(&U) && !isa<IntrinsicInst>(Call) && !bodyOf(*Call);
    });
  }

  // Whether a copy of an object may bring addresses of others with it.
  static bool holdsAddresses(const Value &Root) {
    if (isa<AllocaInst>(Root))
      return true;
    auto *Variable = dyn_cast<GlobalVariable>(&Root);
    return Variable && Variable->isConstant() && (!Variable->hasInitializer() || Variable->getInitializer()->needsRelocation());
  }

  static Place placeOf(const Value *Address) {
    if (isa<GlobalVariable>(Address))
      return {Address, 0};
    auto *Offset = dyn_cast<GEPOperator>(Address);
    // A first member's address is simplified to that of the structure.
    if (!Offset || !Offset->getSourceElementType()->isStructTy() || !Offset->hasAllConstantIndices() || Offset->hasAllZeroIndices())
      return {nullptr, 0};
    uint64_t Path = 0;
    for (const Use &Index : drop_begin(Offset->indices()))
      Path = Path * 4099 + cast<ConstantInt>(Index)->getZExtValue() + 1;
    return {Offset->getSourceElementType(), Path};
  }

  // Finds out, once, where the module writes known values. What is written may have been read elsewhere.
  void look() {
    if (std::exchange(HasLooked, true))
      return;
    for (bool Grown = true; Grown;) {
      Grown = false;
      for (const Function &F : M)
        for (const Instruction &I : instructions(F))
          Grown |= lookAt(I);
      Unknown.clear();
    }
  }

  bool lookAt(const Instruction &I) {
    if (auto *Copy = dyn_cast<MemTransferInst>(&I)) {
      if (isa<AllocaInst>(rootOf(Copy->getRawDest())) || Addresses.Anywhere || !holdsAddresses(*rootOf(Copy->getRawSource())))
        return false;
      return Addresses.Anywhere = true;
    }
    auto *Store = dyn_cast<StoreInst>(&I);
    if (!Store || isa<AllocaInst>(rootOf(Store->getPointerOperand())))
      return false;
    const Value &Stored = *Store->getValueOperand();
    if (Stored.getType()->isFPOrFPVectorTy())
      return false;
    Written &To = Stored.getType()->isIntegerTy() ? Numbers : Addresses;
    const Place P = placeOf(Store->getPointerOperand());
    if ((P.first ? To.Places.contains(P) : To.Anywhere) || !mayBeKnown(Stored))
      return false;
    if (!P.first)
      return To.Anywhere = true;
    return To.Places.insert(P).second;
  }
};

} // namespace knowledge
