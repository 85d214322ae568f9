// Kept-open modules and batches: from bitcode to a small module with the bodies of a batch and the constants that
// they use, everything else declared. Hands that module on to compile.cpp.

#include "open.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include "compile.h"
#include "describe.h"

using namespace llvm;

// Metadata is shared between the modules of a context, so only values are mapped.
static const RemapFlags Flags = RF_NoModuleLevelChanges | RF_IgnoreMissingLocals | RF_DoNotRemapAtoms;

// What says how much a unit's debug information describes, and whether a function's calls are described. These nodes
// have no setters; an explicit instantiation may name private members.
template <typename Tag, auto Field> struct Private {
  friend auto field(Tag) { return Field; }
};
struct Emission {
  friend auto field(Emission);
};
struct Profiling {
  friend auto field(Profiling);
};
struct Flagged {
  friend auto field(Flagged);
};
template struct Private<Emission, &DICompileUnit::EmissionKind>;
template struct Private<Profiling, &DICompileUnit::DebugInfoForProfiling>;
template struct Private<Flagged, &DISubprogram::Flags>;

// Types are most of a unit's debug information, a function of a few lines refers to hundreds of them, and each object
// would repeat them: that costs several times what the code does. So it describes lines only, unless asked otherwise;
// and the names of functions, which printed stacks have beside lines: profilers want the same.
static void describeLinesOnly(Module &Kept) {
  for (DICompileUnit *Unit : Kept.debug_compile_units())
    if (Unit->getEmissionKind() == DICompileUnit::FullDebug) {
      Unit->*field(Emission()) = DICompileUnit::LineTablesOnly;
      Unit->*field(Profiling()) = true;
    }
}

static void describeLinesOnly(DISubprogram *Subprogram) {
  if (!Subprogram)
    return;
  Subprogram->*field(Flagged()) &= ~DINode::FlagAllCallsDescribed;
  Subprogram->replaceRetainedNodes(nullptr);
  // They are described even where types are not, and lead to most types of a unit.
  const unsigned TemplateParams = 9;
  if (Subprogram->isDistinct() && Subprogram->getTemplateParams())
    Subprogram->replaceOperandWith(TemplateParams, nullptr);
}

static void describeLinesOnly(Function &New) {
  describeLinesOnly(New.getSubprogram());
  for (Instruction &I : instructions(New)) {
    I.dropDbgRecords();
    // What the front end inlined itself (rustc does) belongs to other subprograms.
    for (const DILocation *At = I.getDebugLoc(); At && At->getInlinedAt(); At = At->getInlinedAt())
      describeLinesOnly(At->getScope()->getSubprogram());
  }
}

bool Diagnostics::handleDiagnostics(const DiagnosticInfo &Info) {
  if (Info.getSeverity() == DS_Error) {
    raw_string_ostream Out(Errors);
    DiagnosticPrinterRawOStream Printer(Out);
    if (!Errors.empty())
      Out << '\n';
    Info.print(Printer);
  }
  return true;
}

char *toText(const std::string &Text) { return strdup(Text.c_str()); }

autojit_shim_module::~autojit_shim_module() {
  Context.withContextDo([&](LLVMContext *) { Kept.reset(); });
}

