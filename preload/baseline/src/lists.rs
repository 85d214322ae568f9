//! What a module's attribute lists say of code: looked up once, as most functions and calls share a few.

use autojit_bitcode::{AttributeListId, BitcodeModule};

use crate::features::Features;

/// What is known of the lists.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// By list: whether functions that have it save registers for their callers.
    keeps: Vec<Option<bool>>,
    /// The list of the function that was compiled last.
    last: Option<(AttributeListId, Traits)>,
}

/// What a function's attributes ask for, if they are supported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// What instructions may be used.
    pub features: Features,
    /// Large frames are touched page by page.
    pub probes: bool,
}

impl Lists {
    /// Whether functions with these attributes save the registers that the ABI has them save.
    pub(crate) fn keeps_registers(&mut self, module: &BitcodeModule<'_>, list: AttributeListId) -> bool {
        let index = list.0 as usize;
        if let Some(Some(known)) = self.keeps.get(index) {
            return *known;
        }
        let keeps = module.attributes(list).function().string(b"no_callee_saved_registers").is_none();
        // Lists are as many as the bitcode has, unless it is damaged.
        if index < 1 << 20 {
            if self.keeps.len() <= index {
                self.keeps.resize(index + 1, None);
            }
            self.keeps[index] = Some(keeps);
        }
        keeps
    }

    /// What was noted of a list.
    pub(crate) fn traits(&self, list: AttributeListId) -> Option<Traits> {
        self.last.filter(|(last, _)| *last == list).map(|(_, traits)| traits)
    }

    /// Notes what is known of a list.
    pub(crate) fn note(&mut self, list: AttributeListId, traits: Traits) {
        self.last = Some((list, traits));
    }
}
