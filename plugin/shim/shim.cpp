// What LLVM's C API does not reach: the pass itself, and a few properties of globals.
//
// Receives calls from the host's pass manager, hands each module to Rust (`Callback`), and offers Rust the small
// functions below. Everything here is compiled against LLVM's headers and bound to the host's libLLVM.

#include "host.h"
#include "releases.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/NoFolder.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace {

// What a module is compiled for. Layout shared with src/ffi.rs.
struct Build {
  // -O0 to -O3.
  uint8_t Speed;
  // 0, 1 for -Os, 2 for -Oz.
  uint8_t Size;
  // Why the module must be left alone, or null.
  const char *Why;
  // Further options for the engine, as words.
  const char *Options;
  // The host's TargetMachine, or null.
  void *Machine;
};

// What is known of a function's labels. Layout shared with src/ffi.rs.
struct Labels {
  // Whether anything refers to one.
  bool Used;
  // Whether the function refers to one that is nowhere. clang makes such modules where a lambda reads a constant with a
  // label of the function around it, and takes it for a label of the lambda.
  bool Missing;
};

// Takes the bodies out of a module; true if it changed the module.
using Callback = bool (*)(LLVMModuleRef, const Build *);
Callback TakeBodies;

struct AutojitPass : PassInfoMixin<AutojitPass> {
  OptimizationLevel Level;
  std::shared_ptr<HostLook> Host;
  explicit AutojitPass(OptimizationLevel Level, std::shared_ptr<HostLook> Host = std::make_shared<HostLook>())
      : Level(Level), Host(std::move(Host)) {}
  PreservedAnalyses run(Module &M, ModuleAnalysisManager &Analyses) {
    const char *Why = Host->Why.empty() ? wantsRemarks(M) : Host->Why.c_str();
    if (!Why)
      Why = releases::unsaid(M, Analyses);
    Build Build = {uint8_t(Level.getSpeedupLevel()), uint8_t(Level.getSizeLevel()), Why, Host->Build.c_str(),
                   Host->Machine};
    return TakeBodies(wrap(&M), &Build) ? PreservedAnalyses::none() : PreservedAnalyses::all();
  }
  // Runs at -O0 and on optnone functions too.
  static bool isRequired() { return true; }
};

std::optional<OptimizationLevel> levelOf(StringRef Name) {
  return StringSwitch<std::optional<OptimizationLevel>>(Name)
      .Case("autojit", OptimizationLevel::O0)
      .Case("autojit<O0>", OptimizationLevel::O0)
      .Case("autojit<O1>", OptimizationLevel::O1)
      .Case("autojit<O2>", OptimizationLevel::O2)
      .Case("autojit<O3>", OptimizationLevel::O3)
      .Case("autojit<Os>", OptimizationLevel::Os)
      .Case("autojit<Oz>", OptimizationLevel::Oz)
      .Default(std::nullopt);
}

// Whether conversions from or to a type may need a library function.
bool isUnusual(const Type *T) {
  T = T->getScalarType();
  return T->isHalfTy() || T->isBFloatTy() || T->isX86_FP80Ty() || T->isFP128Ty() ||
         (T->isIntegerTy() && T->getIntegerBitWidth() > 64);
}

bool contains(const Constant *C, const GlobalValue *Wanted) {
  if (C == Wanted)
    return true;
  return !isa<GlobalValue>(C) && any_of(C->operands(), [&](const Use &U) {
    auto *Operand = dyn_cast<Constant>(U);
    return Operand && contains(Operand, Wanted);
  });
}

