// What an optimiser may come to know about a value, whatever it inlines: which object an address is in, which number a number is.
//
// Values are followed backwards, through memory, callers and callees, in code whose variables have become values. "Unknown" is as good as
// certain, "known" a possibility. What is read from memory is unknown unless the module writes something known where it may be read from;
// a number that a loop counts is unknown (a loop may be unrolled, which is not foreseen).
#pragma once
#include "reaching.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Metadata.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"

namespace knowledge {

using namespace llvm;

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

// What is asked of values.
enum class Asked {
  // How large the object is that an address is in, behind the address; which number a number is.
  Size,
  // The same if it is enough that the program can compute it when it runs.
  ComputedSize,
  // Whether the object, or the member, at an address is in sight, how large it may be.
  Object,
  // Whether an address may be one of a variable, or of a member of a structure.
  Member,
  // Whether an address is one of constant data.
  Text,
  // What is known of a number without what is called, and without callers.
  Alone,
};

class Values {
public:
  // The others are asked for what this one wants to know of them.
  Values(const Module &M, const TargetLibraryInfo &Library, Asked What, Values *Members = nullptr, Values *Objects = nullptr,
         Values *Texts = nullptr)
      : M(M), Library(Library), What(What), Members(Members), Objects(Objects), Texts(Texts) {}

  bool mayBeKnown(const Value &V) {
    Steps = 0;
    return ask(V);
  }

private:
  // A place in memory, as a load or a store names it: a member of a structure, a variable, a value of a type that may be anywhere
  // (`Scalar`), or null for any other.
  using Place = std::pair<const void *, uint64_t>;
  static constexpr uint64_t Scalar = ~uint64_t(0);
  // What known values are written to.
  struct Written {
    DenseSet<Place> Places;
    bool Anywhere = false;
    bool has(Place P) const { return Anywhere || (P.first && Places.contains(P)); }
    // Numbers are written through so many pointers that only members and variables count for them.
    bool hasNumber(Place P) const { return P.first ? Places.contains(P) : Anywhere; }
  };

  const Module &M;
  const TargetLibraryInfo &Library;
  const Asked What;
  Values *Members, *Objects, *Texts;
  // What is certain, and what has been looked at in this round.
  DenseSet<const Value *> Known, Unknown, Seen;
  Written Addresses, Numbers;
  bool WantsLook = false, HasLooked = false;
  // What this costs must not be noticed.
  size_t Steps = 0, AllSteps = 0, Depth = 0;
  static constexpr size_t MostSteps = 1 << 14, MostOfAll = 1 << 18, MostDepth = 400;

  // What hangs on itself is unknown unless something else makes it known: what is known grows, round by round, from nothing.
  bool ask(const Value &V) {
    return ask([&] { return visit(V); });
  }

  bool ask(function_ref<bool()> MayBeKnown) {
    for (size_t Before = ~size_t(0);;) {
      Before = Known.size();
      Seen.clear();
      if (MayBeKnown())
        return true;
      if (std::exchange(WantsLook, false) && !HasLooked)
        look();
      else if (Known.size() == Before)
        break;
    }
    Unknown.insert(Seen.begin(), Seen.end());
    return false;
  }

  bool visit(const Value &V) {
    if (Known.contains(&V))
      return true;
    if (Unknown.contains(&V) || !Seen.insert(&V).second)
      return false;
    ++AllSteps;
    if (++Steps > MostSteps || AllSteps > MostOfAll || Depth > MostDepth)
      return true;
    ++Depth;
    const bool Is = isKnown(V);
    --Depth;
    if (Is)
      Known.insert(&V);
    return Is;
  }

  bool needsOffsets() const { return What == Asked::Size || What == Asked::Alone; }

  bool isInSight(const Value &Address) { return Objects ? Objects->mayBeKnown(Address) : visit(Address); }

  bool isKnown(const Value &V) {
    if (auto *Argument = dyn_cast<llvm::Argument>(&V))
      return What != Asked::Alone && (Argument->hasByValAttr() || isPassed(*Argument));
    if (auto *C = dyn_cast<Constant>(&V))
      return isKnown(*C);
    auto *I = dyn_cast<Instruction>(&V);
    if (!I)
      return true;
    if (auto *Variable = dyn_cast<AllocaInst>(I))
      return What != Asked::Text && (What != Asked::Size || isa<ConstantInt>(Variable->getArraySize()) || visit(*Variable->getArraySize()));
    if (auto *Load = dyn_cast<LoadInst>(I))
      return isRead(*Load);
    if (auto *Call = dyn_cast<CallBase>(I))
      return isReturned(*Call);
    if (auto *Offset = dyn_cast<GetElementPtrInst>(I))
      return ((What == Asked::Object || What == Asked::Member) && Offset->getSourceElementType()->isStructTy()) ||
             (visit(*Offset->getPointerOperand()) && (!needsOffsets() || areKnown(Offset->indices())));
    if (isa<SelectInst, PHINode>(I))
      return areAllKnown(*I);
    if (isa<AtomicRMWInst, AtomicCmpXchgInst, LandingPadInst, VAArgInst>(I))
      return false;
    return areKnown(I->operands());
  }