autojit_shim_module *autojit_shim_open(const char *Bitcode, size_t Length, const char *Name,
                                       const autojit_shim_options *Options, const char *Build, char **Error) {
  std::string Unknown;
  auto Known = BuildOptions::read(Build, Unknown);
  if (!Known) {
    *Error = toText(Unknown);
    return nullptr;
  }
  auto Context = std::make_unique<LLVMContext>();
  Context->setDiscardValueNames(true);
  auto Handler = std::make_unique<Diagnostics>();
  auto Open = std::make_unique<autojit_shim_module>();
  Open->Diags = Handler.get();
  Open->Options = *Options;
  Open->Build = std::move(*Known);
  Context->setDiagnosticHandler(std::move(Handler));
  LLVMContext &Ctx = *Context;
  Open->Context = orc::ThreadSafeContext(std::move(Context));

  auto Fail = [&](llvm::Error E) {
    *Error = toText(toString(std::move(E)));
    return nullptr;
  };
  // As for importing: metadata is read when a body refers to it. A unit's whole description is for debuggers only.
  auto Kept = getLazyBitcodeModule(MemoryBufferRef(StringRef(Bitcode, Length), Name), Ctx,
                                   /*ShouldLazyLoadMetadata=*/true, /*IsImporting=*/!Options->full_debug);
  if (!Kept)
    return Fail(Kept.takeError());
  Open->Kept = std::move(*Kept);
  if (auto E = Open->Kept->materializeMetadata())
    return Fail(std::move(E));
  if (!Options->full_debug)
    describeLinesOnly(*Open->Kept);
  if (auto E = checkTarget(Open->Kept->getTargetTriple()))
    return Fail(std::move(E));
  return Open.release();
}

void autojit_shim_close(autojit_shim_module *Module) { delete Module; }

LLVMValueRef autojit_shim_find(autojit_shim_module *Module, const char *Name, size_t Length) {
  Function *Found = Module->Kept->getFunction(StringRef(Name, Length));
  return Found && !Found->isDeclaration() ? wrap(Found) : nullptr;
}

bool autojit_shim_materialize(autojit_shim_module *Module, LLVMValueRef Value, char **Error) {
  llvm::Error E = unwrap<Function>(Value)->materialize();
  if (!E)
    return true;
  *Error = toText(toString(std::move(E)));
  return false;
}

// Module flags that describe how the image is linked, which is settled by the target machine and by symbols' flags.
static bool isAboutLinking(StringRef Key) {
  return Key == "PIC Level" || Key == "PIE Level" || Key == "SemanticInterposition" || Key == "Code Model";
}

// Whether metadata refers to no function of the kept module, as call graph profiles do.
static bool isPlain(const Metadata *Value) {
  if (const auto *Constant = dyn_cast_or_null<ConstantAsMetadata>(Value))
    return isa<ConstantData>(Constant->getValue());
  if (const auto *List = dyn_cast_or_null<MDTuple>(Value)) // a profile's summary is a tree
    return all_of(List->operands(), [](const MDOperand &Operand) { return isPlain(Operand); });
  return isa_and_nonnull<MDString>(Value);
}

Batch::Batch(autojit_shim_module &From) : From(From) {
  Module &Kept = *From.Kept;
  To = std::make_unique<Module>(Kept.getModuleIdentifier(), Kept.getContext());
  To->setSourceFileName(Kept.getSourceFileName());
  To->setTargetTriple(Kept.getTargetTriple());
  To->setDataLayout(Kept.getDataLayout());
  SmallVector<Module::ModuleFlagEntry, 8> Entries;
  Kept.getModuleFlagsMetadata(Entries);
  for (const auto &Entry : Entries)
    if (!isAboutLinking(Entry.Key->getString()) && isPlain(Entry.Val))
      To->addModuleFlag(Entry.Behavior, Entry.Key->getString(), Entry.Val);
  To->setPICLevel(PICLevel::BigPIC);
  if (const NamedMDNode *Units = Kept.getNamedMetadata("llvm.dbg.cu")) {
    NamedMDNode *NewUnits = To->getOrInsertNamedMetadata("llvm.dbg.cu");
    for (unsigned I = 0; I != Units->getNumOperands(); ++I)
      NewUnits->addOperand(Units->getOperand(I));
  }
}

// Makes a declaration one of a function that the program defines: optimisers infer attributes of declarations from names that
// the C library has, but not if they are optnone.
static void declareAsDefined(Function &F) {
  for (Attribute::AttrKind Contrary : {Attribute::AlwaysInline, Attribute::OptimizeForSize, Attribute::MinSize})
    F.removeFnAttr(Contrary);
  F.addFnAttr(Attribute::NoInline);
  F.addFnAttr(Attribute::OptimizeNone);
}

