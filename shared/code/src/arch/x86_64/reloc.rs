//! What each x86-64 relocation asks for, and how its value is written. Knows nothing of sections or memory.
//!
//! The letters are those of the psABI (x86-64 System V ABI, chapter 4.4): S the symbol's address, A the addend, P the
//! place, G the GOT entry of the symbol, GOT the base of the GOT.

use goblin::elf::reloc::*;

/// `R_X86_64_CODE_4_GOTPCRELX` (APX), not in goblin.
const R_X86_64_CODE_4_GOTPCRELX: u32 = 43;

/// What a field of a section that is not loaded (debug information, unwind tables for debuggers) is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// What it holds already.
    Unchanged,
    /// The offset A of a thread-local variable in the block of its image, 64 bits.
    ThreadLocal,
    /// A value of this form.
    Of(Form),
}

/// What a relocation of such a section asks for. None for one that compilers have no use for there.
pub(crate) fn field(kind: u32) -> Option<Field> {
    Some(match kind {
        R_X86_64_NONE => Field::Unchanged,
        R_X86_64_DTPOFF64 => Field::ThreadLocal,
        R_X86_64_64 => Field::Of(Form::Abs64),
        R_X86_64_32 => Field::Of(Form::Abs32),
        R_X86_64_32S => Field::Of(Form::Abs32S),
        R_X86_64_PC64 => Field::Of(Form::Rel64),
        R_X86_64_PC32 => Field::Of(Form::Rel32),
        _ => return None,
    })
}

/// How the value is computed and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// S + A, 64 bits.
    Abs64,
    /// S + A, 32 bits, zero-extended where it is used.
    Abs32,
    /// S + A, 32 bits, sign-extended where it is used.
    Abs32S,
    /// S + A - P, 64 bits.
    Rel64,
    /// S + A - P, 32 bits, sign-extended.
    Rel32,
    /// S + A - GOT, 64 bits.
    GotRel64,
}

impl Form {
    /// All of them, by number.
    pub const ALL: [Self; 6] =
        [Self::Abs64, Self::Abs32, Self::Abs32S, Self::Rel64, Self::Rel32, Self::GotRel64];

    /// Bytes that are written.
    pub fn width(self) -> usize {
        match self {
            Self::Abs64 | Self::Rel64 | Self::GotRel64 => 8,
            Self::Abs32 | Self::Abs32S | Self::Rel32 => 4,
        }
    }

    /// Whether the field has room for a value.
    pub fn holds(self, value: u64) -> bool {
        match self {
            Self::Abs64 | Self::Rel64 | Self::GotRel64 => true,
            Self::Abs32 => u32::try_from(value).is_ok(),
            Self::Abs32S | Self::Rel32 => i32::try_from(value.cast_signed()).is_ok(),
        }
    }

    /// Whether P counts.
    pub fn is_relative(self) -> bool {
        matches!(self, Self::Rel64 | Self::Rel32)
    }

    /// What a field lacks that holds A, and -P relative to `segment` if that counts, for `symbol` (S or G).
    pub fn missing(self, symbol: usize, segment: usize, got: usize) -> i64 {
        let base = match self {
            Self::Abs64 | Self::Abs32 | Self::Abs32S => 0,
            Self::Rel64 | Self::Rel32 => segment,
            Self::GotRel64 => got,
        };
        (symbol as i64).wrapping_sub(base as i64)
    }

    /// Adds to what the first bytes of `field` hold, in which something still [`missing`](Self::missing). None if it is
    /// too large for them, or they are too few; nothing is written then.
    pub fn shift(self, field: &mut [u8], by: i64) -> Option<()> {
        self.add(field, by, |sum| i32::try_from(sum).ok().map(|sum| sum as u32))
    }

    /// Adds what is missing to what the first bytes of `field` hold. None as for [`shift`](Self::shift).
    pub fn complete(self, field: &mut [u8], missing: i64) -> Option<()> {
        self.add(field, missing, |sum| match self {
            // Zero-extended where it is used.
            Self::Abs32 => u32::try_from(sum).ok(),
            _ => i32::try_from(sum).ok().map(|sum| sum as u32),
        })
    }

