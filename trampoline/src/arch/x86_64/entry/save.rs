//! How a first call saves the registers that are not general: which instruction the processor has for it, and how large the
//! area is.

use std::arch::x86_64::{__cpuid, __cpuid_count};

use super::{HEADER_SIZE, LEGACY_SIZE};

/// How the vector state is saved; chosen once, by the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum SaveMethod {
    /// `fxsave64`: x87 and SSE, where the kernel has not enabled XSAVE.
    Fxsave = 0,
    /// `xsave64`: all components at the processor's fixed offsets.
    Xsave = 1,
    /// `xsavec64`: the selected components without gaps.
    Xsavec = 2,
}

/// What CPUID says of the processor, as far as the trampoline wants to know it. Virtual machines take microseconds for each
/// CPUID, some tens of them; the C library has asked already.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// Leaf 1, ecx.
    pub leaf_1: u32,
    /// Leaf 0xd.1, eax.
    pub leaf_d_1: u32,
}

/// Size of a state component among [`SAVED_COMPONENTS`], in bytes: that of the registers in it (SDM vol. 1, 13.5). Components
/// without gaps begin at multiples of 64 or right behind one another; all at multiples of 64 is no less.
pub(super) fn component_size(component: u32) -> u32 {
    match component {
        2 => 16 * 16, // upper halves of ymm0 to ymm15
        3 | 4 => 64,  // bound registers, and their configuration
        5 => 64,      // k0 to k7
        6 => 16 * 32, // upper halves of zmm0 to zmm15
        7 => 16 * 64, // zmm16 to zmm31
        9 => 64,      // PKRU
        19 => 16 * 8, // r16 to r31
        _ => 0,
    }
}

/// Size of a save area for `components`, bytes, header included (SDM vol. 1, 13.4).
pub(super) fn area_size(method: SaveMethod, components: u32) -> u32 {
    let mut end = LEGACY_SIZE + HEADER_SIZE;
    if method == SaveMethod::Fxsave || components == 0 {
        return end;
    }
    // Components 0 and 1 lie in the legacy region.
    for component in (2..32).filter(|bit| components & 1 << bit != 0) {
        end = match method {
            SaveMethod::Xsavec => end.next_multiple_of(64) + component_size(component),
            _ => {
                let leaf = __cpuid_count(0xd, component);
                let (size, fixed_offset) = (leaf.eax, leaf.ebx);
                end.max(fixed_offset + size)
            }
        };
    }
    end
}

impl Processor {
    /// Asks it.
    pub fn ask() -> Self {
        Self { leaf_1: __cpuid(1).ecx, leaf_d_1: __cpuid_count(0xd, 1).eax }
    }

    /// The state components that the kernel has enabled (the low half of XCR0); 0 without XSAVE.
    pub(super) fn enabled_components(self) -> u32 {
        const OSXSAVE: u32 = 1 << 27;
        if self.leaf_1 & OSXSAVE == 0 {
            return 0;
        }
        let low: u32;
        // SAFETY: the kernel has enabled XSAVE, so xgetbv exists and register 0 does.
        unsafe {
            std::arch::asm!("xgetbv", in("ecx") 0, lateout("eax") low, lateout("edx") _, options(nomem, nostack));
        }
        low
    }
}

impl SaveMethod {
    /// The method that loses nothing and takes the least memory.
    pub(super) fn best(processor: Processor) -> Self {
        // With XSAVE, Xsave is supported at least.
        let methods = [Self::Xsavec, Self::Xsave];
        methods.into_iter().find(|method| method.has(processor)).unwrap_or(Self::Fxsave)
    }

    /// Whether processor and kernel have it.
    pub fn supported(self) -> bool {
        self.has(Processor::ask())
    }

    pub(super) fn has(self, processor: Processor) -> bool {
        const XSAVEC: u32 = 1 << 1;
        let xsave = processor.enabled_components() != 0;
        match self {
            Self::Fxsave => true,
            Self::Xsave => xsave,
            Self::Xsavec => xsave && processor.leaf_d_1 & XSAVEC != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SAVED_COMPONENTS;
    use super::*;

    #[test]
    fn components_have_the_sizes_that_the_processor_tells() {
        let enabled = Processor::ask().enabled_components() & SAVED_COMPONENTS;
        for component in (2..32).filter(|bit| enabled & 1 << bit != 0) {
            let size = __cpuid_count(0xd, component).eax;
            assert!(component_size(component) >= size, "component {component} takes {size} bytes");
        }
        assert!((2..32).filter(|bit| SAVED_COMPONENTS & 1 << bit != 0).all(|bit| component_size(bit) != 0));
    }
}
