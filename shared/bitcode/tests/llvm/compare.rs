//! Walks a module in LLVM and in the reader side by side.

use std::collections::HashMap;
use std::ffi::CStr;

use autojit_bitcode::{
    BitcodeModule, Block, DebugLocation, FunctionBody, Global, GlobalKind, Inst, Linkage, Metadata,
    Predecessors, ThreadLocal, TypeId, UnnamedAddr, Value, Visibility,
};
use llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use llvm_sys::comdat::LLVMGetComdat;
use llvm_sys::core::*;
use llvm_sys::debuginfo::LLVMMetadataKind;
use llvm_sys::debuginfo::*;
use llvm_sys::prelude::*;
use llvm_sys::target::{LLVMGetModuleDataLayout, LLVMTargetDataRef};
use llvm_sys::{LLVMLinkage, LLVMThreadLocalMode, LLVMUnnamedAddr, LLVMVisibility};

use crate::Counts;

#[link(name = "LLVM-22")]
unsafe extern "C" {}

/// Fails with a reason if two things differ.
macro_rules! same {
    ($ours:expr, $llvm:expr, $($what:tt)*) => {{
        let (ours, llvm) = ($ours, $llvm);
        if ours != llvm {
            return Err(format!("{}: we say {ours:?}, LLVM {llvm:?}", format_args!($($what)*)));
        }
    }};
}
pub(crate) use same;

pub struct Comparison<'m> {
    pub module: &'m BitcodeModule<'m>,
    pub body: FunctionBody,
    pub layout: LLVMTargetDataRef,
    pub context: LLVMContextRef,
    pub globals: Vec<LLVMValueRef>,
    /// What a value of LLVM's is here: globals, and of the function at hand arguments and results.
    pub values: HashMap<LLVMValueRef, Value>,
    pub blocks: HashMap<LLVMBasicBlockRef, Block>,
    pub types: HashMap<LLVMTypeRef, TypeId>,
    /// Constants that are known to be the same.
    pub known: HashMap<(LLVMValueRef, Value), ()>,
    scopes: HashMap<u32, LLVMMetadataRef>,
    metadata: Metadata<'m>,
    /// The function's symbol and line.
    subprogram: Option<(Vec<u8>, u32)>,
    /// Whether the text says `dso_local` of a global.
    dso_local: HashMap<Vec<u8>, bool>,
    /// How often an instruction was printed: it takes as long as the module is large.
    pub printed: usize,
    pub counts: Counts,
}

pub type Same = Result<(), String>;