    fn add(self, field: &mut [u8], by: i64, narrow: impl FnOnce(i64) -> Option<u32>) -> Option<()> {
        if self.width() == 8 {
            let field: &mut [u8; 8] = field.first_chunk_mut()?;
            *field = i64::from_le_bytes(*field).wrapping_add(by).to_le_bytes();
        } else {
            let field: &mut [u8; 4] = field.first_chunk_mut()?;
            *field = narrow(i64::from(i32::from_le_bytes(*field)).wrapping_add(by))?.to_le_bytes();
        }
        Some(())
    }
}

/// What stands for S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The symbol's address.
    Address,
    /// Any address with the function's code. `site`: the operand of an e8 or e9 that can be patched later.
    Branch {
        /// The byte before is e8 or e9.
        site: bool,
    },
    /// The symbol's GOT entry.
    GotEntry,
    /// The GOT entry, or by a changed instruction the symbol itself.
    Relaxable(Relax),
    /// The base of the GOT.
    GotBase,
}

/// The instructions around a GOT entry that have an equivalent without it (psABI, appendix B.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relax {
    /// `mov foo@GOTPCREL(%rip), %reg` -> `lea foo(%rip), %reg`
    Mov,
    /// `call *foo@GOTPCREL(%rip)` -> `addr32 call foo`
    Call,
    /// `jmp *foo@GOTPCREL(%rip)` -> `jmp foo; nop`
    Jmp,
}

impl Relax {
    /// Bytes before the relocation's place that the instruction has at least.
    const LEAD: usize = 2;

    /// Which it is, if the instruction with its displacement at `offset` is one of them.
    fn of(code: &[u8], offset: usize) -> Option<Self> {
        let lead = code.get(offset.checked_sub(Self::LEAD)?..offset)?;
        match (lead[0], lead[1]) {
            // ModRM: mod 00, r/m 101 is disp32(%rip); reg may be any.
            (0x8b, modrm) if modrm & 0xc7 == 0x05 => Some(Self::Mov),
            (0xff, 0x15) => Some(Self::Call),
            (0xff, 0x25) => Some(Self::Jmp),
            _ => None,
        }
    }

    /// Whether the instruction with its displacement at `offset` is one of this kind.
    pub fn fits(self, code: &[u8], offset: usize) -> bool {
        Self::of(code, offset) == Some(self)
    }

    /// Changes the opcode; returns where the 32-bit displacement belongs now.
    ///
    /// ```text
    ///               before                      after
    /// mov   [REX] 8b modrm disp32       [REX] 8d modrm disp32
    /// call        ff 15 disp32                67 e8 disp32
    /// jmp         ff 25 disp32                e9 disp32 90
    /// ```
    pub fn apply(self, code: &mut [u8], offset: usize) -> usize {
        let opcode = offset - Self::LEAD;
        match self {
            Self::Mov => {
                code[opcode] = 0x8d;
                offset
            }
            Self::Call => {
                code[opcode..offset].copy_from_slice(&[0x67, 0xe8]);
                offset
            }
            Self::Jmp => {
                code[opcode] = 0xe9;
                code[offset + 3] = 0x90;
                offset - 1
            }
        }
    }
}