  // Whether all are known that a value is one of. Around a loop it is what it was before.
  bool areAllKnown(const Instruction &Choice) {
    SmallVector<const Value *, 8> Open{&Choice};
    SmallPtrSet<const Value *, 8> Met{&Choice};
    while (!Open.empty()) {
      const Value *V = Open.pop_back_val();
      auto Add = [&](const Value *Next) {
        if (Met.insert(Next).second)
          Open.push_back(Next);
      };
      if (auto *Phi = dyn_cast<PHINode>(V))
        for (const Value *Incoming : Phi->incoming_values())
          Add(Incoming);
      else if (auto *Select = dyn_cast<SelectInst>(V))
        Add(Select->getTrueValue()), Add(Select->getFalseValue());
      else if (isa<GetElementPtrInst>(V) && What == Asked::ComputedSize)
        Add(cast<Instruction>(V)->getOperand(0));
      else if (!visit(*V))
        return false;
    }
    return true;
  }

  // Constants are no witnesses: there is one in nearly every computation.
  template <typename Range> bool areKnown(Range &&Operands) {
    return all_of(Operands, [&](const Use &U) { return isa<ConstantInt, ConstantFP>(U) || visit(*U); });
  }

  bool isKnown(const Constant &C) {
    if (auto *Variable = dyn_cast<GlobalVariable>(&C))
      return Variable->hasInitializer() && !Variable->isInterposable() && (What != Asked::Text || Variable->isConstant());
    if (isa<ConstantPointerNull, Function>(C))
      return false;
    if (auto *Offset = dyn_cast<GEPOperator>(&C))
      return visit(*Offset->getPointerOperand());
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
        return Argument.getArgNo() < Call->arg_size() && visit(*Call->getArgOperand(Argument.getArgNo()));
      return mayBeCalled(U);
    });
  }

  // Whether a function may be called through a pointer that becomes known, of a use of it.
  static bool mayBeCalled(const Use &U) {
    if (auto *Call = dyn_cast<CallBase>(U.getUser()))
      return bodyOf(*Call) != nullptr;
    auto *Table = dyn_cast<GlobalVariable>(U.getUser());
    return !Table || Table->isConstant();
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
    if (const Function *Body = What == Asked::Alone ? nullptr : bodyOf(Call))
      for (const BasicBlock &Block : *Body)
        if (auto *Return = dyn_cast<ReturnInst>(Block.getTerminator()))
          if (Return->getReturnValue() && visit(*Return->getReturnValue()))
            return true;
    const Function *Callee = Call.getCalledFunction();
    StringRef Name = Callee ? Callee->getName() : "";
    Name.consume_front("__");
    Name.consume_back("_chk");
    // Only of constant data optimisers know how long a text is.
    if (is_contained(ArrayRef<StringRef>{"strlen", "strnlen", "wcslen"}, Name))
      return !Texts || Texts->mayBeKnown(*Call.getArgOperand(0));
    if (is_contained(ArrayRef<StringRef>{"strcpy", "strcat", "strncpy", "strncat", "memcpy", "memmove", "memset"}, Name))
      return visit(*Call.getArgOperand(0));
    if (What == Asked::Object && (Call.returnDoesNotAlias() || isUnderstood(Call)))
      return true;
    if (isa<IntrinsicInst>(Call) || isUnderstood(Call))
      return What == Asked::Text || What == Asked::Member ? any_of(Call.args(), [&](const Use &U) { return U->getType()->isPointerTy() && visit(*U); })
                                 : (What != Asked::Size && Call.hasFnAttr(Attribute::AllocSize)) || areKnown(Call.args());
    return false;
  }

  bool isRead(const LoadInst &Load) {
    if (!Load.isSimple())
      return false;
    auto *Variable = dyn_cast<GlobalVariable>(rootOf(Load.getPointerOperand()));
    if (Variable && Variable->isConstant())
      return true;
    return mayReach(Load, Load, *Load.getPointerOperand(), 0, 0);
  }

  // Whether what a load reads may be known before an instruction, where the address is another, in a caller, so many calls away.
  bool mayReach(const LoadInst &Load, const Instruction &Before, const Value &Address, int64_t Offset, unsigned Away) {
    const bool Alone = What == Asked::Alone;
    auto MayBring = [&](Origin From) { return Alone ? From == Origin::Object : isWritten(Load); };
    auto MayBeKnown = [&](const Value &V) { return isa<ConstantInt>(V) || visit(V); };
    auto MayEnter = [&](const Value &Address, int64_t Offset) {
      return !Alone && isWritten(Load) && mayEnter(Load, *Before.getFunction(), Address, Offset, Away);
    };
    auto IsExposed = [&](const Value &Root) { return isExposed(Root); };
    Paths Ways(M.getDataLayout(), Library, Load.getType(), Alone, MayBeKnown, MayBring, MayEnter, IsExposed);
    const bool May = Ways.mayBringKnown(Before, Address, Offset);
    Steps += (2000 - Ways.Left) / 16;
    return May;
  }

  // The same where a function is entered: a caller into which it may be inlined may have written it.
  bool mayEnter(const LoadInst &Load, const Function &F, const Value &Address, int64_t Offset, unsigned Away) {
    if (F.hasFnAttribute(Attribute::NoInline))
      return false;
    auto *Argument = dyn_cast<llvm::Argument>(&Address);
    if (Away == 3 || (!Argument && !isa<Constant>(Address)))
      return true;
    return any_of(F.uses(), [&](const Use &U) {
      auto *Call = dyn_cast<CallBase>(U.getUser());
      if (Call && Call->isCallee(&U)) {
        if (Argument && Argument->getArgNo() >= Call->arg_size())
          return false;
        return mayReach(Load, *Call, Argument ? *Call->getArgOperand(Argument->getArgNo()) : Address, Offset, Away + 1);
      }
      return mayBeCalled(U);
    });
  }

  // Whether functions that are called, of which nothing is known, may write to the memory behind a pointer, whatever an optimiser sees.
  bool isExposed(const Value &Root) {
    if (auto *Variable = dyn_cast<GlobalVariable>(&Root))
      return !Variable->hasLocalLinkage() || !visitUses(*Variable, [](const Use &U) {
        auto *Store = dyn_cast<StoreInst>(U.getUser());
        return isa<LoadInst>(U.getUser()) || (Store && isa<Constant>(Store->getValueOperand()));
      });
    if (auto *Call = dyn_cast<CallBase>(&Root))
      return !Call->returnDoesNotAlias() && !isUnderstood(*Call) && (What == Asked::Alone || !bodyOf(*Call));
    if (auto *Phi = dyn_cast<PHINode>(&Root))
      return !Phi->hasConstantOrUndefValue();
    if (What == Asked::Alone && isa<Argument>(Root))
      return !cast<Argument>(Root).hasNoAliasAttr();
    if (isa<Argument, LoadInst>(Root))
      return !isInSight(Root);
    return false;
  }

  // Whether the module writes something known where a load may read it.
  bool isWritten(const LoadInst &Load) {
    const Value *Root = rootOf(Load.getPointerOperand());
    const bool IsNumber = Load.getType()->isIntegerTy();
    if (auto *Variable = dyn_cast<AllocaInst>(Root))
      return !isOnlyUnknown(*Variable, IsNumber);
    if (auto *Variable = dyn_cast<GlobalVariable>(Root))
      if (Variable->hasLocalLinkage() && isOnlyUnknown(*Variable, IsNumber))
        return isa<GlobalVariable>(rootOf(Variable->getInitializer()));
    WantsLook = true;
    const Place P = placeOf(Load, *Load.getPointerOperand());
    if (IsNumber)
      return Numbers.hasNumber(P);
    const MDNode *Tag = Load.getMetadata(LLVMContext::MD_tbaa);
    if (Addresses.has(P) || (Tag && Addresses.has(typeOf(*Tag))))
      return true;
    // A member whose address was taken.
    const bool IsMember = P.first && P.second != Scalar;
    return !IsMember && !Addresses.Places.empty() && (Members ? Members->mayBeKnown(*Root) : visit(*Root));
  }

  // Whether all that is stored in a variable is unknown, and nothing else writes to it but what is not in this module.
  bool isOnlyUnknown(const Value &Variable, bool Numbers = true, unsigned Deep = 0) {
    return Deep < 3 && visitUses(Variable, [&](const Use &U) {
      if (isa<LoadInst, ICmpInst>(U.getUser()) || isMarker(*U.getUser()) || isa<MemSetInst>(U.getUser()))
        return true;
      if (auto *Store = dyn_cast<StoreInst>(U.getUser()))
        return U.getOperandNo() == StoreInst::getPointerOperandIndex() &&
               ((!Numbers && Store->getValueOperand()->getType()->isIntegerTy()) || !visit(*Store->getValueOperand()));
      if (auto *Copy = dyn_cast<MemTransferInst>(U.getUser()))
        return U.getOperandNo() != 0 || !holdsAddresses(*rootOf(Copy->getRawSource()));
      auto *Call = dyn_cast<CallBase>(U.getUser());
      if (!Call || Call->isCallee(&U) || isa<IntrinsicInst>(Call))
        return false;
      const Function *Body = bodyOf(*Call);
      return !Body || (Call->isArgOperand(&U) && Call->getArgOperandNo(&U) < Body->arg_size() &&
                       isOnlyUnknown(*Body->getArg(Call->getArgOperandNo(&U)), Numbers, Deep + 1));
    });
  }

  // Whether a copy of an object may bring addresses of others with it.
  static bool holdsAddresses(const Value &Root) {
    if (isa<AllocaInst>(Root))
      return true;
    auto *Variable = dyn_cast<GlobalVariable>(&Root);
    return Variable && Variable->isConstant() && (!Variable->hasInitializer() || Variable->getInitializer()->needsRelocation());
  }

  static Place placeOf(const Instruction &I, const Value &Address) {
    const MDNode *Tag = I.getMetadata(LLVMContext::MD_tbaa);
    if (Place P = Tag ? memberOf(*Tag) : Place{}; P.first)
      return P;
    if (isa<GlobalVariable>(rootOf(&Address)))
      return {rootOf(&Address), 0};
    if (Place P = Tag ? typeOf(*Tag) : Place{}; P.first)
      return P;
    // Without descriptions, as offsets say, which do not tell a first member from the structure.
    auto *Offset = dyn_cast<GEPOperator>(&Address);
    if (Tag || !Offset || !Offset->getSourceElementType()->isStructTy() || !Offset->hasAllConstantIndices() ||
        Offset->hasAllZeroIndices())
      return {};
    uint64_t Path = 0;
    for (const Use &Index : drop_begin(Offset->indices()))
      Path = Path * 4099 + cast<ConstantInt>(Index)->getZExtValue() + 1;
    return {Offset->getSourceElementType(), Path};
  }

  // The type that the description of an access names, if values of no other type are read there.
  static Place typeOf(const MDNode &Tag) {
    auto *Type = Tag.getNumOperands() < 3 ? nullptr : dyn_cast<MDNode>(Tag.getOperand(1));
    auto *Name = Type && Type->getNumOperands() != 0 ? dyn_cast<MDString>(Type->getOperand(0)) : nullptr;
    if (!Name || is_contained(ArrayRef<StringRef>{"omnipotent char", "any pointer"}, Name->getString()))
      return {};
    return {Type, Scalar};
  }

  // The member that the description of an access names, in the innermost structure.
  static Place memberOf(const MDNode &Tag) {
    if (Tag.getNumOperands() < 3 || !isa<MDNode>(Tag.getOperand(0)) || Tag.getOperand(0) == Tag.getOperand(1))
      return {};
    const MDNode *Type = cast<MDNode>(Tag.getOperand(0));
    uint64_t At = mdconst::extract<ConstantInt>(Tag.getOperand(2))->getZExtValue();
    while (Type && Type->getNumOperands() >= 3 && isa<MDString>(Type->getOperand(0))) {
      const MDNode *Member = nullptr;
      uint64_t Start = 0;
      for (unsigned I = 1; I + 1 < Type->getNumOperands(); I += 2) {
        const uint64_t Next = mdconst::extract<ConstantInt>(Type->getOperand(I + 1))->getZExtValue();
        if (Next > At)
          break;
        Member = dyn_cast<MDNode>(Type->getOperand(I));
        Start = Next;
      }
      if (Member == Tag.getOperand(1))
        return {Type, At};
      Type = Member;
      At -= Start;
    }
    return {};
  }

  // Finds out where the module writes known values. What is written may have been read elsewhere.
  void look() {
    HasLooked = true;
    for (bool Grown = true; Grown;) {
      Grown = false;
      for (const Function &F : M)
        for (const Instruction &I : instructions(F))
          Grown |= lookAt(I);
      Unknown.clear();
      Steps = 0;
    }
  }

  bool lookAt(const Instruction &I) {
    if (auto *Copy = dyn_cast<MemTransferInst>(&I)) {
      const Value &From = *rootOf(Copy->getRawSource());
      if (isa<AllocaInst>(rootOf(Copy->getRawDest())) || Addresses.Anywhere || !holdsAddresses(From) ||
          (isa<AllocaInst>(From) && !ask([&] { return !isOnlyUnknown(From, /*Numbers=*/false); })))
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
    const Place P = placeOf(*Store, *Store->getPointerOperand());
    // Elements of what is allocated are read through the pointer that they were written through.
    const Value *Root = rootOf(Store->getPointerOperand());
    if ((!P.first || P.second == Scalar) && Members && isa<LoadInst, CallBase>(Root) && !Members->mayBeKnown(*Root))
      return false;
    if ((P.first ? To.Places.contains(P) : To.Anywhere) || !ask(Stored))
      return false;
    if (!P.first)
      return To.Anywhere = true;
    return To.Places.insert(P).second;
  }
};

} // namespace knowledge