impl Comparison<'_> {
    /// Compares a module.
    pub unsafe fn run(bytes: &[u8]) -> Result<Counts, String> {
        let module = BitcodeModule::parse(bytes).map_err(|error| format!("{error:?}"))?;
        let context = LLVMContextCreate();
        let buffer =
            LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), c"".as_ptr());
        let mut theirs = std::ptr::null_mut();
        if LLVMParseBitcodeInContext2(context, buffer, &mut theirs) != 0 {
            return Err("LLVM does not read it".into());
        }
        let mut comparison = Comparison {
            module: &module,
            body: FunctionBody::default(),
            layout: LLVMGetModuleDataLayout(theirs),
            context,
            globals: Vec::new(),
            values: HashMap::new(),
            blocks: HashMap::new(),
            types: HashMap::new(),
            known: HashMap::new(),
            scopes: HashMap::new(),
            metadata: Metadata::new(&module).map_err(|error| format!("metadata: {error:?}"))?,
            subprogram: None,
            dso_local: HashMap::new(),
            printed: 0,
            counts: Counts { modules: 1, ..Counts::default() },
        };
        comparison.module(theirs)?;
        let counts = comparison.counts;
        drop(comparison);
        LLVMDisposeModule(theirs);
        LLVMDisposeMemoryBuffer(buffer);
        LLVMContextDispose(context);
        Ok(counts)
    }

    unsafe fn module(&mut self, theirs: LLVMModuleRef) -> Same {
        let text = |pointer| CStr::from_ptr(pointer).to_bytes();
        same!(self.module.triple(), text(LLVMGetTarget(theirs)), "triple");
        same!(self.module.data_layout(), text(LLVMGetDataLayoutStr(theirs)), "data layout");
        let mut length = 0;
        let assembly = LLVMGetModuleInlineAsm(theirs, &mut length);
        same!(self.module.assembly(), std::slice::from_raw_parts(assembly.cast(), length), "assembly");
        let source = LLVMGetSourceFileName(theirs, &mut length);
        same!(self.module.source_file(), std::slice::from_raw_parts(source.cast::<u8>(), length), "source");
        let whole = LLVMPrintModuleToString(theirs);
        self.dso_local = headers(&CStr::from_ptr(whole).to_string_lossy());
        LLVMDisposeMessage(whole);
        self.collect(LLVMGetFirstGlobal(theirs), LLVMGetNextGlobal);
        self.collect(LLVMGetFirstFunction(theirs), LLVMGetNextFunction);
        self.collect(LLVMGetFirstGlobalAlias(theirs), LLVMGetNextGlobalAlias);
        self.collect(LLVMGetFirstGlobalIFunc(theirs), LLVMGetNextGlobalIFunc);
        same!(self.module.globals().len(), self.globals.len(), "number of globals");
        for index in 0..self.globals.len() {
            self.global(index).map_err(|reason| {
                let name = self.module.name(&self.module.globals()[index]);
                format!("global {}: {reason}", String::from_utf8_lossy(name))
            })?;
        }
        for index in 0..self.globals.len() {
            if self.module.has_body(index as u32) {
                self.function(index as u32).map_err(|reason| {
                    let name = self.module.name(&self.module.globals()[index]);
                    format!("function {}: {reason}", String::from_utf8_lossy(name))
                })?;
            }
        }
        Ok(())
    }

    unsafe fn collect(
        &mut self,
        first: LLVMValueRef,
        next: unsafe extern "C" fn(LLVMValueRef) -> LLVMValueRef,
    ) {
        let mut global = first;
        while !global.is_null() {
            self.values.insert(global, Value(self.globals.len() as u32));
            self.globals.push(global);
            global = next(global);
        }
    }

    unsafe fn global(&mut self, index: usize) -> Same {
        let module = self.module;
        let ours: &Global = &module.globals()[index];
        let seldom = module.seldom(ours);
        let theirs = self.globals[index];
        let mut length = 0;
        let name = LLVMGetValueName2(theirs, &mut length);
        same!(module.name(ours), std::slice::from_raw_parts(name.cast::<u8>(), length), "name");
        let kind = match () {
            () if !LLVMIsAFunction(theirs).is_null() => GlobalKind::Function,
            () if !LLVMIsAGlobalAlias(theirs).is_null() => GlobalKind::Alias,
            () if !LLVMIsAGlobalIFunc(theirs).is_null() => GlobalKind::Ifunc,
            () => GlobalKind::Variable,
        };
        same!(ours.kind, kind, "kind");
        self.same_type(ours.value_type, LLVMGlobalGetValueType(theirs))?;
        self.same_type(ours.pointer_type, LLVMTypeOf(theirs))?;
        same!(ours.linkage, linkage(LLVMGetLinkage(theirs)), "linkage");
        let visibility = match LLVMGetVisibility(theirs) {
            LLVMVisibility::LLVMDefaultVisibility => Visibility::Default,
            LLVMVisibility::LLVMHiddenVisibility => Visibility::Hidden,
            LLVMVisibility::LLVMProtectedVisibility => Visibility::Protected,
        };
        same!(ours.visibility, visibility, "visibility");
        let unnamed = match LLVMGetUnnamedAddress(theirs) {
            LLVMUnnamedAddr::LLVMNoUnnamedAddr => UnnamedAddr::No,
            LLVMUnnamedAddr::LLVMLocalUnnamedAddr => UnnamedAddr::Local,
            LLVMUnnamedAddr::LLVMGlobalUnnamedAddr => UnnamedAddr::Yes,
        };
        same!(ours.unnamed_addr, unnamed, "unnamed_addr");
        same!(ours.declaration, LLVMIsDeclaration(theirs) != 0, "declaration");
        // There is no call for it, but it is in the text.
        if let Some(&dso_local) = self.dso_local.get(module.name(ours)) {
            same!(ours.dso_local, dso_local || implied(ours), "dso_local");
        }
        match kind {
            GlobalKind::Variable | GlobalKind::Function => self.object(ours, theirs, kind)?,
            GlobalKind::Alias => self.operand(ours.initializer(), LLVMAliasGetAliasee(theirs))?,
            GlobalKind::Ifunc => self.operand(ours.initializer(), LLVMGetGlobalIFuncResolver(theirs))?,
        }
        if kind == GlobalKind::Variable {
            let thread_local = match LLVMGetThreadLocalMode(theirs) {
                LLVMThreadLocalMode::LLVMNotThreadLocal => ThreadLocal::No,
                LLVMThreadLocalMode::LLVMGeneralDynamicTLSModel => ThreadLocal::GeneralDynamic,
                LLVMThreadLocalMode::LLVMLocalDynamicTLSModel => ThreadLocal::LocalDynamic,
                LLVMThreadLocalMode::LLVMInitialExecTLSModel => ThreadLocal::InitialExec,
                LLVMThreadLocalMode::LLVMLocalExecTLSModel => ThreadLocal::LocalExec,
            };
            same!(ours.thread_local, thread_local, "thread local");
            same!(ours.constant, LLVMIsGlobalConstant(theirs) != 0, "constant");
            same!(
                ours.externally_initialized,
                LLVMIsExternallyInitialized(theirs) != 0,
                "externally initialised"
            );
            self.operand(ours.initializer(), LLVMGetInitializer(theirs))?;
        }
        if kind == GlobalKind::Function {
            same!(u32::from(ours.convention), LLVMGetFunctionCallConv(theirs), "calling convention");
            let has = |has: LLVMBool, value: unsafe extern "C" fn(LLVMValueRef) -> LLVMValueRef| {
                if has != 0 { value(theirs) } else { std::ptr::null_mut() }
            };
            self.operand(ours.personality(), has(LLVMHasPersonalityFn(theirs), LLVMGetPersonalityFn))?;
            self.operand(seldom.prefix, has(LLVMHasPrefixData(theirs), LLVMGetPrefixData))?;
            self.operand(seldom.prologue, has(LLVMHasPrologueData(theirs), LLVMGetPrologueData))?;
            same!(seldom.gc != 0, !LLVMGetGC(theirs).is_null(), "garbage collector");
            let parameters = LLVMCountParams(theirs);
            // LLVM gives intrinsics their own attributes when it reads them.
            if !module.name(ours).starts_with(b"llvm.") {
                self.function_attributes(ours.attributes, theirs, parameters)?;
            }
        }
        Ok(())
    }

    unsafe fn object(&mut self, ours: &Global, theirs: LLVMValueRef, kind: GlobalKind) -> Same {
        let seldom = self.module.seldom(ours);
        let align = LLVMGetAlignment(theirs);
        same!(ours.align.bytes().unwrap_or(0), u64::from(align), "alignment");
        let section = LLVMGetSection(theirs);
        let section = if section.is_null() { &[][..] } else { CStr::from_ptr(section).to_bytes() };
        same!(self.module.section(seldom.section).unwrap_or(&[]), section, "section");
        let comdat = LLVMGetComdat(theirs);
        same!(ours.comdat != 0, !comdat.is_null(), "comdat of a {kind:?}");
        Ok(())
    }

    unsafe fn operand(&mut self, ours: Option<Value>, theirs: LLVMValueRef) -> Same {
        match ours {
            Some(ours) => {
                if theirs.is_null() {
                    return Err(format!("we say {ours:?}, LLVM says nothing"));
                }
                self.same_value(ours, theirs)
            }
            None => {
                same!(true, theirs.is_null(), "operand");
                Ok(())
            }
        }
    }

    unsafe fn function(&mut self, index: u32) -> Same {
        let module = self.module;
        module.read_function(index, &mut self.body).map_err(|error| format!("{error:?}"))?;
        let theirs = self.globals[index as usize];
        self.counts.functions += 1;
        self.metadata.enter(&self.body).map_err(|error| format!("metadata: {error:?}"))?;
        let subprogram = LLVMGetSubprogram(theirs);
        self.subprogram = (!subprogram.is_null()).then(|| {
            (module.name(&module.globals()[index as usize]).to_vec(), LLVMDISubprogramGetLine(subprogram))
        });
        let of_module = self.values.len();
        self.blocks.clear();
        self.scopes.clear();
        self.known.clear();
        let mut added = Vec::new();
        same!(self.body.arguments(), LLVMCountParams(theirs), "parameters");
        for parameter in 0..self.body.arguments() {
            let value = LLVMGetParam(theirs, parameter);
            added.push(value);
            self.values.insert(value, self.body.argument(parameter));
        }
        let mut instructions = Vec::new();
        let mut block = LLVMGetFirstBasicBlock(theirs);
        while !block.is_null() {
            let number = self.blocks.len() as u32;
            self.blocks.insert(block, Block(number));
            let ours = *self.body.blocks.get(number as usize).ok_or("LLVM has more blocks")?;
            same!(ours.first, instructions.len() as u32, "begin of block {number}");
            let mut instruction = LLVMGetFirstInstruction(block);
            while !instruction.is_null() {
                let ours =
                    self.body.instructions.get(instructions.len()).ok_or("LLVM has more instructions")?;
                if !ours.result.is_none() {
                    added.push(instruction);
                    self.values.insert(instruction, ours.result);
                }
                instructions.push(instruction);
                instruction = LLVMGetNextInstruction(instruction);
            }
            same!(ours.end, instructions.len() as u32, "end of block {number}");
            block = LLVMGetNextBasicBlock(block);
        }
        same!(self.body.blocks.len(), self.blocks.len(), "blocks");
        same!(self.body.instructions.len(), instructions.len(), "instructions");
        for (number, &theirs) in instructions.iter().enumerate() {
            self.counts.instructions += 1;
            self.instruction(number as u32, theirs)
                .map_err(|reason| format!("instruction {number}, {}: {reason}", self.print(theirs).trim()))?;
        }
        self.predecessors()?;
        for value in &added {
            self.values.remove(value);
        }
        same!(self.values.len(), of_module, "values");
        Ok(())
    }

    unsafe fn predecessors(&self) -> Same {
        let mut expected: HashMap<Block, Vec<Block>> = HashMap::new();
        for (&block, &number) in &self.blocks {
            let terminator = LLVMGetBasicBlockTerminator(block);
            for successor in 0..LLVMGetNumSuccessors(terminator) {
                let successor = self.blocks[&LLVMGetSuccessor(terminator, successor)];
                expected.entry(successor).or_default().push(number);
            }
        }
        let mut ours = Predecessors::default();
        ours.compute(&self.body);
        for &block in self.blocks.values() {
            let mut expected = expected.remove(&block).unwrap_or_default();
            expected.sort();
            same!(ours.of(block), &expected[..], "predecessors of {block:?}");
        }
        Ok(())
    }

    /// Line and column; scopes by their identity.
    pub unsafe fn location(&mut self, inst: u32, theirs: LLVMValueRef) -> Same {
        let theirs = LLVMInstructionGetDebugLoc(theirs);
        let Some(&DebugLocation { line, column, scope, inlined_at, .. }) = self.body.location(Inst(inst))
        else {
            same!(true, theirs.is_null(), "no location");
            return Ok(());
        };
        if theirs.is_null() {
            return Err(format!("we say line {line}, LLVM says nothing"));
        }
        same!(line, LLVMDILocationGetLine(theirs), "line");
        same!(column, LLVMDILocationGetColumn(theirs), "column");
        for (ours, theirs) in
            [(scope, LLVMDILocationGetScope(theirs)), (inlined_at, LLVMDILocationGetInlinedAt(theirs))]
        {
            same!(ours == 0, theirs.is_null(), "scope");
            if ours != 0 && !self.scopes.contains_key(&ours) {
                self.node(ours, theirs).map_err(|reason| format!("scope {ours}: {reason}"))?;
            }
            if ours != 0 {
                same!(*self.scopes.entry(ours).or_insert(theirs), theirs, "scope {ours}");
            }
        }
        let Some((name, line)) = self.subprogram.as_ref().filter(|_| inlined_at == 0) else { return Ok(()) };
        let function = self.metadata.subprogram(scope).map_err(|error| format!("{error:?}"))?;
        same!(function.line, *line, "line of the function");
        let symbol = if function.linkage_name.is_empty() { function.name } else { function.linkage_name };
        if !name.is_empty() && !symbol.is_empty() {
            // Symbols may have got a suffix or a prefix since, and constructors another number.
            let mut found = name.windows(symbol.len()).any(|part| part == symbol);
            // Optimisers give what initialises thread-local variables the name of its only alias.
            found |= symbol == b"__tls_init" && name.starts_with(b"_ZTH");
            same!(found || symbol.starts_with(b"_ZN"), true, "symbol {}", String::from_utf8_lossy(symbol));
        }
        Ok(())
    }

    /// Compares a scope's file, or the place where it was inlined.
    unsafe fn node(&mut self, ours: u32, theirs: LLVMMetadataRef) -> Same {
        let failed = |error| format!("{error:?}");
        if matches!(LLVMGetMetadataKind(theirs), LLVMMetadataKind::LLVMDILocationMetadataKind) {
            let location = self.metadata.location(ours).map_err(failed)?;
            same!(location.line, LLVMDILocationGetLine(theirs), "line");
            same!(location.column, LLVMDILocationGetColumn(theirs), "column");
            let scope = self.metadata.scope(location.scope).map_err(failed)?;
            return self.file(scope.file, LLVMDIScopeGetFile(LLVMDILocationGetScope(theirs)));
        }
        let scope = self.metadata.scope(ours).map_err(failed)?;
        if matches!(LLVMGetMetadataKind(theirs), LLVMMetadataKind::LLVMDISubprogramMetadataKind) {
            same!(scope.line, LLVMDISubprogramGetLine(theirs), "line");
        }
        self.file(scope.file, LLVMDIScopeGetFile(theirs))
    }

    unsafe fn file(&mut self, ours: u32, theirs: LLVMMetadataRef) -> Same {
        same!(ours == 0, theirs.is_null(), "file");
        if ours != 0 {
            let ours = self.metadata.file(ours).map_err(|error| format!("{error:?}"))?;
            let mut length = 0;
            for (ours, get) in [
                (ours.name, LLVMDIFileGetFilename as unsafe extern "C" fn(_, _) -> _),
                (ours.directory, LLVMDIFileGetDirectory),
            ] {
                let text: *const std::ffi::c_char = get(theirs, &mut length);
                let text = if length == 0 {
                    &[][..]
                } else {
                    std::slice::from_raw_parts(text.cast(), length as usize)
                };
                same!(ours, text, "name of a file or directory");
            }
        }
        Ok(())
    }

    pub unsafe fn print(&self, value: LLVMValueRef) -> String {
        let text = LLVMPrintValueToString(value);
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        LLVMDisposeMessage(text);
        copy
    }
}

