//! Library functions that the code generator will call for instructions and intrinsics of bodies that leave.
//!
//! A plain object would refer to them, so that the linker takes them from libgcc or libgcc_eh, puts others in their place
//! (`--wrap`) and keeps libm under `--as-needed`, which rustc always asks for: so does ours. Receives the functions that
//! leave and their notable instructions ([`Value::notable_instructions`]); hands on names for the import table.

use std::collections::{BTreeMap, HashSet};

use llvm_sys::{LLVMAtomicRMWBinOp, LLVMOpcode, LLVMTypeKind};

use super::{IrModule, Kind, Value};

/// The functions' names, and whether each may be missing: nothing optimised calls a function of constants.
pub fn of(
    module: IrModule,
    is_lazy: &HashSet<Value>,
    notable: &[Value],
    optimised: bool,
) -> BTreeMap<String, bool> {
    let mut found: BTreeMap<_, _> =
        memory_functions(module, is_lazy).map(|name| (name.to_owned(), false)).collect();
    if optimised {
        found.extend(replacements(module).map(|name| (name, false)));
    }
    for instruction in notable {
        for name in names(*instruction) {
            let optional = optimised && is_folded(*instruction);
            *found.entry(name).or_insert(true) &= optional;
        }
    }
    found
}

/// The functions of memory that lazy bodies use: for small sizes the code generator has instructions, but every C
/// library has these functions.
fn memory_functions(module: IrModule, is_lazy: &HashSet<Value>) -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; 3] = ["memcpy", "memmove", "memset"];
    let called = |intrinsic: &Value| intrinsic.users().any(|call| is_lazy.contains(&call.function()));
    module.functions().filter(|function| function.is_intrinsic()).filter(called).filter_map(|intrinsic| {
        let name = intrinsic.name();
        let (operation, types) = name.strip_prefix("llvm.")?.split_once('.')?;
        NAMES.into_iter().find(|known| operation == *known && !types.starts_with("inline."))
    })
}

/// The functions of libm that optimisers put in the place of those that the module calls.
fn replacements(module: IrModule) -> impl Iterator<Item = String> {
    const TABLE: [(&str, &[&str]); 3] =
        [("pow", &["exp2", "exp10", "ldexp", "sqrt"]), ("exp2", &["ldexp"]), ("sin", &["sincos"])];
    module.functions().filter(|function| function.is_declaration()).flat_map(|function| {
        let mut name = function.name();
        if let Some((operation, kind)) = name.strip_prefix("llvm.").and_then(|rest| rest.split_once('.')) {
            let suffix =
                ["f", "", "l"].into_iter().zip(["f32", "f64", "f80"]).find(|(_, known)| *known == kind);
            name = format!("{operation}{}", suffix.map_or("?", |(suffix, _)| suffix));
        }
        let of = |suffix: &str| {
            let base = name.strip_suffix(suffix)?;
            let (_, others) = TABLE.iter().find(|(known, _)| *known == base)?;
            Some(others.iter().map(|other| format!("{other}{suffix}")).collect::<Vec<_>>())
        };
        ["", "f", "l"].into_iter().find_map(of).unwrap_or_default()
    })
}

/// Whether an instruction computes with numbers only.
fn is_folded(instruction: Value) -> bool {
    let inputs = match instruction.callee() {
        Some(callee) => instruction.operands().filter(|operand| *operand != callee).collect::<Vec<_>>(),
        None => instruction.operands().collect(),
    };
    inputs.iter().all(|v| matches!(v.kind(), Kind::LLVMConstantFPValueKind | Kind::LLVMConstantIntValueKind))
}

fn names(instruction: Value) -> Vec<String> {
    let known = |names: &[&str]| names.iter().map(|name| format!("__{name}")).collect();
    let is_quad = || instruction.operand(0).scalar_kind() == LLVMTypeKind::LLVMFP128TypeKind;
    // Other predicates are the contrary of these.
    match instruction.quad_predicate() {
        0 | 15 => {}
        1 => return known(&["eqtf2"]),
        14 => return known(&["netf2"]),
        2 | 13 => return known(&["gttf2"]),
        3 | 12 => return known(&["getf2"]),
        4 | 11 => return known(&["lttf2"]),
        5 | 10 => return known(&["letf2"]),
        7 | 8 => return known(&["unordtf2"]),
        _ => return known(&["unordtf2", "eqtf2"]),
    }
    let multiplies_and_adds =
        instruction.called_intrinsic().is_some_and(|name| name.contains(".fmuladd.")) && is_quad();
    if multiplies_and_adds { known(&["multf3", "addtf3"]) } else { Vec::from_iter(name(instruction)) }
}

