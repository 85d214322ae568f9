// A continuation takes the address of a frame of the function, and runs the rest of it from the header of a loop on. Its
// entry loads what is live there; what the frame has in memory becomes variables of its own where no pointer leads to it,
// so that the optimiser can keep it in registers, and stays where it is otherwise.

#include "continuation.h"
#include "nest.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DepthFirstIterator.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

namespace {

Error refusal(const Twine &Text) { return make_error<StringError>(Text, inconvertibleErrorCode()); }

// Calls that name the frame that they are in, or its arguments.
bool needsItsFrame(const IntrinsicInst &I) {
  switch (I.getIntrinsicID()) {
  case Intrinsic::addressofreturnaddress:
  case Intrinsic::eh_dwarf_cfa:
  case Intrinsic::eh_sjlj_functioncontext:
  case Intrinsic::eh_unwind_init:
  case Intrinsic::frameaddress:
  case Intrinsic::gcroot:
  case Intrinsic::get_dynamic_area_offset:
  case Intrinsic::localescape:
  case Intrinsic::returnaddress:
  case Intrinsic::sponentry:
  case Intrinsic::vastart:
    return true;
  default:
    return I.getCalledFunction()->getName().starts_with("llvm.coro.");
  }
}

// Whether the value that an instruction has at the beginning of a block may be used from there on.
bool isLiveAt(const Instruction &I, const BasicBlock *Header) {
  SmallVector<const BasicBlock *, 16> Work;
  SmallPtrSet<const BasicBlock *, 16> Seen;
  auto Needed = [&](const BasicBlock *AtEndOf) {
    if (AtEndOf != I.getParent() && Seen.insert(AtEndOf).second)
      Work.push_back(AtEndOf);
  };
  for (const Use &U : I.uses()) {
    const auto *User = cast<Instruction>(U.getUser());
    if (const auto *Phi = dyn_cast<PHINode>(User))
      Needed(Phi->getIncomingBlock(U));
    else
      Needed(User->getParent());
  }
  while (!Work.empty()) {
    const BasicBlock *Block = Work.pop_back_val();
    if (Block == Header)
      return true;
    for (const BasicBlock *Before : predecessors(Block))
      Needed(Before);
  }
  return false;
}

class Continuation {
public:
  Continuation(Function &F, const autojit_shim_continued &At, bool Optimized)
      : F(F), At(At), Optimized(Optimized), Dominators(F) {}

  Expected<Function *> make() {
    if (Error E = findPlaces())
      return std::move(E);
    if (Error E = check())
      return std::move(E);
    findLive();
    LoopNest Loops(F, Dominators, Header);
    moveBody();
    if (Error E = loadLive())
      return std::move(E);
    if (Optimized)
      Loops.separate(*New, Entry);
    return New;
  }

private:
  // Variables up to this size are copied; what is larger stays in its frame.
  static constexpr uint64_t MostCopied = 4096;

  Function &F;
  const autojit_shim_continued &At;
  const bool Optimized;
  DominatorTree Dominators;
  BasicBlock *Header = nullptr;
  SmallPtrSet<const BasicBlock *, 32> Reached;
  DenseMap<const Value *, const autojit_shim_location *> Places;
  SmallVector<AllocaInst *, 16> Variables;
  SmallPtrSet<const Instruction *, 16> LiveSet;
  SmallVector<Instruction *, 16> Live;
  SmallVector<IntrinsicInst *, 4> Restores;
  Function *New = nullptr;
  BasicBlock *Entry = nullptr;

  Error findPlaces() {
    if (At.block == 0 || At.block >= F.size())
      return refusal("the stack map is of no loop");
    Header = &*std::next(F.begin(), At.block);
    SmallVector<const Value *, 64> Values;
    for (const Argument &A : F.args())
      Values.push_back(&A);
    for (const Instruction &I : instructions(F))
      if (!I.getType()->isVoidTy())
        Values.push_back(&I);
    for (const autojit_shim_location &Place : ArrayRef(At.locations, At.count)) {
      if (Place.value >= Values.size() || !Places.try_emplace(Values[Place.value], &Place).second)
        return refusal("the stack map is not of this function");
      const Value *Placed = Values[Place.value];
      const auto *Argued = dyn_cast<Argument>(Placed);
      if (Place.variable && !isa<AllocaInst>(Placed) && !(Argued && Argued->hasByValAttr()))
        return refusal("the stack map has a variable that is none");
    }
    for (BasicBlock *Block : depth_first(Header))
      Reached.insert(Block);
    return Error::success();
  }