Function *Batch::declare(const GlobalValue &Old, FunctionType *Type) {
  if (Function *New = To->getFunction(Old.getName()))
    return New;
  Function *New = Function::Create(Type, GlobalValue::ExternalLinkage, Old.getAddressSpace(), Old.getName(), To.get());
  New->setVisibility(Old.getVisibility());
  New->setDSOLocal(Old.isDSOLocal());
  New->setUnnamedAddr(Old.getUnnamedAddr());
  if (const auto *OldFunction = dyn_cast<Function>(&Old)) {
    New->setCallingConv(OldFunction->getCallingConv());
    New->setAttributes(OldFunction->getAttributes());
    if (OldFunction->isDeclaration()) {
      New->setLinkage(OldFunction->getLinkage());
      New->copyMetadata(OldFunction, 0);
    } else if (From.Options.speed > 0) {
      declareAsDefined(*New);
    }
  } else {
    // An alias or indirect function: the optimiser takes two strong declarations for two addresses.
    New->setLinkage(GlobalValue::ExternalWeakLinkage);
  }
  return New;
}

GlobalVariable *Batch::declareVariable(const GlobalValue &Old) {
  const auto *Variable = dyn_cast<GlobalVariable>(&Old);
  bool Defined = Variable && Variable->hasInitializer();
  if (Defined && !Variable->isConstant() && !Old.hasAvailableExternallyLinkage()) {
    // A copy for each batch would be a different variable each time.
    Error = "the module defines the variable " + Old.getName().str();
    Defined = false;
  }
  // At -O0 only checks of bounds look at what is defined elsewhere.
  if (Defined && Old.hasAvailableExternallyLinkage() && From.Options.speed == 0 && !From.Build.checksBounds())
    Defined = false;
  auto Linkage = Defined || (Variable && Variable->isDeclaration()) ? Old.getLinkage() : GlobalValue::ExternalLinkage;
  auto *New = new GlobalVariable(*To, Old.getValueType(), Variable && Variable->isConstant(), Linkage, nullptr,
                                 Old.getName(), nullptr, Old.getThreadLocalMode(), Old.getAddressSpace(),
                                 Variable && Variable->isExternallyInitialized());
  if (Variable) {
    New->copyAttributesFrom(Variable);
  } else {
    // An alias: as in declare().
    New->setLinkage(GlobalValue::ExternalWeakLinkage);
    New->setVisibility(Old.getVisibility());
    New->setDSOLocal(Old.isDSOLocal());
  }
  if (Defined)
    Pending.push_back({Variable, New});
  return New;
}

// Two declared variables are two objects to the optimiser; an alias that another definition may replace is nothing that it
// knows. One needs a definition to stand for, until undefineAliases.
GlobalAlias *Batch::declareAlias(const GlobalAlias &Old) {
  Type *T = Old.getValueType();
  auto *Aliased = new GlobalVariable(*To, T, false, GlobalValue::InternalLinkage, Constant::getNullValue(T));
  auto *New = GlobalAlias::create(T, Old.getAddressSpace(), GlobalValue::WeakAnyLinkage, Old.getName(), Aliased, To.get());
  New->setVisibility(Old.getVisibility());
  New->setDSOLocal(Old.isDSOLocal());
  return New;
}

Value *Batch::materialize(Value *V) {
  auto *Old = dyn_cast<GlobalValue>(V);
  if (!Old || Old->getParent() == To.get())
    return nullptr;
  auto *Alias = dyn_cast<GlobalAlias>(Old);
  if (Alias && From.Options.speed > 0 && !isa<FunctionType>(Alias->getValueType())) {
    const GlobalObject *Aliased = Alias->getAliaseeObject();
    if (Aliased && !Aliased->isInterposable() && !Alias->isInterposable())
      return MapValue(Alias->getAliasee(), Map, Flags, nullptr, this);
    return declareAlias(*Alias);
  }
  if (auto *Type = dyn_cast<FunctionType>(Old->getValueType()))
    return declare(*Old, Type);
  return declareVariable(*Old);
}

