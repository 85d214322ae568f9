//! Call-site rewriting: a call in our code that went through a stub becomes a direct call.
//!
//! Receives the address of the opcode and what the caller believes of it; leaves the site alone unless all of it holds.
//!
//! ```text
//!          before                 after
//! site+0   e8 | e9                e8 | e9     call or jmp, unchanged
//! site+1   from - (site + 5)      to - (site + 5)
//! ```
//!
//! 1. The displacement must lie within one aligned 8-byte word. The engine lays calls out so (shim/calls.cpp there); any
//!    others are left alone.
//! 2. Under the memory's lock, the instruction must be a call or jump of five bytes to `from`.
//! 3. The new displacement must have 32 bits.
//! 4. One atomic store of the word, through the writable alias. The opcode byte and the instruction's length do not
//!    change, so a thread that executes the site meanwhile runs the old or the new instruction: the store of an aligned
//!    word is atomic for instruction fetches of other processors, too (Intel SDM vol. 3, 10.1.1 and 10.1.3; AMD APM
//!    vol. 2, 7.6.1). Both targets are right.

use crate::memory::{Arena, CodeMemory};

/// Bytes of `call rel32` and `jmp rel32`.
const LEN: usize = 5;

/// Rewrites the near call or jump at `site`, which leads to `from`, so that it leads to `to`. False, with nothing
/// written, if there is no such call at `site`, or it cannot be written atomically, or `to` is out of reach, or the
/// code is sealed or not in `memory`: the slot remains right in any case.
pub fn patch_call(memory: &CodeMemory, site: usize, from: usize, to: usize) -> bool {
    let displacement = site.wrapping_add(1);
    let within = displacement % 8;
    if within > 4 {
        return false;
    }
    let Some(area) = memory.area_of(site).filter(|area| area.arena(Arena::Text).contains(&site)) else {
        return false;
    };
    area.patch(displacement - within, |word| {
        // SAFETY: `patch` has found the word of the displacement mapped; the opcode is in the arena (checked above),
        // directly before it, and the arena is mapped without gaps up to the word. Only `patch` writes to committed
        // text, and holds the lock.
        let bytes = unsafe { (site as *const [u8; LEN]).read() };
        let new = retarget(&bytes, site, from, to)?;
        let shift = within * 8;
        let displacement = u32::from_le_bytes(new[1..].try_into().ok()?);
        Some(word & !(0xffff_ffff << shift) | u64::from(displacement) << shift)
    })
}

/// Opcode of `call rel32` (Intel SDM vol. 2, CALL).
const CALL: u8 = 0xe8;
/// Opcode of `jmp rel32` (Intel SDM vol. 2, JMP).
const JMP: u8 = 0xe9;

/// The instruction `bytes` at `site`, if it is a call or jump to `from`, with target `to`.
fn retarget(bytes: &[u8; LEN], site: usize, from: usize, to: usize) -> Option<[u8; LEN]> {
    let [opcode @ (CALL | JMP), displacement @ ..] = *bytes else { return None };
    let next = site.wrapping_add(LEN);
    if next.wrapping_add_signed(i32::from_le_bytes(displacement) as isize) != from {
        return None;
    }
    let displacement = i32::try_from(to.wrapping_sub(next).cast_signed()).ok()?;
    let [a, b, c, d] = displacement.to_le_bytes();
    Some([opcode, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: usize = 0x1000_0000;

    #[test]
    fn byte_table() {
        let from = SITE + 5 + 0x1122_3344;
        // Instruction, from, to, result.
        type Row = ([u8; 5], usize, usize, Option<[u8; 5]>);
        let table: [Row; 9] = [
            ([0xe8, 0x44, 0x33, 0x22, 0x11], from, SITE + 5, Some([0xe8, 0, 0, 0, 0])),
            ([0xe9, 0x44, 0x33, 0x22, 0x11], from, SITE, Some([0xe9, 0xfb, 0xff, 0xff, 0xff])),
            (
                [0xe8, 0xfb, 0xff, 0xff, 0xff],
                SITE,
                SITE + 5 + 0x7fff_ffff,
                Some([0xe8, 0xff, 0xff, 0xff, 0x7f]),
            ),
            // Another target.
            ([0xe8, 0x44, 0x33, 0x22, 0x11], from + 1, SITE, None),
            // Out of reach.
            ([0xe8, 0x44, 0x33, 0x22, 0x11], from, SITE + 5 + 0x8000_0000, None),
            ([0xe8, 0x44, 0x33, 0x22, 0x11], from, SITE + (1 << 40), None),
            // call *rax; mov eax, imm32; jmp rel8.
            ([0xff, 0xd0, 0x90, 0x90, 0x90], from, SITE, None),
            ([0xb8, 0x44, 0x33, 0x22, 0x11], from, SITE, None),
            ([0xeb, 0x10, 0x90, 0x90, 0x90], SITE + 0x12, SITE, None),
        ];
        for (bytes, from, to, result) in table {
            assert_eq!(retarget(&bytes, SITE, from, to), result, "{bytes:x?}");
        }
    }
    /// The same by a decoder and an encoder of all instructions.
    fn by_reference(bytes: &[u8; LEN], site: usize, from: usize, to: usize) -> Option<[u8; LEN]> {
        use iced_x86::{Code, Decoder, DecoderOptions, Encoder};
        let mut instruction = Decoder::with_ip(64, bytes, site as u64, DecoderOptions::NONE).decode();
        let known = matches!(instruction.code(), Code::Call_rel32_64 | Code::Jmp_rel32_64);
        if !known || instruction.len() != LEN || instruction.near_branch_target() != from as u64 {
            return None;
        }
        instruction.set_near_branch64(to as u64);
        let mut encoder = Encoder::try_with_capacity(64, LEN).ok()?;
        encoder.encode(&instruction, site as u64).ok()?;
        let new: [u8; LEN] = encoder.take_buffer().try_into().ok()?;
        (new[0] == bytes[0]).then_some(new)
    }

    #[test]
    fn a_decoder_agrees() {
        let displacements = [0, 1, -1, 5, -5, 0x1122_3344, i32::MAX, i32::MIN];
        let targets = |site: usize| {
            let next = site + LEN;
            let near = displacements.map(|displacement| next.wrapping_add_signed(displacement as isize));
            near.into_iter().chain([next + (1 << 31), next.wrapping_sub((1 << 31) + 1), 0, 1 << 46])
        };
        let (mut agreed, mut changed) = (0, 0);
        // In the middle of the address space, and where displacements of 32 bits lead below it.
        for site in [0x5555_5555_4321, 0x7fff_0000_0008, 0x1000, 0x4000_0000] {
            for opcode in 0..=255 {
                for displacement in displacements {
                    let [a, b, c, d] = displacement.to_le_bytes();
                    let bytes = [opcode, a, b, c, d];
                    for (from, to) in targets(site).flat_map(|from| targets(site).map(move |to| (from, to))) {
                        let new = retarget(&bytes, site, from, to);
                        assert_eq!(
                            new,
                            by_reference(&bytes, site, from, to),
                            "{bytes:x?} {site:x} {from:x} {to:x}"
                        );
                        agreed += 1;
                        changed += u32::from(new.is_some());
                    }
                }
            }
        }
        assert!(agreed > 1_000_000 && changed > 500, "{agreed} {changed}");
    }
}