  Error check() {
    switch (F.getCallingConv()) {
    case CallingConv::C:
    case CallingConv::Cold:
    case CallingConv::Fast:
      break;
    default:
      return refusal("another calling convention");
    }
    for (const Argument &A : F.args())
      if (A.hasInAllocaAttr() || A.hasPreallocatedAttr() || A.hasSwiftErrorAttr() || A.hasNestAttr())
        return refusal("an argument of an unusual kind");
    if (Header->isEHPad() || F.hasFnAttribute(Attribute::Naked) || F.isPresplitCoroutine() || F.hasGC())
      return refusal("a function of an unusual kind");
    // Addresses of labels move along with the blocks, as far as the body's own tables have them.
    for (BasicBlock &Block : F) {
      const bool Reachable = Reached.contains(&Block);
      for (Instruction &I : Block) {
        if (I.getType()->isTokenTy())
          return refusal("a token");
        if (auto *Called = dyn_cast<CallBase>(&I)) {
          if (Called->hasFnAttr(Attribute::ReturnsTwice))
            return refusal("a call that returns twice");
          if (Reachable && Called->isMustTailCall())
            return refusal("a tail call that must be one");
        }
        if (auto *Called = dyn_cast<IntrinsicInst>(&I)) {
          if (Reachable && Called->getIntrinsicID() == Intrinsic::stackrestore)
            Restores.push_back(Called);
          if (Reachable && needsItsFrame(*Called))
            return refusal(Called->getCalledFunction()->getName());
        }
      }
    }
    return Error::success();
  }

  // What the function has defined when it comes to the header, and will use.
  void findLive() {
    for (BasicBlock &Block : F) {
      // Phis of the header have taken their values.
      if (&Block == Header || !Dominators.isReachableFromEntry(&Block) || !Dominators.dominates(&Block, Header))
        continue;
      for (Instruction &I : Block) {
        auto *Place = Places.lookup(&I);
        if (Place && Place->variable) {
          Variables.push_back(cast<AllocaInst>(&I));
        } else if (!I.use_empty() && isLiveAt(I, Header)) {
          Live.push_back(&I);
          LiveSet.insert(&I);
        }
      }
    }
  }

  void moveBody() {
    LLVMContext &Ctx = F.getContext();
    auto *Type = FunctionType::get(F.getReturnType(), {PointerType::getUnqual(Ctx)}, false);
    New = Function::Create(Type, GlobalValue::ExternalLinkage, F.getName() + At.suffix, F.getParent());
    AttributeMask Dropped;
    for (auto Kind : {Attribute::AllocKind, Attribute::AllocSize, Attribute::AlwaysInline, Attribute::Memory})
      Dropped.addAttribute(Kind);
    AttrBuilder Own(Ctx, F.getAttributes().getFnAttrs());
    for (Attribute A : F.getAttributes().getFnAttrs())
      if (A.isStringAttribute() && (A.getKindAsString().starts_with("patchable-function") ||
                                    A.getKindAsString().starts_with("instrument-function") ||
                                    A.getKindAsString() == "fentry-call" || A.getKindAsString() == "alloc-family"))
        Own.removeAttribute(A.getKindAsString());
    Own.remove(Dropped);
    New->setAttributes(AttributeList::get(Ctx, AttributeSet::get(Ctx, Own), F.getAttributes().getRetAttrs(), {}));
    New->addParamAttr(0, Attribute::NonNull);
    New->addParamAttr(0, Attribute::NoUndef);
    if (F.hasPersonalityFn())
      New->setPersonalityFn(F.getPersonalityFn());
    New->splice(New->begin(), &F);
    New->copyMetadata(&F, 0);
    Entry = BasicBlock::Create(Ctx, "", New, &New->front());
  }

  Value *address(IRBuilder<> &Builder, int32_t Offset) {
    return Builder.CreatePtrAdd(New->getArg(0), Builder.getInt64(Offset));
  }

  // The value at a place, or null if values of this type are not described.
  Value *load(IRBuilder<> &Builder, int32_t Offset, Type *Wanted) {
    Type *Loaded = Wanted;
    if (auto *Integer = dyn_cast<IntegerType>(Wanted)) {
      if (Integer->getBitWidth() > 128)
        return nullptr;
      Loaded = Builder.getIntNTy(Integer->getBitWidth() <= 64 ? 64 : 128);
    } else if (auto *Vector = dyn_cast<VectorType>(Wanted)) {
      if (isa<ScalableVectorType>(Vector) || Vector->getElementType()->getScalarSizeInBits() % 8 != 0)
        return nullptr;
    } else if (!Wanted->isPointerTy() && !Wanted->isFloatingPointTy() && !Wanted->isAggregateType()) {
      return nullptr;
    }
    Value *Found = Builder.CreateAlignedLoad(Loaded, address(Builder, Offset), Align(8));
    return Loaded == Wanted ? Found : Builder.CreateTrunc(Found, Wanted);
  }

