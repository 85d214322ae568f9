//! Where arguments and results are, by the System V ABI as LLVM applies it to the arguments of IR functions: `ccc`,
//! and `fastcc` and `coldcc`, which are the same on x86-64 unless tail calls are guaranteed.
//!
//! The front end has put structures into registers, `byval` or `sret` already; what is still a structure here is passed
//! element by element (X86CallingConv.td: `CC_X86_64_C`, `RetCC_X86_64_C`).

use super::asm::{Gp, Xmm, gp};
use crate::parts::{Bank, PartType};

/// Where a part of an argument or result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In this register.
    Gp(Gp),
    /// In this register.
    Xmm(Xmm),
    /// In the upper half of this register.
    High(Xmm),
    /// On the stack, from the first argument there.
    Stack(u32),
    /// On the x87 stack, from its top.
    X87(u8),
}

/// The registers of the first six integers.
const INTEGERS: [Gp; 6] = [gp::RDI, gp::RSI, gp::RDX, gp::RCX, gp::R8, gp::R9];
/// Vector registers for arguments.
const VECTORS: usize = 8;
/// The register of `nest`.
pub(crate) const NEST: Gp = gp::R10;

/// Gives each part of each argument its location, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arguments {
    /// Integer registers in use.
    pub integers: usize,
    /// Vector registers in use.
    pub vectors: usize,
    /// Bytes on the stack.
    pub stack: u32,
    /// The alignment of the largest of them, if it is more than 16.
    pub align: u32,
    /// Of a variadic function, also those that have names.
    pub variadic: bool,
}

impl Arguments {
    /// The location of the next part.
    pub(crate) fn part(&mut self, ty: PartType) -> Location {
        match ty.bank {
            Bank::Gp => match INTEGERS.get(self.integers) {
                Some(reg) => {
                    self.integers += 1;
                    Location::Gp(*reg)
                }
                None => Location::Stack(self.memory(8, 8)),
            },
            Bank::Xmm if self.vectors < VECTORS => {
                self.vectors += 1;
                Location::Xmm(Xmm(self.vectors as u8 - 1))
            }
            Bank::Xmm if !ty.vector => Location::Stack(self.memory(8, 8)),
            Bank::Xmm | Bank::X87 => Location::Stack(self.memory(16, 16)),
        }
    }

    /// The locations of an `i128`, which is not split between registers and the stack.
    pub(crate) fn pair(&mut self) -> [Location; 2] {
        match INTEGERS.get(self.integers..self.integers + 2) {
            Some(regs) => {
                self.integers += 2;
                [Location::Gp(regs[0]), Location::Gp(regs[1])]
            }
            None => {
                let at = self.memory(16, 16);
                [Location::Stack(at), Location::Stack(at + 8)]
            }
        }
    }

    /// The locations of the halves of a vector of 32 bytes.
    pub(crate) fn halves(&mut self) -> [Location; 2] {
        if self.vectors < VECTORS && !self.variadic {
            self.vectors += 1;
            let reg = Xmm(self.vectors as u8 - 1);
            return [Location::Xmm(reg), Location::High(reg)];
        }
        let at = self.memory(32, 32);
        [Location::Stack(at), Location::Stack(at + 16)]
    }

    /// Room on the stack.
    pub(crate) fn memory(&mut self, bytes: u32, align: u32) -> u32 {
        if align > 16 {
            self.align = self.align.max(align);
        }
        let at = self.stack.next_multiple_of(align.max(8));
        self.stack = at + bytes.next_multiple_of(8);
        at
    }
}

/// Where the parts of a result are; None if they are too many: the caller then passes the address of memory for it as
/// a first argument, and gets that back.
pub(crate) fn result_locations(parts: &[PartType]) -> Option<Vec<Location>> {
    let (mut integers, mut floats, mut vectors, mut x87) =
        ([gp::RAX, gp::RDX, gp::RCX].into_iter(), 0_u8, 0_u8, 0_u8);
    let location = |part: &PartType| match part.bank {
        Bank::Gp => integers.next().map(Location::Gp),
        Bank::Xmm => {
            // Vectors and scalars take the same registers, of which fewer may hold scalars.
            let most = if part.vector { 4 } else { 2 };
            let number = floats + vectors;
            if part.vector {
                vectors += 1;
            } else {
                floats += 1;
            }
            (number < most).then_some(Location::Xmm(Xmm(number)))
        }
        Bank::X87 => {
            x87 += 1;
            (x87 <= 2).then_some(Location::X87(x87 - 1))
        }
    };
    parts.iter().map(location).collect()
}