fn name(instruction: Value) -> Option<String> {
    let fixed = match instruction.opcode() {
        LLVMOpcode::LLVMResume => "_Unwind_Resume",
        // Of 128 bits, or it would not be notable.
        LLVMOpcode::LLVMUDiv => "__udivti3",
        LLVMOpcode::LLVMSDiv => "__divti3",
        LLVMOpcode::LLVMURem => "__umodti3",
        LLVMOpcode::LLVMSRem => "__modti3",
        LLVMOpcode::LLVMFAdd => return quad("add", instruction),
        LLVMOpcode::LLVMFSub => return quad("sub", instruction),
        LLVMOpcode::LLVMFMul => return quad("mul", instruction),
        LLVMOpcode::LLVMFDiv => return quad("div", instruction),
        LLVMOpcode::LLVMFRem => return mathematical("fmod", instruction),
        LLVMOpcode::LLVMLoad => return atomic("load", instruction),
        LLVMOpcode::LLVMStore => return atomic("store", instruction),
        LLVMOpcode::LLVMAtomicCmpXchg => return atomic("compare_exchange", instruction),
        LLVMOpcode::LLVMAtomicRMW => return atomic(exchange(instruction), instruction),
        LLVMOpcode::LLVMFPToSI => return conversion("fix", instruction),
        LLVMOpcode::LLVMFPToUI => return conversion("fixuns", instruction),
        LLVMOpcode::LLVMSIToFP => return conversion("float", instruction),
        LLVMOpcode::LLVMUIToFP => return conversion("floatun", instruction),
        LLVMOpcode::LLVMFPExt => return conversion("extend", instruction),
        LLVMOpcode::LLVMFPTrunc => return conversion("trunc", instruction),
        _ => {
            let intrinsic = instruction.called_intrinsic()?;
            let name = intrinsic.strip_prefix("llvm.")?;
            let name = name.strip_prefix("experimental.constrained.").unwrap_or(name);
            if name.starts_with("powi.") {
                return mode(instruction.operand(0)).map(|mode| format!("__powi{mode}2"));
            }
            return match name.split('.').next()? {
                // The strict variants of instructions, and those that saturate.
                "fptosi" => conversion("fix", instruction),
                "fptoui" => conversion("fixuns", instruction),
                "sitofp" => conversion("float", instruction),
                "uitofp" => conversion("floatun", instruction),
                "fpext" => conversion("extend", instruction),
                "fptrunc" => conversion("trunc", instruction),
                "fadd" => quad("add", instruction),
                "fsub" => quad("sub", instruction),
                "fmul" => quad("mul", instruction),
                "fdiv" => quad("div", instruction),
                name => mathematical(name, instruction),
            };
        }
    };
    Some(fixed.to_owned())
}

/// Intrinsics that no processor computes, beside those that have instructions for some types: named like the function.
const ALWAYS: [&str; 25] = [
    "acos", "asin", "atan", "atan2", "cos", "cosh", "exp", "exp10", "exp2", "fmod", "frexp", "ldexp",
    "llround", "log", "log10", "log2", "lround", "modf", "pow", "sin", "sincos", "sincospi", "sinh", "tan",
    "tanh",
];
/// Those that SSE 4.1 has instructions for.
const ROUNDING: [&str; 7] = ["ceil", "floor", "nearbyint", "rint", "round", "roundeven", "trunc"];

/// The function of libm for an intrinsic's name and an instruction's type, if it is called.
fn mathematical(intrinsic: &str, instruction: Value) -> Option<String> {
    let (base, suffix) = match intrinsic {
        // The strict variant of an instruction.
        "frem" => ("fmod", suffix(instruction)?),
        "minnum" | "maxnum" => {
            let wide = suffix(instruction).filter(|suffix| matches!(*suffix, "l" | "f128"))?;
            (if intrinsic == "minnum" { "fmin" } else { "fmax" }, wide)
        }
        "sqrt" | "lrint" | "llrint" => (intrinsic, suffix(instruction).filter(|suffix| *suffix == "f128")?),
        name if ALWAYS.contains(&name) => (name, suffix(instruction)?),
        name if ROUNDING.contains(&name) || name == "fma" => {
            let suffix = suffix(instruction)?;
            let short = matches!(suffix, "" | "f");
            let wanted: &[&str] = if name == "fma" { &["+fma", "+fma4"] } else { &["+sse4.1", "+avx"] };
            if short && has_feature(instruction, wanted) {
                return None;
            }
            (name, suffix)
        }
        _ => return None,
    };
    Some(format!("{base}{suffix}"))
}