  // Whether no pointer leads to a variable but those that loads and stores use at once.
  bool isPrivate(const AllocaInst &Variable) {
    SmallVector<const Instruction *, 8> Work{&Variable};
    while (!Work.empty()) {
      const Instruction *Pointer = Work.pop_back_val();
      for (const Use &U : Pointer->uses()) {
        const auto *User = cast<Instruction>(U.getUser());
        if (const auto *Loads = dyn_cast<LoadInst>(User)) {
          if (Loads->isVolatile())
            return false;
        } else if (const auto *Stores = dyn_cast<StoreInst>(User)) {
          if (Stores->isVolatile() || U.getOperandNo() != StoreInst::getPointerOperandIndex())
            return false;
        } else if (isa<GetElementPtrInst>(User) && !LiveSet.contains(User)) {
          Work.push_back(User);
        } else if (const auto *Copies = dyn_cast<MemIntrinsic>(User)) {
          if (Copies->isVolatile())
            return false;
        } else if (!User->isLifetimeStartOrEnd()) {
          return false;
        }
      }
    }
    return true;
  }

  Error loadLive() {
    IRBuilder<> Builder(Entry);
    auto Missing = [](const Value &V) {
      std::string Text;
      raw_string_ostream(Text) << "the stack map does not have " << V;
      return refusal(Text);
    };
    auto Find = [&](const Value &V) -> Value * {
      const auto *Place = Places.lookup(&V);
      return Place && !Place->variable ? load(Builder, Place->offset, V.getType()) : nullptr;
    };
    for (Argument &A : F.args()) {
      bool Used = any_of(A.uses(), [&](const Use &U) {
        const auto *Phi = dyn_cast<PHINode>(U.getUser());
        return Reached.contains(Phi ? Phi->getIncomingBlock(U) : cast<Instruction>(U.getUser())->getParent());
      });
      const auto *Place = Places.lookup(&A);
      Value *Loaded = Place && Place->variable ? address(Builder, Place->offset) : Find(A);
      if (!Loaded && Used)
        return Missing(A);
      A.replaceAllUsesWith(Loaded ? Loaded : PoisonValue::get(A.getType()));
    }
    for (PHINode &Phi : Header->phis()) {
      Value *Loaded = Find(Phi);
      if (!Loaded && !Phi.use_empty())
        return Missing(Phi);
      Phi.addIncoming(Loaded ? Loaded : PoisonValue::get(Phi.getType()), Entry);
    }
    // What is not computed again is loaded once; what is, has both values in a variable.
    SmallVector<std::pair<Instruction *, Value *>, 8> Again;
    for (Instruction *I : Live) {
      Value *Loaded = Find(*I);
      if (!Loaded)
        return Missing(*I);
      if (Reached.contains(I->getParent()))
        Again.push_back({I, Loaded});
      else
        I->replaceUsesOutsideBlock(Loaded, I->getParent());
    }
    for (AllocaInst *Variable : Variables)
      if (Error E = takeOver(*Variable, Builder))
        return E;
    // Before blocks are removed: phis with one value left go with them.
    for (auto [I, Loaded] : Again) {
      AllocaInst *Slot = DemoteRegToStack(*I, false, Entry->getFirstInsertionPt());
      Builder.CreateStore(Loaded, Slot);
    }
    if (!Restores.empty())
      keepStack(Builder);
    Builder.CreateBr(Header);
    removeUnreachableBlocks(*New);
    for (Instruction &I : instructions(*New))
      I.dropDbgRecords();
    F.deleteBody();
    F.clearMetadata();
    return Error::success();
  }

  // What the frame has saved lies above the continuation's own, which must not be left: then all that the continuation has
  // allocated goes, and no more.
  void keepStack(IRBuilder<> &Builder) {
    auto *Own = Builder.CreateStackSave();
    for (IntrinsicInst *Restore : Restores) {
      IRBuilder<> Before(Restore);
      auto *Saved = Restore->getArgOperand(0);
      Restore->setArgOperand(0, Before.CreateSelect(Before.CreateICmpULT(Saved, Own), Saved, Own));
    }
  }

  Error takeOver(AllocaInst &Variable, IRBuilder<> &Builder) {
    if (Variable.isUsedWithInAlloca() || Variable.isSwiftError() || !isa<ConstantInt>(Variable.getArraySize()))
      return refusal("a variable of an unusual kind");
    const bool Private = isPrivate(Variable);
    for (User *U : make_early_inc_range(Variable.users()))
      if (cast<Instruction>(U)->isLifetimeStartOrEnd())
        cast<Instruction>(U)->eraseFromParent();
    auto Size = Variable.getAllocationSize(F.getDataLayout());
    auto *Place = address(Builder, Places.lookup(&Variable)->offset);
    if (!Private || !Size || Size->isScalable() || Size->getFixedValue() > MostCopied) {
      Variable.replaceAllUsesWith(Place);
      return Error::success();
    }
    Variable.moveBefore(*Entry, Entry->begin());
    Variable.setDebugLoc(DebugLoc());
    Builder.CreateMemCpy(&Variable, Variable.getAlign(), Place, Align(1), Size->getFixedValue());
    return Error::success();
  }
};

} // namespace

Expected<Function *> continueAt(Function &F, const autojit_shim_continued &At, bool Optimized) {
  return Continuation(F, At, Optimized).make();
}
