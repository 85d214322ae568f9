//! Turns the module into what stays in the object: data, constructors, stubs and tables.
//!
//! Receives the module, back in its old form, and where the container lies. Bodies go; functions with a stub become
//! declarations that the module's assembler text defines, which also gives them binding, visibility and type.

use std::collections::HashSet;
use std::ffi::{CStr, OsStr, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::OnceLock;

use autojit_trampoline::contract::{CONTAINER_SYMBOL, STORE_SECTION};
use autojit_trampoline::emit::{Binding, Import, StubModule, Text};
use autojit_trampoline::lines::{File, Unit};
use autojit_trampoline::staying::Staying;

use crate::container::Encoded;
use crate::ir::{IrModule, IrVisibility, Kind, Linkage, Value};
use crate::plan::Plan;
use crate::select::Selection;
use crate::store::Stored;

/// Containers follow one another at multiples of this.
const CONTAINER_ALIGN: u32 = 8;

/// Leaves the stub module in `module`.
pub fn leave(
    module: IrModule,
    plan: &Plan,
    selection: &Selection,
    getters: &[Value],
    encoded: &Encoded,
    stored: &Stored,
) {
    let files = Files::of(module, plan);
    let mut text = Text::default();
    text.alone();
    // With -masm=intel, or after assembly of the module's own that does not switch back.
    text.line(format_args!(".att_syntax"));
    keep_imports(module, plan, getters);
    name_aliases(module, selection, &mut text);
    remove_bodies(plan, selection);
    for (accessed, getter) in plan.accessed.iter().zip(getters) {
        module.define_getter(*getter, accessed.variable);
    }
    text.stubs(plan.stubs());
    record(plan, encoded, stored, &mut text);
    if let Some(files) = files {
        files.describe(encoded, &mut text);
    }
    tell_of_staying(&plan.source, selection, encoded, &mut text);
    if matches!(stored, Stored::Embedded) {
        module.keep(&[module.add_constant(CONTAINER_SYMBOL, STORE_SECTION, &encoded.bytes, CONTAINER_ALIGN)]);
    }
    append(module, text);
}

/// The source files that lazy functions are in.
struct Files {
    language: u16,
    unit: File,
    files: Vec<File>,
    /// The index of `main`.
    main: Option<u32>,
}

impl Files {
    /// Those of a module with debug information, as long as its bodies are there.
    fn of(module: IrModule, plan: &Plan) -> Option<Self> {
        let (language, unit) = module.unit()?;
        let (mut files, mut known, mut main) = (Vec::new(), HashSet::new(), None);
        for (index, function) in plan.functions.iter().enumerate() {
            let Some(file) = module.file_of(function.value) else { continue };
            if known.insert(file.clone()) {
                files.push(file);
            }
            let alone = function.stub.as_ref().is_some_and(|stub| stub.group.is_none());
            if alone && function.stored.name == "main" {
                main = Some(index as u32);
            }
        }
        (!files.is_empty()).then_some(Self { language, unit, files, main })
    }

    fn describe(&self, encoded: &Encoded, text: &mut Text) {
        let Self { language, unit: file, files, main } = self;
        text.lines(&Unit { file, language: *language, files, main: *main, key: encoded.key });
    }
}

/// Keeps what only the import table refers to: optimisers see no assembler text. Declarations are listed too, because
/// ThinLTO within a crate follows such lists to what another module of the crate must keep.
fn keep_imports(module: IrModule, plan: &Plan, getters: &[Value]) {
    let lazy: HashSet<_> = plan.functions.iter().map(|f| f.value).collect();
    let mut kept: Vec<Value> =
        plan.imports().filter_map(|import| import.value).filter(|value| !lazy.contains(value)).collect();
    kept.extend(getters);
    // An indirect function is no member of llvm.compiler.used. As an external symbol it stays anyway; a local one
    // because something points to it. (For an alias it would stay too, but under the alias's name, which in older
    // releases is so for all that is local.)
    let renamed = module.renamed_for_aliases();
    for value in &mut kept {
        if value.is_local() && (value.kind() == Kind::LLVMGlobalIFuncValueKind || renamed.contains(value)) {
            *value = module.add_pointer(&format!("__autojit_kept.{}", value.name()), *value);
        }
    }
    kept.retain(|value| value.kind() != Kind::LLVMGlobalIFuncValueKind);
    if !kept.is_empty() {
        module.keep(&kept);
    }
}

/// An alias of a function that leaves becomes another name of its stub.
fn name_aliases(module: IrModule, selection: &Selection, text: &mut Text) {
    let aliases: Vec<Value> =
        module.aliases().filter(|alias| selection.is_lazy.contains(&alias.base())).collect();
    for alias in aliases {
        let (binding, visibility) = (alias.symbol_binding(), alias.symbol_visibility());
        let target = alias.base();
        text.alias(&alias.name(), binding, visibility, &target.name());
        if binding == Binding::Weak {
            let declaration = module.replace_by_weak_declaration(alias);
            if !declaration.is_global_used() {
                declaration.erase();
            }
        } else {
            // Not a declaration of its own: optimisers take two declarations for two addresses.
            alias.replace_and_erase(target);
        }
    }
}

fn remove_bodies(plan: &Plan, selection: &Selection) {
    let leak = host_leaks();
    for function in &plan.functions {
        if selection.copied.contains(&function.value) {
            function.value.set_linkage(Linkage::LLVMAvailableExternallyLinkage);
        } else {
            function.value.delete_body(leak);
        }
        function.value.set_comdat(std::ptr::null_mut());
        function.value.set_visibility(IrVisibility::LLVMDefaultVisibility);
        function.value.set_dso_local(function.local || function.dso_local);
    }
    for function in &plan.unneeded {
        function.delete_body(leak);
        function.set_comdat(std::ptr::null_mut());
    }
    // Constants that leave may refer to one another: empty all, then end all.
    for constant in &plan.leaving {
        constant.set_linkage(Linkage::LLVMExternalLinkage);
        constant.set_initializer(None);
    }
    for value in plan.leaving.iter().chain(&plan.unneeded).filter(|value| !value.is_global_used()) {
        value.erase();
    }
    for function in &plan.functions {
        if !function.value.is_global_used() {
            function.value.erase();
        } else if !selection.copied.contains(&function.value) {
            function.value.declare_as_defined(function.local);
        }
    }
}

/// Whether the host is clang, which compiles one module in a process and gives back no memory either (its driver passes
/// `-disable-free`). rustc compiles many, and opt may be asked to do so.
fn host_leaks() -> bool {
    // clang::ParseAST(Sema &, bool, bool): of clang's own libraries only.
    // SAFETY: the name is a C string; what it leads to is not used.
    unsafe { !libc::dlsym(libc::RTLD_DEFAULT, c"_ZN5clang8ParseASTERNS_4SemaEbb".as_ptr()).is_null() }
}

/// Where the runtime lies: beside the plugin. Empty if it does not.
fn runtime() -> &'static [u8] {
    static PATH: OnceLock<Vec<u8>> = OnceLock::new();
    PATH.get_or_init(|| {
        // SAFETY: all zeroes is a valid value of this struct of pointers.
        let mut own: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: it may be asked for any address, and writes to the variable.
        if unsafe { libc::dladdr(runtime as *const c_void, &raw mut own) } == 0 || own.dli_fname.is_null() {
            return Vec::new();
        }
        // SAFETY: the loader's C string, which stays while the plugin is loaded.
        let plugin = unsafe { CStr::from_ptr(own.dli_fname) };
        let plugin = Path::new(OsStr::from_bytes(plugin.to_bytes())).canonicalize().unwrap_or_default();
        let runtime = plugin.with_file_name("libautojit.so");
        if runtime.is_file() { runtime.into_os_string().into_vec() } else { Vec::new() }
    })
}