/// What a relocation asks for. `code` is the section's content if it is executable, empty otherwise. None for
/// `R_X86_64_NONE`; an error names a type that the linker does not do.
pub fn reference(
    kind: u32,
    code: &[u8],
    offset: usize,
    addend: i64,
) -> Result<Option<(Form, Access)>, String> {
    let before = |distance: usize| Some(*code.get(offset.checked_sub(distance)?)?);
    let site = matches!(before(1), Some(0xe8 | 0xe9));
    // No ModRM byte of a displacement relative to rip has these values, so this cannot be a data reference.
    let branch = site || matches!((before(2), before(1)), (Some(0x0f), Some(0x80..=0x8f)));
    Ok(Some(match kind {
        R_X86_64_NONE => return Ok(None),
        R_X86_64_64 => (Form::Abs64, Access::Address),
        R_X86_64_32 => (Form::Abs32, Access::Address),
        R_X86_64_32S => (Form::Abs32S, Access::Address),
        R_X86_64_PC64 => (Form::Rel64, Access::Address),
        // A branch to somewhere behind the function's first byte cannot go through a stub.
        R_X86_64_PC32 if branch && addend == -4 => (Form::Rel32, Access::Branch { site }),
        R_X86_64_PLT32 if !branch || addend == -4 => (Form::Rel32, Access::Branch { site }),
        R_X86_64_PC32 | R_X86_64_PLT32 => (Form::Rel32, Access::Address),
        R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => match Relax::of(code, offset) {
            // A REX prefix belongs to the load only; with it, a call or jump is left as it is.
            Some(relax) if addend == -4 && (kind == R_X86_64_GOTPCRELX || relax == Relax::Mov) => {
                (Form::Rel32, Access::Relaxable(relax))
            }
            _ => (Form::Rel32, Access::GotEntry),
        },
        R_X86_64_GOTPCREL | R_X86_64_CODE_4_GOTPCRELX => (Form::Rel32, Access::GotEntry),
        R_X86_64_GOTPC32 => (Form::Rel32, Access::GotBase),
        R_X86_64_GOTPC64 => (Form::Rel64, Access::GotBase),
        R_X86_64_GOTOFF64 => (Form::GotRel64, Access::Address),
        R_X86_64_DTPMOD64 => return Err(thread_local("R_X86_64_DTPMOD64")),
        R_X86_64_DTPOFF64 => return Err(thread_local("R_X86_64_DTPOFF64")),
        R_X86_64_TPOFF64 => return Err(thread_local("R_X86_64_TPOFF64")),
        R_X86_64_TLSGD => return Err(thread_local("R_X86_64_TLSGD")),
        R_X86_64_TLSLD => return Err(thread_local("R_X86_64_TLSLD")),
        R_X86_64_DTPOFF32 => return Err(thread_local("R_X86_64_DTPOFF32")),
        R_X86_64_GOTTPOFF => return Err(thread_local("R_X86_64_GOTTPOFF")),
        R_X86_64_TPOFF32 => return Err(thread_local("R_X86_64_TPOFF32")),
        R_X86_64_GOTPC32_TLSDESC => return Err(thread_local("R_X86_64_GOTPC32_TLSDESC")),
        R_X86_64_TLSDESC_CALL => return Err(thread_local("R_X86_64_TLSDESC_CALL")),
        R_X86_64_TLSDESC => return Err(thread_local("R_X86_64_TLSDESC")),
        other => return Err(format!("relocation type {other}")),
    }))
}