void Batch::add(const autojit_shim_member &Member) {
  Function &Old = *unwrap<Function>(Member.function);
  const autojit_shim_role Role = Member.role;
  auto *New = cast<Function>(ValueMapper(Map, Flags, nullptr, this).mapValue(Old));
  if (Old.empty() || !New->empty())
    return;
  // A block whose address is taken belongs to its function: constants name both.
  bool AddressTaken = any_of(Old, [](const BasicBlock &Block) { return Block.hasAddressTaken(); });
  // Inlined, such an address would be that of a body that is nowhere.
  if (AddressTaken && Role == AUTOJIT_SHIM_INLINE_ONLY)
    return;
  New->copyAttributesFrom(&Old);
  switch (Role) {
  case AUTOJIT_SHIM_EXACT:
    New->setLinkage(GlobalValue::ExternalLinkage);
    break;
  case AUTOJIT_SHIM_ONE_OF_EQUALS:
    New->setLinkage(GlobalValue::WeakODRLinkage);
    break;
  case AUTOJIT_SHIM_INTERPOSABLE:
    New->setLinkage(GlobalValue::WeakAnyLinkage);
    break;
  case AUTOJIT_SHIM_INLINE_ONLY:
    New->setLinkage(GlobalValue::AvailableExternallyLinkage);
    break;
  }
  if (Role != AUTOJIT_SHIM_INLINE_ONLY) {
    // What refers to it, this batch included, must get the address that the whole process uses: no local binding.
    New->setVisibility(GlobalValue::DefaultVisibility);
    New->setDSOLocal(false);
  }
  New->setComdat(nullptr);
  // clang -O0 marks each function so that later optimisation leaves it alone.
  if (From.Options.drop_optnone && New->hasFnAttribute(Attribute::OptimizeNone)) {
    New->removeFnAttr(Attribute::OptimizeNone);
    New->removeFnAttr(Attribute::NoInline);
  }
  // The inliner wants bodies again and again; without it each is used once.
  if (From.Options.speed == 0 && Role != AUTOJIT_SHIM_INLINE_ONLY && !AddressTaken)
    move(Old, *New);
  else
    copy(Old, *New);
  if (!From.Options.full_debug)
    describeLinesOnly(*New);
  else if (Member.stubbed)
    New->addFnAttr(StubbedAttribute);
}

void Batch::move(Function &Old, Function &New) {
  New.splice(New.begin(), &Old);
  New.stealArgumentListFrom(Old);
  New.copyMetadata(&Old, 0);
  Old.clearMetadata();
  Old.setIsMaterializable(true); // it can be read again, should this batch fail
  RemapFunction(New, Map, Flags, nullptr, this);
}

void Batch::copy(Function &Old, Function &New) {
  for (auto [OldArgument, NewArgument] : zip(Old.args(), New.args()))
    Map[&OldArgument] = &NewArgument;
  for (Use &Operand : New.operands()) // personality, prefix and prologue
    Operand.set(MapValue(Operand.get(), Map, Flags, nullptr, this));
  New.copyMetadata(&Old, 0);
  SmallVector<ReturnInst *, 8> Returns;
  CloneFunctionBodyInto(New, Old, Map, RF_NoModuleLevelChanges | RF_DoNotRemapAtoms, Returns, "", nullptr, nullptr,
                        this);
  // Through the context, assignment IDs find all instructions that carry them: the copy needs IDs of its own.
  DenseMap<DIAssignID *, DIAssignID *> Assignments;
  for (Instruction &I : instructions(New))
    at::remapAssignID(Assignments, I);
}

void Batch::finish() {
  while (!Pending.empty()) {
    auto [Old, New] = Pending.pop_back_val();
    New->setInitializer(MapValue(Old->getInitializer(), Map, Flags, nullptr, this));
  }
  Map.clear(); // or each value that the passes delete is looked up in it
}