/// What libm has behind a function's name for the type of the first operand.
fn suffix(instruction: Value) -> Option<&'static str> {
    match instruction.operand(0).scalar_kind() {
        // Narrower ones are widened.
        LLVMTypeKind::LLVMHalfTypeKind | LLVMTypeKind::LLVMBFloatTypeKind => Some("f"),
        LLVMTypeKind::LLVMFloatTypeKind => Some("f"),
        LLVMTypeKind::LLVMDoubleTypeKind => Some(""),
        LLVMTypeKind::LLVMX86_FP80TypeKind => Some("l"),
        LLVMTypeKind::LLVMFP128TypeKind => Some("f128"),
        _ => None,
    }
}

/// The function of libgcc for arithmetic, if the numbers are of quadruple precision.
fn quad(what: &str, instruction: Value) -> Option<String> {
    let is_quad = instruction.operand(0).scalar_kind() == LLVMTypeKind::LLVMFP128TypeKind;
    is_quad.then(|| format!("__{what}tf3"))
}

/// The function of libgcc for a conversion, if it is called.
fn conversion(what: &str, instruction: Value) -> Option<String> {
    let (from, to) = (mode(instruction.operand(0))?, mode(instruction)?);
    let called = match what {
        "extend" | "trunc" => match (from, to) {
            // By way of single precision.
            ("hf", "df") => return Some("__extendhfsf2".to_owned()),
            (_, "bf") => !has_feature(instruction, &["+avx512bf16", "+avxneconvert"]),
            ("bf", _) => false,
            _ => [from, to].iter().any(|mode| ["hf", "tf"].contains(mode)),
        },
        _ => [from, to].iter().any(|mode| ["ti", "tf"].contains(mode)),
    };
    let end = if matches!(what, "extend" | "trunc") { "2" } else { "" };
    called.then(|| format!("__{what}{from}{to}{end}"))
}

/// The function of libatomic for an atomic operation on 128 bits, if it is called.
fn atomic(operation: &str, instruction: Value) -> Option<String> {
    let aligned = instruction.alignment() >= 16;
    if aligned && has_feature(instruction, &["+cx16"]) {
        return None;
    }
    // What works on memory of any alignment has no arithmetic.
    let operation = if aligned || !operation.starts_with("fetch_") { operation } else { "compare_exchange" };
    Some(format!("__atomic_{operation}{}", if aligned { "_16" } else { "" }))
}

/// The name in libatomic of an operation that reads and writes.
fn exchange(instruction: Value) -> &'static str {
    match instruction.atomic_operation() {
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpXchg => "exchange",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpAdd => "fetch_add",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpSub => "fetch_sub",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpAnd => "fetch_and",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpOr => "fetch_or",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpXor => "fetch_xor",
        LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpNand => "fetch_nand",
        _ => "compare_exchange",
    }
}

/// What libgcc calls a type.
fn mode(value: Value) -> Option<&'static str> {
    match value.scalar_kind() {
        LLVMTypeKind::LLVMHalfTypeKind => Some("hf"),
        LLVMTypeKind::LLVMBFloatTypeKind => Some("bf"),
        LLVMTypeKind::LLVMFloatTypeKind => Some("sf"),
        LLVMTypeKind::LLVMDoubleTypeKind => Some("df"),
        LLVMTypeKind::LLVMX86_FP80TypeKind => Some("xf"),
        LLVMTypeKind::LLVMFP128TypeKind => Some("tf"),
        LLVMTypeKind::LLVMIntegerTypeKind => match value.integer_width() {
            0..=32 => Some("si"),
            33..=64 => Some("di"),
            65..=128 => Some("ti"),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an instruction's function may use one of these features.
fn has_feature(instruction: Value, wanted: &[&str]) -> bool {
    let features = instruction.function().string_attribute("target-features").unwrap_or_default();
    features.split(',').any(|feature| wanted.contains(&feature))
}