/// Of each global with a plain name, whether `dso_local` is in front of its type.
fn headers(text: &str) -> HashMap<Vec<u8>, bool> {
    let mut found = HashMap::new();
    for line in text.lines() {
        let (before, after) = match line.split_once('@') {
            Some(("", after)) => ("", after),
            Some((before, after)) if line.starts_with("define ") || line.starts_with("declare ") => {
                (before, after)
            }
            _ => continue,
        };
        let end =
            after.find(|c: char| !(c.is_ascii_alphanumeric() || "._$".contains(c))).unwrap_or(after.len());
        let keywords = if before.is_empty() { after.split('"').next().unwrap_or_default() } else { before };
        found.insert(after.as_bytes()[..end].to_vec(), keywords.contains(" dso_local "));
    }
    found.remove(&b""[..]);
    found
}

/// LLVM does not print it where linkage and visibility say it.
fn implied(global: &Global) -> bool {
    let local = matches!(global.linkage, Linkage::Internal | Linkage::Private);
    local || global.visibility != Visibility::Default && global.linkage != Linkage::ExternalWeak
}

fn linkage(linkage: LLVMLinkage) -> Linkage {
    match linkage {
        LLVMLinkage::LLVMExternalLinkage => Linkage::External,
        LLVMLinkage::LLVMAvailableExternallyLinkage => Linkage::AvailableExternally,
        LLVMLinkage::LLVMLinkOnceAnyLinkage => Linkage::LinkOnceAny,
        LLVMLinkage::LLVMLinkOnceODRLinkage => Linkage::LinkOnceOdr,
        LLVMLinkage::LLVMWeakAnyLinkage => Linkage::WeakAny,
        LLVMLinkage::LLVMWeakODRLinkage => Linkage::WeakOdr,
        LLVMLinkage::LLVMAppendingLinkage => Linkage::Appending,
        LLVMLinkage::LLVMInternalLinkage => Linkage::Internal,
        LLVMLinkage::LLVMPrivateLinkage => Linkage::Private,
        LLVMLinkage::LLVMExternalWeakLinkage => Linkage::ExternalWeak,
        LLVMLinkage::LLVMCommonLinkage => Linkage::Common,
        other => panic!("the reader knows no {other:?}"),
    }
}
