//! Relocates a mapped library: the handful of types that shared libraries for x86-64 have (psABI, 4.4.1).

use autojit_trampoline::tls;
use goblin::elf::dynamic::{DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_STRTAB, DT_SYMTAB};
use goblin::elf::program_header::PT_TLS;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_DTPMOD64, R_X86_64_DTPOFF64, R_X86_64_GLOB_DAT, R_X86_64_IRELATIVE,
    R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE, R_X86_64_TPOFF64,
};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{STB_WEAK, STT_GNU_IFUNC, st_bind, st_type};
use goblin::elf64::reloc::Rela;
use goblin::elf64::sym::Sym;
use std::ffi::CStr;

use crate::compile::library::{Library, Provider, TLS_START, substitutes};
use crate::platform::c_library;
use crate::settings::failure::Failure;

// Packed relative relocations (gABI, "Relative Relocations"), which goblin does not have.
const DT_RELR: u64 = 36;
const DT_RELRSZ: u64 = 35;

impl Library {
    /// Fills in all addresses; `needed` defines what the library does not.
    pub(in crate::compile::library) fn relocate(&self, needed: &[Provider]) -> Result<(), Failure> {
        self.check_tls()?;
        self.relocate_packed();
        let mut chosen = Vec::new();
        for relocation in self.relocations() {
            let place = self.at(relocation.r_offset) as *mut usize;
            let kind = relocation.r_info as u32;
            let addend = relocation.r_addend as usize;
            let value = match kind {
                R_X86_64_RELATIVE => self.object.base.wrapping_add(addend),
                R_X86_64_GLOB_DAT | R_X86_64_JUMP_SLOT => self.symbol(&relocation, needed)?,
                R_X86_64_64 => self.symbol(&relocation, needed)?.wrapping_add(addend),
                // There is one block of variables: substitutes::tls_get_addr does not look at this.
                R_X86_64_DTPMOD64 => 1,
                R_X86_64_DTPOFF64 => (self.entry(&relocation).st_value as usize).wrapping_add(addend),
                R_X86_64_TPOFF64 => self.distance(&relocation)?,
                R_X86_64_IRELATIVE => {
                    chosen.push((place, self.object.base.wrapping_add(addend)));
                    continue;
                }
                other => return Err(Failure::new(format_args!("it has a relocation of type {other}"))),
            };
            // SAFETY: the linker made the relocation for this place, which is mapped and writable until `protect`.
            unsafe { place.write_unaligned(value) };
        }
        // Functions that choose may use anything else that is relocated.
        for (place, choose) in chosen {
            // SAFETY: as above; the ABI of GNU indirect functions on x86-64.
            unsafe {
                place.write_unaligned(std::mem::transmute::<usize, extern "C" fn() -> usize>(choose)())
            };
        }
        Ok(())
    }

    /// Whether the thread-local variables fit into the room for them.
    fn check_tls(&self) -> Result<(), Failure> {
        let fits = |header: &&goblin::elf64::program_header::ProgramHeader| {
            header.p_memsz as usize <= tls::SIZE - TLS_START && header.p_align as usize <= tls::ALIGN
        };
        match self.headers.iter().filter(|header| header.p_type == PT_TLS).all(|header| fits(&header)) {
            true => Ok(()),
            false => Err(Failure::new(format_args!("its thread-local variables take too much room"))),
        }
    }

    fn value(&self, tag: u64) -> Option<usize> {
        self.object.dynamic().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val as usize)
    }

    /// The relative relocations in their packed form: an address, then bits for the 63 words behind each.
    fn relocate_packed(&self) {
        let (Some(table), Some(size)) = (self.value(DT_RELR), self.value(DT_RELRSZ)) else { return };
        let table = self.at(table as u64) as *const usize;
        let mut next = std::ptr::null_mut::<usize>();
        let add = |place: *mut usize| {
            // SAFETY: the linker made the table for these places, which are mapped and writable.
            unsafe { place.write(place.read().wrapping_add(self.object.base)) }
        };
        for index in 0..size / size_of::<usize>() {
            // SAFETY: the table is in the library's memory.
            let entry = unsafe { table.add(index).read() };
            if entry & 1 == 0 {
                next = self.at(entry as u64) as *mut usize;
                add(next);
                next = next.wrapping_add(1);
                continue;
            }
            (0..63).filter(|bit| entry >> (bit + 1) & 1 != 0).for_each(|bit| add(next.wrapping_add(bit)));
            next = next.wrapping_add(63);
        }
    }

    fn relocations(&self) -> impl Iterator<Item = Rela> {
        [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)].into_iter().flat_map(|(table, size)| {
            let (table, size) = (self.value(table).unwrap_or(0), self.value(size).unwrap_or(0));
            let table = self.at(table as u64) as *const Rela;
            // SAFETY: the table is in the library's memory.
            (0..size / size_of::<Rela>()).map(move |index| unsafe { table.add(index).read() })
        })
    }

    /// The symbol table's entry for a relocation.
    fn entry(&self, relocation: &Rela) -> Sym {
        let table = self.at(self.value(DT_SYMTAB).unwrap_or(0) as u64) as *const Sym;
        // SAFETY: the index is one of the symbol table's.
        unsafe { table.add((relocation.r_info >> 32) as usize).read() }
    }

    fn name(&self, symbol: &Sym) -> &'static str {
        let strings = self.at(self.value(DT_STRTAB).unwrap_or(0) as u64) + symbol.st_name as usize;
        // SAFETY: names are NUL-terminated, and the library is never unloaded.
        unsafe { CStr::from_ptr(strings as *const _) }.to_str().unwrap_or("?")
    }

    /// The address of a relocation's symbol; 0 for a weak one that nothing defines.
    fn symbol(&self, relocation: &Rela, needed: &[Provider]) -> Result<usize, Failure> {
        let symbol = self.entry(relocation);
        if symbol.st_shndx != SHN_UNDEF as u16 {
            let address = self.at(symbol.st_value);
            if st_type(symbol.st_info) == STT_GNU_IFUNC {
                // SAFETY: the ABI of GNU indirect functions on x86-64.
                return Ok(unsafe { std::mem::transmute::<usize, extern "C" fn() -> usize>(address)() });
            }
            return Ok(address);
        }
        let name = self.name(&symbol);
        let found =
            substitutes::find(name).or_else(|| needed.iter().find_map(|provider| provider.find(name)));
        match found {
            Some(address) => Ok(address),
            None if st_bind(symbol.st_info) == STB_WEAK => Ok(0),
            None => Err(Failure::new(format_args!("no library that it needs defines {name}"))),
        }
    }

    /// The distance from the thread pointer to a thread-local variable.
    fn distance(&self, relocation: &Rela) -> Result<usize, Failure> {
        let symbol = self.entry(relocation);
        if relocation.r_info >> 32 == 0 || symbol.st_shndx != SHN_UNDEF as u16 {
            let offset = (symbol.st_value as usize).wrapping_add(relocation.r_addend as usize);
            return Ok((tls::offset() as usize).wrapping_add(TLS_START + offset));
        }
        match self.name(&symbol) {
            "errno" => c_library::errno_distance()
                .map(|distance| distance as usize)
                .ok_or_else(|| Failure::new(format_args!("it uses errno, and the program has no C library"))),
            name => {
                Err(Failure::new(format_args!("it uses {name}, a thread-local variable of another library")))
            }
        }
    }
}
