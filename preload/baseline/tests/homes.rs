//! Values that have registers for themselves: loops do not touch memory for them, and compute what they should.

mod support;

use autojit_bitcode::BitcodeModule;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use support::{Program, Scratch, assemble, compile, source};

/// The instructions of a function of `homes.ll`.
fn instructions(name: &str) -> Vec<Instruction> {
    let bytes = assemble(&source("homes.ll"), &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let is_it = |(index, _): &&(u32, _)| module.name(&module.globals()[*index as usize]) == name.as_bytes();
    let (codes, _) = compile(&module);
    let (_, code) = codes.iter().find(is_it).expect("it is compiled");
    Decoder::new(64, &code.text, DecoderOptions::NONE).into_iter().collect()
}

/// Those from where the jump back leads up to that jump.
fn of_loop(name: &str) -> Vec<Instruction> {
    let all = instructions(name);
    let is_jump =
        |it: &Instruction| matches!(it.op0_kind(), OpKind::NearBranch64) && it.mnemonic() != Mnemonic::Call;
    let is_back = |it: &&Instruction| is_jump(it) && it.near_branch_target() < it.ip();
    let back = *all.iter().rfind(is_back).expect("a loop");
    all.into_iter().filter(|it| (back.near_branch_target()..=back.ip()).contains(&it.ip())).collect()
}

fn accesses_memory(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|index| instruction.op_kind(index) == OpKind::Memory)
        && !instruction.mnemonic().eq(&Mnemonic::Lea)
        && !instruction.mnemonic().eq(&Mnemonic::Nop)
}

#[test]
fn loops_do_not_access_memory() {
    for name in ["sums", "places", "floats", "called"] {
        let of_loop = of_loop(name);
        assert!(of_loop.len() > 4, "{name}: {of_loop:?}");
        let access = of_loop.iter().find(|it| accesses_memory(it));
        assert!(access.is_none(), "{name}: {}", access.map_or_else(String::new, ToString::to_string));
    }
}

/// As few instructions as an edge takes: two values change places with three moves, by way of r11.
#[test]
fn values_change_places_in_registers() {
    let of_loop = of_loop("places");
    let uses = |it: &&Instruction| it.op0_register() == Register::R11 || it.op1_register() == Register::R11;
    assert_eq!(of_loop.iter().filter(uses).count(), 2);
}

/// What goes through a loop unchanged, or is changed in a branch, is not copied from slot to slot.
#[test]
fn phis_share_their_slots() {
    let all = instructions("many");
    // r11 is what copies of memory go through, and addresses of jump tables.
    let loads = |it: &&Instruction| it.op0_register() == Register::R11 && it.op1_kind() == OpKind::Memory;
    let copies = all.iter().filter(loads).filter(|it| it.memory_base() == Register::RBP).count();
    assert_eq!(copies, 0);
}

/// Functions of libraries that do what an instruction or intrinsic should change vector registers: those of values are stored
/// before the call and loaded behind it.
#[test]
fn calls_for_instructions_change_no_value() {
    for name in ["remainders", "copied"] {
        let of_loop = of_loop(name);
        let call = of_loop.iter().position(|it| it.mnemonic() == Mnemonic::Call).expect("a call");
        let is_home = |register: Register| (Register::XMM8..=Register::XMM14).contains(&register);
        let (before, behind) = of_loop.split_at(call);
        let stored: Vec<_> = before
            .iter()
            .filter(|it| it.op0_kind() == OpKind::Memory && is_home(it.op1_register()))
            .map(|it| (it.op1_register(), it.memory_displacement64()))
            .collect();
        assert!(!stored.is_empty(), "{name}: {of_loop:?}");
        for home in stored {
            let loads = |it: &&Instruction| {
                it.op1_kind() == OpKind::Memory && (it.op0_register(), it.memory_displacement64()) == home
            };
            assert!(behind.iter().any(|it| loads(&it)), "{name}: {home:?} in {of_loop:?}");
        }
    }
}

#[test]
fn what_they_compute() {
    Program::build(&source("homes.ll"), &[]).check_all();
    for level in ["-O0", "-O1", "-O2"] {
        for more in ["-fno-unroll-loops", "-fno-vectorize"] {
            Program::build(&source("homes.cpp"), &[level, more]).check_all();
        }
    }
}