fn thread_local(name: &str) -> String {
    format!("relocation {name} (a thread-local variable)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relaxations() {
        // Before, place of the relocation; after, place of the displacement.
        type Row = (Relax, &'static [u8], usize, &'static [u8], usize);
        let table: [Row; 5] = [
            (Relax::Mov, &[0x8b, 0x05, 0, 0, 0, 0], 2, &[0x8d, 0x05, 0, 0, 0, 0], 2),
            (Relax::Mov, &[0x48, 0x8b, 0x1d, 0, 0, 0, 0], 3, &[0x48, 0x8d, 0x1d, 0, 0, 0, 0], 3),
            (Relax::Mov, &[0x4c, 0x8b, 0x3d, 0, 0, 0, 0], 3, &[0x4c, 0x8d, 0x3d, 0, 0, 0, 0], 3),
            (Relax::Call, &[0xff, 0x15, 0, 0, 0, 0], 2, &[0x67, 0xe8, 0, 0, 0, 0], 2),
            // The old ModRM byte is overwritten with the displacement.
            (Relax::Jmp, &[0xff, 0x25, 0, 0, 0, 0], 2, &[0xe9, 0x25, 0, 0, 0, 0x90], 1),
        ];
        for (relax, before, offset, after, displacement) in table {
            assert_eq!(Relax::of(before, offset), Some(relax));
            let mut code = before.to_vec();
            assert_eq!(relax.apply(&mut code, offset), displacement);
            assert_eq!(code, after);
        }
        // cmp, a mov of another addressing mode, nothing before the place.
        assert_eq!(Relax::of(&[0x3b, 0x05, 0, 0, 0, 0], 2), None);
        assert_eq!(Relax::of(&[0x8b, 0x85, 0, 0, 0, 0], 2), None);
        assert_eq!(Relax::of(&[0x8b, 0, 0, 0, 0], 1), None);
    }

    #[test]
    fn branches_and_addresses() {
        let of = |kind, code: &[u8], addend| reference(kind, code, code.len(), addend).unwrap().unwrap().1;
        assert_eq!(of(R_X86_64_PLT32, &[0xe8], -4), Access::Branch { site: true });
        assert_eq!(of(R_X86_64_PC32, &[0xe9], -4), Access::Branch { site: true });
        assert_eq!(of(R_X86_64_PC32, &[0x0f, 0x84], -4), Access::Branch { site: false });
        assert_eq!(of(R_X86_64_PLT32, &[], 0), Access::Branch { site: false });
        assert_eq!(of(R_X86_64_PC32, &[0x48, 0x8d, 0x05], -4), Access::Address);
        assert_eq!(of(R_X86_64_PLT32, &[0xe8], 12), Access::Address);
    }

    #[test]
    fn values_that_do_not_fit() {
        let near = 0x7000_0000_0000_usize;
        let value = |form: Form, symbol: usize, addend: i32, place: usize| {
            let mut field = addend.to_le_bytes();
            form.complete(&mut field, form.missing(symbol, place, 0)).map(|()| u32::from_le_bytes(field))
        };
        assert_eq!(value(Form::Rel32, near, -4, near - 0x100), Some(0xfc));
        assert_eq!(value(Form::Rel32, near, 0, near + (1 << 31)), Some(0x8000_0000));
        assert_eq!(value(Form::Rel32, near, -1, near + (1 << 31)), None);
        assert_eq!(value(Form::Rel32, near + (1 << 31), 0, near), None);
        assert_eq!(value(Form::Abs32, 0xffff_ffff, 0, 0), Some(0xffff_ffff));
        assert_eq!(value(Form::Abs32, 0, -1, 0), None);
        assert_eq!(value(Form::Abs32S, 0, -1, 0), Some(0xffff_ffff));
        assert_eq!(value(Form::Abs32S, 0x8000_0000, 0, 0), None);
    }

    #[test]
    fn values_of_64_bits() {
        let value = |form: Form| {
            let mut field = [0; 9];
            field[..8].copy_from_slice(&(-4_i64).to_le_bytes());
            form.complete(&mut field, form.missing(0x7000_0000_0000, 0x1000, 0x20)).expect("all fit");
            assert_eq!(field[8], 0);
            i64::from_le_bytes(field[..8].try_into().unwrap())
        };
        assert_eq!(value(Form::Abs64), 0x7000_0000_0000 - 4);
        assert_eq!(value(Form::Rel64), 0x7000_0000_0000 - 0x1000 - 4);
        assert_eq!(value(Form::GotRel64), 0x7000_0000_0000 - 0x20 - 4);
    }

    #[test]
    fn incomplete_values_are_signed() {
        let mut field = 0x7fff_fff0_u32.to_le_bytes();
        assert_eq!(Form::Abs32.shift(&mut field, 0x0f), Some(()));
        assert_eq!(u32::from_le_bytes(field), 0x7fff_ffff);
        assert_eq!(Form::Abs32.shift(&mut field, 1), None);
        assert_eq!(u32::from_le_bytes(field), 0x7fff_ffff);
        assert_eq!(Form::Abs32.complete(&mut field, 1), Some(()));
        assert_eq!(Form::Abs32.shift(&mut field[..3], 1), None);
    }

    #[test]
    fn thread_local_relocations_are_named() {
        assert!(reference(R_X86_64_TPOFF32, &[], 0, 0).unwrap_err().contains("R_X86_64_TPOFF32"));
    }
}