/// Has the file tell of the functions that stay.
fn tell_of_staying(source: &str, selection: &Selection, encoded: &Encoded, text: &mut Text) {
    let mut entry = Staying { key: Staying::key(&encoded.key), source, reasons: Vec::new() };
    for (name, why) in &selection.staying {
        match entry.reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(name),
            None => entry.reasons.push((why, vec![name])),
        }
    }
    if !entry.reasons.is_empty() {
        entry.write(text);
    }
}

/// The same for a module all of which stays, if it has functions. Whether the module was changed.
pub fn tell_why(module: IrModule, why: &str) -> bool {
    let defines = module.functions().any(|function| !function.is_declaration() && !function.is_elsewhere());
    if defines {
        let mut text = Text::default();
        let source = module.source_name();
        let reasons = vec![(why, Vec::new())];
        Staying { key: String::new(), source: &source, reasons }.write(&mut text);
        append(module, text);
    }
    defines
}

/// Appends assembler text to the module's own.
fn append(module: IrModule, mut text: Text) {
    text.line(format_args!(".text"));
    let before = module.inline_asm();
    let line_end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    module.set_inline_asm(&format!("{before}{line_end}{}", text.0));
}

fn record(plan: &Plan, encoded: &Encoded, stored: &Stored, text: &mut Text) {
    let (got, direct) = (entries(&plan.got), entries(&plan.direct));
    text.module(&StubModule {
        key: encoded.key,
        functions: plan.functions.len() as u32,
        source: &plan.source,
        store_dir: match stored {
            Stored::Embedded => None,
            Stored::Directory(path) => Some(path.as_os_str().as_bytes()),
        },
        runtime: runtime(),
        got: &got,
        direct: &direct,
    });
}

/// Entries of the import table.
fn entries(imports: &[crate::plan::Import]) -> Vec<Import<'static>> {
    imports.iter().map(|import| import.entry.clone()).collect()
}