// Computes before At what C is if Wanted is Address.
Value *compute(Constant *C, const GlobalValue *Wanted, Value *Address, Instruction *At) {
  if (C == Wanted)
    return Address;
  if (!contains(C, Wanted))
    return C;
  if (auto *Expression = dyn_cast<ConstantExpr>(C)) {
    Instruction *I = Expression->getAsInstruction();
    for (Use &U : I->operands())
      if (auto *Operand = dyn_cast<Constant>(U))
        U.set(compute(Operand, Wanted, Address, At));
    I->insertInto(At->getParent(), At->getIterator());
    I->setDebugLoc(At->getDebugLoc());
    return I;
  }
  // A structure, array or vector, piece by piece.
  IRBuilder<NoFolder> Builder(At);
  Value *Whole = PoisonValue::get(C->getType());
  for (unsigned Index = 0; Index != C->getNumOperands(); ++Index) {
    Value *Part = compute(cast<Constant>(C->getOperand(Index)), Wanted, Address, At);
    Whole = C->getType()->isVectorTy() ? Builder.CreateInsertElement(Whole, Part, Index)
                                       : Builder.CreateInsertValue(Whole, Part, Index);
  }
  return Whole;
}

// Sees the directory and the name of a file.
using VisitFile = void (*)(void *, const char *, size_t, const char *, size_t);

void visit(const DIScope &Scope, void *Context, VisitFile Visit) {
  StringRef Directory = Scope.getDirectory(), Name = Scope.getFilename();
  Visit(Context, Directory.data(), Directory.size(), Name.data(), Name.size());
}

} // namespace