/// The same for a vector whose parts are passed two by two, as halves of larger registers.
pub(crate) fn wide_result_locations(parts: &[PartType]) -> Option<Vec<Location>> {
    let half = |part: usize| {
        let reg = Xmm(part as u8 / 2);
        if part.is_multiple_of(2) { Location::Xmm(reg) } else { Location::High(reg) }
    };
    (parts.len() <= 8).then(|| (0..parts.len()).map(half).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bank: Bank, bits: u16) -> PartType {
        PartType { bank, bits, offset: 0, vector: bank == Bank::Xmm && bits > 64 }
    }

    #[test]
    fn arguments_fill_registers_then_the_stack() {
        let mut arguments = Arguments::default();
        let locations: Vec<_> = (0..8).map(|_| arguments.part(part(Bank::Gp, 32))).collect();
        assert_eq!(locations[0], Location::Gp(gp::RDI));
        assert_eq!(locations[5], Location::Gp(gp::R9));
        assert_eq!(locations[6..], [Location::Stack(0), Location::Stack(8)]);
        let locations: Vec<_> = (0..9).map(|_| arguments.part(part(Bank::Xmm, 64))).collect();
        assert_eq!(locations[7], Location::Xmm(Xmm(7)));
        assert_eq!(locations[8], Location::Stack(16));
        assert_eq!(arguments.part(part(Bank::X87, 80)), Location::Stack(32));
        assert_eq!(arguments.part(part(Bank::Xmm, 128)), Location::Stack(48));
    }

    #[test]
    fn wide_integers_are_not_split() {
        let mut arguments = Arguments::default();
        for _ in 0..5 {
            arguments.part(part(Bank::Gp, 64));
        }
        assert_eq!(arguments.pair(), [Location::Stack(0), Location::Stack(8)]);
        assert_eq!(arguments.part(part(Bank::Gp, 64)), Location::Gp(gp::R9));
    }

    #[test]
    fn wide_vectors_are_halved() {
        let mut arguments = Arguments::default();
        arguments.part(part(Bank::Xmm, 64));
        assert_eq!(arguments.halves(), [Location::Xmm(Xmm(1)), Location::High(Xmm(1))]);
        for _ in 0..6 {
            arguments.halves();
        }
        assert_eq!(arguments.part(part(Bank::Xmm, 64)), Location::Stack(0));
        assert_eq!(arguments.align, 0);
        assert_eq!(arguments.halves(), [Location::Stack(32), Location::Stack(48)]);
        assert_eq!((arguments.align, arguments.stack), (32, 64));
        let mut variadic = Arguments { variadic: true, ..Arguments::default() };
        assert_eq!(variadic.halves(), [Location::Stack(0), Location::Stack(16)]);
        let half = part(Bank::Xmm, 128);
        assert_eq!(
            wide_result_locations(&[half; 4]),
            Some(vec![
                Location::Xmm(Xmm(0)),
                Location::High(Xmm(0)),
                Location::Xmm(Xmm(1)),
                Location::High(Xmm(1))
            ])
        );
        assert_eq!(wide_result_locations(&[half; 16]), None);
    }

    #[test]
    fn results_take_few_registers() {
        let int = part(Bank::Gp, 64);
        let double = part(Bank::Xmm, 64);
        assert_eq!(
            result_locations(&[int, double, int]),
            Some(vec![Location::Gp(gp::RAX), Location::Xmm(Xmm(0)), Location::Gp(gp::RDX)])
        );
        assert_eq!(result_locations(&[int; 4]), None);
        assert_eq!(result_locations(&[double; 3]), None);
        assert!(result_locations(&[part(Bank::Xmm, 128); 4]).is_some());
    }
}
