//! The compiler plugin: takes the function bodies out of a module and leaves stubs in their place.
//!
//! Loaded by clang, opt and rustc, it runs at the start of the pass pipeline, in these steps:
//! [`rustc`] leaves alone what runs in the build itself, [`host`] what passes behind this one must see, [`lighten`] inlines what is small, [`select`] decides which bodies leave, [`uses`] finds out what
//! they use and what uses them, [`plan`] decides from that which functions get a stub and what goes into the import table,
//! [`thread_locals`] has bodies call the getters of such variables that the plan has, [`container`] writes them as bitcode in a form that the
//! engine can compile piece by piece, [`store`] puts the container into the object or a directory,
//! [`announce`] tells the compile daemon of it, and [`stub_module`] turns the module into what stays: data, constructors, stubs and tables.

mod announce;
mod assembly;
mod container;
mod ffi;
mod host;
mod inline_assembly;
mod ir;
mod options;
mod pieces;
mod plan;
mod rustc;
mod select;
mod store;
mod stub_module;
mod thread_locals;
mod uses;

use std::ffi::{c_char, c_void};

use llvm_sys::prelude::LLVMModuleRef;

use crate::host::Host;
use crate::ir::IrModule;
use crate::options::Options;

/// `PassPluginLibraryInfo` of llvm/Plugins/PassPlugin.h, LLVM_PLUGIN_API_VERSION 2; before LLVM 22 version 1, of
/// llvm/Passes/PassPlugin.h, without the last field.
#[repr(C)]
#[derive(Debug)]
pub struct PassPluginLibraryInfo {
    api_version: u32,
    name: *const c_char,
    version: *const c_char,
    register: unsafe extern "C" fn(*mut c_void),
    #[cfg(not(plugin_api_1))]
    pre_code_gen: *const c_void,
}

/// What hosts look for in a pass plugin.
// SAFETY: no other library defines this symbol in the plugin's scope; hosts ask dlsym for it on our handle.
#[unsafe(no_mangle)]
pub extern "C" fn llvmGetPassPluginInfo() -> PassPluginLibraryInfo {
    unsafe extern "C" fn register(pass_builder: *mut c_void) {
        // SAFETY: the host hands us its PassBuilder; take_bodies has the signature that the shim calls.
        unsafe { ffi::autojit_shim_register(pass_builder, take_bodies) }
    }
    PassPluginLibraryInfo {
        api_version: if cfg!(plugin_api_1) { 1 } else { 2 },
        name: c"autojit".as_ptr(),
        version: concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast(),
        register,
        #[cfg(not(plugin_api_1))]
        pre_code_gen: std::ptr::null(),
    }
}

unsafe extern "C" fn take_bodies(module: LLVMModuleRef, build: *const ffi::Build) -> bool {
    // SAFETY: the pass manager runs this pass alone on the module until it returns.
    let module = unsafe { IrModule::new(module) };
    // SAFETY: the shim's, until this returns.
    let host = unsafe { Host::new(&*build) };
    let host = host.for_module(module);
    let options = Options::from_environment();
    let source = module.source_name();
    let stays = |why: &str| options.info(&format!("{source}: compiled as usual: {why}"));
    if let Some(why) = rustc::ineligible().or_else(|| select::foreign(module)) {
        stays(why);
        return false;
    }
    if let Some(why) = host.why.as_deref().or_else(|| select::ineligible(module)) {
        stays(why);
        return stub_module::tell_why(module, why);
    }
    let changed = lighten(module, &host);
    match outline(module, &options, &host) {
        Ok(Outcome::Changed) => true,
        Ok(Outcome::Untouched(why)) => {
            stays(why);
            stub_module::tell_why(module, why) || changed
        }
        Err(why) => {
            module.error(&format!("autojit: {source}: {why}"));
            true
        }
    }
}

/// Does before bodies leave what no compiler does at first calls; whether it may have changed something.
fn lighten(module: IrModule, host: &Host) -> bool {
    if !host.optimises() {
        // As clang does without optimisation.
        return module.inline_vector_functions();
    }
    module.inline_small_functions(host);
    module.settle_questions();
    true
}

/// What became of a module.
enum Outcome {
    Changed,
    Untouched(&'static str),
}

/// The steps, for a module that can be handled.
fn outline(module: IrModule, options: &Options, host: &Host) -> Result<Outcome, String> {
    let selection = match select::select(module, host, options) {
        Ok(selection) => selection,
        Err(why) => return Ok(Outcome::Untouched(why)),
    };
    if selection.lazy.is_empty() {
        return Ok(Outcome::Untouched("no function can be compiled later"));
    }
    let uses = uses::Uses::new(&selection);
    let plan = plan::Plan::new(module, &selection, &uses, host.optimises());
    if plan.stubs().next().is_none() {
        return Ok(Outcome::Untouched("nothing outside the module can reach its functions"));
    }
    // From here on the module changes.
    let getters = thread_locals::replace(module, &selection, &plan.accessed);
    // Their last call would come from where they were called themselves, which may be code that was compiled later.
    selection.uses_caller_identity.iter().for_each(|function| function.disable_tail_calls());
    let encoded = container::write(module, &plan, &selection, host)?;
    let stored = store::write(options, &encoded)?;
    announce::announce(options, &encoded);
    stub_module::leave(module, &plan, &selection, &getters, &encoded, &stored);
    Ok(Outcome::Changed)
}