extern "C" {

void autojit_shim_register(PassBuilder &PB, Callback Take) {
  TakeBodies = Take;
  PB.registerPipelineStartEPCallback([&PB](ModulePassManager &MPM, OptimizationLevel Level) {
    auto Mark = [](ModulePassManager &MPM) { MPM.addPass(AutojitPass(OptimizationLevel::O0)); };
    if (isLooking())
      Mark(MPM);
    else
      MPM.addPass(AutojitPass(Level, lookAtHost(PB, Level, Mark)));
  });
  PB.registerPipelineParsingCallback(
      [&PB](StringRef Name, ModulePassManager &MPM, ArrayRef<PassBuilder::PipelineElement>) {
        auto Level = levelOf(Name);
        if (Level)
          MPM.addPass(AutojitPass(*Level, lookAtMachineOnly(PB)));
        return Level.has_value();
      });
}

void autojit_shim_error(LLVMModuleRef M, const char *Text, size_t Length) {
  unwrap(M)->getContext().emitError(StringRef(Text, Length));
}

bool autojit_shim_is_dso_local(LLVMValueRef V) { return unwrap<GlobalValue>(V)->isDSOLocal(); }

void autojit_shim_set_dso_local(LLVMValueRef V, bool Local) {
  unwrap<GlobalValue>(V)->setDSOLocal(Local);
}

bool autojit_shim_is_definitive(LLVMValueRef V) { return unwrap<GlobalVariable>(V)->hasDefinitiveInitializer(); }

// The comdat's name, or null, also for a group of which linkers keep every copy.
const char *autojit_shim_comdat(LLVMValueRef V, size_t *Length) {
  const Comdat *C = unwrap<GlobalValue>(V)->getComdat();
  if (!C || C->getSelectionKind() == Comdat::NoDeduplicate)
    return nullptr;
  *Length = C->getName().size();
  return C->getName().data();
}

// Ends the body of F. With `Leak`, its memory is left to the end of the process: giving back the pieces of a large
// module takes as long as taking them out of all lists of uses.
void autojit_shim_delete_body(LLVMValueRef V, bool Leak) {
  auto *F = unwrap<Function>(V);
  if (Leak) {
    for (BasicBlock &Block : *F)
      Block.dropAllReferences();
    while (!F->empty())
      F->front().removeFromParent();
  }
  F->deleteBody();
}

// The optimiser infers attributes of declarations from names that the C library has, but not if they are optnone.
void autojit_shim_declare_as_defined(LLVMValueRef V, bool Local) {
  auto *F = unwrap<Function>(V);
  if (Local)
    return F->addFnAttr(Attribute::NoBuiltin);
  for (Attribute::AttrKind Contrary : {Attribute::AlwaysInline, Attribute::OptimizeForSize, Attribute::MinSize})
    F->removeFnAttr(Contrary);
  F->addFnAttr(Attribute::NoInline);
  F->addFnAttr(Attribute::OptimizeNone);
}

void autojit_shim_erase(LLVMValueRef V) { unwrap<GlobalValue>(V)->eraseFromParent(); }

// Whether anything uses V, constants that nothing uses themselves set aside.
bool autojit_shim_is_used(LLVMValueRef V) {
  auto *Global = unwrap<GlobalValue>(V);
  Global->removeDeadConstantUsers();
  return !Global->use_empty();
}

// The name of the function that a call instruction calls directly if that is an intrinsic, else null.
const char *autojit_shim_intrinsic(LLVMValueRef Call, size_t *Length) {
  auto *C = dyn_cast<CallBase>(unwrap(Call));
  Function *F = C ? C->getCalledFunction() : nullptr;
  if (!F || !F->isIntrinsic())
    return nullptr;
  *Length = F->getName().size();
  return F->getName().data();
}

// How an instruction or strict intrinsic compares numbers of quadruple precision, as LLVM numbers such predicates; 0 (never) of
// all others.
unsigned autojit_shim_quad_predicate(LLVMValueRef V) {
  auto *I = cast<Instruction>(unwrap(V));
  if (!I->getNumOperands() || !I->getOperand(0)->getType()->getScalarType()->isFP128Ty())
    return FCmpInst::FCMP_FALSE;
  if (auto *Compare = dyn_cast<FCmpInst>(I))
    return Compare->getPredicate();
  auto *Strict = dyn_cast<ConstrainedFPCmpIntrinsic>(I);
  return Strict ? Strict->getPredicate() : FCmpInst::FCMP_FALSE;
}

// Visits the few instructions that selection and plan look at: calls of inline assembly and of intrinsics on
// floating-point numbers, strict ones also on integers, resume, conversions between unusual types, remainders of floating-point
// numbers, divisions of integers of 128 bits, and what computes with numbers of quadruple precision. One walk, on this side of
// the border: instructions are many, and not in the cache.
Labels autojit_shim_notable(LLVMValueRef F, void *Context, void (*Visit)(void *, LLVMValueRef)) {
  Labels Found = {false, false};
  for (BasicBlock &Block : *unwrap<Function>(F)) {
    Found.Used |= Block.hasAddressTaken();
    if (auto *End = dyn_cast_or_null<IndirectBrInst>(Block.getTerminator()))
      Found.Missing |= any_of(successors(End), [](const BasicBlock *Label) { return !Label->getParent(); });
    for (Instruction &I : Block) {
      bool Notable = false;
      if (auto *Call = dyn_cast<CallBase>(&I))
        Notable = Call->isInlineAsm() || isa<ConstrainedFPIntrinsic>(Call) ||
                  (Call->getIntrinsicID() != Intrinsic::not_intrinsic && Call->arg_size() != 0 &&
                   Call->getArgOperand(0)->getType()->isFPOrFPVectorTy());
      else if (auto *Cast = dyn_cast<CastInst>(&I))
        Notable = (Cast->getSrcTy()->isFPOrFPVectorTy() || Cast->getDestTy()->isFPOrFPVectorTy()) &&
                  (isUnusual(Cast->getSrcTy()) || isUnusual(Cast->getDestTy()));
      else if (I.getOpcode() == Instruction::FRem)
        Notable = true;
      else if (I.isIntDivRem())
        Notable = I.getType()->isIntegerTy(128);
      else if (isa<BinaryOperator, FCmpInst>(I))
        Notable = I.getOperand(0)->getType()->getScalarType()->isFP128Ty();
      else if (I.isAtomic())
        Notable = isa<LoadInst>(I) ? I.getType()->isIntegerTy(128)
                                   : any_of(I.operands(), [](const Use &U) { return U->getType()->isIntegerTy(128); });
      else
        Notable = isa<ResumeInst>(I);
      if (Notable)
        Visit(Context, wrap(&I));
    }
  }
  return Found;
}

// Visits the functions that a module declares and that the library of vector functions has a variant of.
void autojit_shim_vector_functions(LLVMModuleRef M, void *Machine, void *Context, void (*Visit)(void *, LLVMValueRef)) {
  auto *Host = static_cast<TargetMachine *>(Machine);
  if (!Host || !releases::vectorizes(*Host))
    return;
  TargetLibraryInfoImpl Library = releases::library(*Host);
  for (Function &F : *unwrap(M))
    if (F.isDeclaration() && Library.isFunctionVectorizable(F.getName()))
      Visit(Context, wrap(&F));
}

// Visits the file of a module's first unit that describes lines; returns the unit's language, 0 if there is none.
uint16_t autojit_shim_unit(LLVMModuleRef M, void *Context, VisitFile Visit) {
  for (DICompileUnit *Unit : unwrap(M)->debug_compile_units()) {
    if (Unit->getEmissionKind() != DICompileUnit::FullDebug && Unit->getEmissionKind() != DICompileUnit::LineTablesOnly)
      continue;
    visit(*Unit, Context, Visit);
    return releases::language(*Unit);
  }
  return 0;
}

// Visits the file that a function is in, if its lines are described.
void autojit_shim_file(LLVMValueRef F, void *Context, VisitFile Visit) {
  const DISubprogram *Subprogram = unwrap<Function>(F)->getSubprogram();
  if (Subprogram && Subprogram->getFile())
    visit(*Subprogram, Context, Visit);
}

size_t autojit_shim_size(LLVMValueRef F) { return unwrap<Function>(F)->getInstructionCount(); }

// Whether Call is a call of something other than V that passes V, or no call at all.
bool autojit_shim_takes_address(LLVMValueRef User, LLVMValueRef V) {
  auto *C = dyn_cast<CallBase>(unwrap(User));
  if (!C || C->getCalledOperand() != unwrap(V))
    return true;
  for (const Use &U : C->operands())
    if (U.get() == unwrap(V) && !C->isCallee(&U))
      return true;
  return false;
}

// Puts what Getter returns in the place of Variable in the operands of the instruction User, also inside constants.
void autojit_shim_use_getter(LLVMValueRef User, LLVMValueRef Variable, LLVMValueRef Getter) {
  auto *I = unwrap<Instruction>(User);
  auto *Wanted = unwrap<GlobalValue>(Variable);
  auto *Get = unwrap<Function>(Getter);
  // A phi node has one value for all edges from the same block.
  DenseMap<BasicBlock *, Value *> Incoming;
  for (Use &U : I->operands()) {
    auto *C = dyn_cast<Constant>(U);
    if (!C || !contains(C, Wanted))
      continue;
    auto *Phi = dyn_cast<PHINode>(I);
    Instruction *At = Phi ? Phi->getIncomingBlock(U)->getTerminator() : I;
    Value *&Known = Incoming[At->getParent()];
    if (!Phi || !Known) {
      IRBuilder<> Builder(At);
      Known = compute(C, Wanted, Builder.CreateCall(Get), At);
    }
    U.set(Known);
  }
}

// Whether a function has prefix or prologue data, or a garbage collector.
bool autojit_shim_has_surroundings(LLVMValueRef F) {
  const auto *Of = unwrap<Function>(F);
  return Of->hasPrefixData() || Of->hasPrologueData() || Of->hasGC();
}

// The function that a block address is of.
LLVMValueRef autojit_shim_labelled_function(LLVMValueRef Label) {
  return wrap(unwrap<BlockAddress>(Label)->getFunction());
}

// The text and the constraints of inline assembly; whether it is in Intel's syntax.
bool autojit_shim_assembly(LLVMValueRef Assembly, const char **Text, size_t *TextLength, const char **Constraints,
                           size_t *ConstraintsLength) {
  const auto *Of = cast<InlineAsm>(unwrap(Assembly));
  StringRef Own = Of->getAsmString(), Operands = Of->getConstraintString();
  *Text = Own.data();
  *TextLength = Own.size();
  *Constraints = Operands.data();
  *ConstraintsLength = Operands.size();
  return Of->getDialect() == InlineAsm::AD_Intel;
}

// An array of bytes.
LLVMValueRef autojit_shim_bytes(LLVMModuleRef M, const uint8_t *Bytes, size_t Length) {
  return wrap(ConstantDataArray::get(unwrap(M)->getContext(), ArrayRef(Bytes, Length)));
}

// Adds a metadata attachment to a global.
void autojit_shim_attach(LLVMValueRef Global, unsigned Kind, LLVMMetadataRef Node) {
  unwrap<GlobalObject>(Global)->addMetadata(Kind, *unwrap<MDNode>(Node));
}

void autojit_shim_compiler_used(LLVMModuleRef M, LLVMValueRef *Values, size_t Count) {
  SmallVector<GlobalValue *, 64> Globals;
  for (size_t I = 0; I != Count; ++I)
    Globals.push_back(unwrap<GlobalValue>(Values[I]));
  appendToCompilerUsed(*unwrap(M), Globals);
}

// Debug information that belongs to the whole unit (enumerations, retained types, globals, imported entities, macros:
// operands 4 to 8 of DICompileUnit; what variables are described by) is taken off its place, and into a function of
// its own that does nothing: readers of bitcode load what only a function refers to when they read its body. The
// engine knows its form (engine/shim/describe.cpp). Null if the module has no debug information.
LLVMValueRef autojit_shim_take_description(LLVMModuleRef Module) {
  auto &M = *unwrap(Module);
  if (M.debug_compile_units().empty())
    return nullptr;
  LLVMContext &C = M.getContext();
  SmallVector<Metadata *, 2> Description;
  for (DICompileUnit *Unit : M.debug_compile_units()) {
    SmallVector<Metadata *, 5> Lists;
    for (unsigned Operand = 4; Operand <= 8; ++Operand) {
      Lists.push_back(Unit->getOperand(Operand));
      Unit->replaceOperandWith(Operand, nullptr);
    }
    Description.push_back(MDTuple::get(C, Lists));
  }
  SmallVector<Metadata *, 64> Variables;
  for (GlobalVariable &Variable : M.globals()) {
    SmallVector<DIGlobalVariableExpression *, 1> Expressions;
    Variable.getDebugInfo(Expressions);
    for (DIGlobalVariableExpression *Expression : Expressions)
      Variables.append({ConstantAsMetadata::get(&Variable), Expression});
    Variable.eraseMetadata(LLVMContext::MD_dbg);
  }
  Description.push_back(MDTuple::get(C, Variables));
  auto *Holder = Function::Create(FunctionType::get(Type::getVoidTy(C), false), GlobalValue::ExternalLinkage,
                                  "__autojit_description", M);
  auto *Return = ReturnInst::Create(C, BasicBlock::Create(C, "", Holder));
  Return->setMetadata("autojit.description", MDTuple::get(C, Description));
  return wrap(Holder);
}

bool autojit_shim_renames_aliased() { return releases::RenamesAliased; }

// Ends the function of autojit_shim_take_description; puts the variables' descriptions back.
void autojit_shim_drop_description(LLVMValueRef Taken) {
  auto *Holder = cast<Function>(unwrap(Taken));
  MDNode *Description = Holder->getEntryBlock().getTerminator()->getMetadata("autojit.description");
  auto *Variables = cast<MDNode>(Description->operands().back());
  for (unsigned I = 0; I != Variables->getNumOperands(); I += 2)
    mdconst::extract<GlobalVariable>(Variables->getOperand(I))
        ->addDebugInfo(cast<DIGlobalVariableExpression>(Variables->getOperand(I + 1)));
  Holder->eraseFromParent();
}

} // extern "C"
