//! Groups of an image pack that were linked ahead: their pages are mapped from the file and run as they are.
//!
//! Receives the tables and the pages of an open pack; looks whether this process is as the one was that linked them
//! (the image's tables, and the addresses that they were linked for); completes what each process has to; publishes all
//! groups at once. If anything differs, nothing has happened, and groups are bound one by one.

use std::sync::atomic::Ordering::{Release, SeqCst};

use autojit_cache::BaselineCode;
use autojit_code::image_pack::{ABSENT, Reference, ReferenceKind};
use autojit_code::prelinked::{Base, Outside, Summary, Tables};
use autojit_code::{LinkError, Symbol, pack};
use autojit_store::FunctionKind;
use autojit_trampoline::contract::Slot;

use super::ImagePack;
use crate::compile::baseline;
use crate::link::lines::Lines;
use crate::link::publish::announce;
use crate::program::function::{self, Function, Tier};
use crate::program::image::Image;
use crate::program::{symbols, unwind_table};

/// The part of a pack that was linked ahead.
#[derive(Debug)]
pub struct Ahead {
    /// What is said of it.
    pub summary: Summary,
    /// The tables.
    pub tables: &'static [u8],
    /// The pages.
    pub pages: &'static mut [u8],
}

/// Why pages are not used.
#[derive(Debug)]
pub enum Refusal {
    /// The image is another than the one that they were linked for: it is worth while to link them again.
    Image(&'static str),
    /// This process differs: others may not.
    Process(String),
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        Self::Process(error.to_string())
    }
}

/// Binds all groups, whose packs are `packs`. Returns how many functions there are.
pub fn bind(
    pack: &'static ImagePack,
    image: &'static Image,
    ahead: Ahead,
    packs: &mut [Option<&'static mut [u8]>],
) -> Result<usize, Refusal> {
    let Ahead { summary, tables, pages } = ahead;
    let memory = image.memory();
    // For perf and debuggers, code is in anonymous memory.
    if !memory.takes_pages() {
        return Err(Refusal::Process("pages of a file cannot be where its code is".into()));
    }
    let tables = Tables::open(tables, &summary).ok_or(Refusal::Image("its tables are damaged"))?;
    if summary.absolute != 0 && summary.absolute != image.start() {
        return Err(Refusal::Process("the image is at another address".into()));
    }
    compare(pack, image, &tables, summary.lens[0])?;
    let addresses = find(pack, image, &tables)?;
    let start = image.start().wrapping_sub(summary.distance);
    let complete = |bytes: &mut [u8]| {
        for word in tables.words() {
            let base = match word.base {
                Base::Image => image.start(),
                Base::External(external) => addresses[external as usize],
                Base::Trampoline => autojit_trampoline::entry::address(),
            };
            let value = base.wrapping_add_signed(word.addend as isize);
            bytes[word.at as usize..][..8].copy_from_slice(&value.to_le_bytes());
        }
    };
    {
        // No other stubs are made meanwhile.
        let _stubs = function::hold_stubs();
        let named = |[number, index]: [u32; 2]| pack.module(image, number)?.named_function(index);
        if tables.stubs().filter_map(named).any(|function| function.has_runtime_stub()) {
            return Err(Refusal::Process("a function of it has a stub elsewhere".into()));
        }
        if !memory.adopt(pages, start, summary.lens, complete).map_err(LinkError::from)? {
            return Err(Refusal::Process("what it was linked for is not free".into()));
        }
        let _ = pack.stubs.set(Stubs { tables, start });
    }

    // Unwinders and others hear of all groups before anything leads to one: they call one another.
    let mut codes = tables.codes(start);
    let mut complete = Vec::with_capacity(packs.len());
    for ((bytes, code), group) in packs.iter_mut().zip(codes.by_ref()).zip(0..) {
        let Some(bytes) = bytes.take() else { continue };
        let functions = pack::function_count(bytes);
        // Nothing that runs relies on the description, nor on lines.
        let (packed, description) = bytes.split_at_mut(pack::description_start(bytes).unwrap_or(bytes.len()));
        if baseline::code() == BaselineCode::Counted {
            pack.begin_counting(image, group, packed, &code);
        }
        let lines = pack.lines_of(image, group, packed).unwrap_or(Lines::None);
        let code = announce(image.first_module(), memory, code, lines, (description, functions), &[]);
        complete.push((group, code));
    }
    // The stubs, if there are some.
    codes.for_each(|mut code| unwind_table::TABLE.register(&mut code, None));
    // SeqCst, and names are looked at afterwards: see `introduce`.
    complete.iter().for_each(|(group, code)| pack.note_code(*group, code));
    if let Some(stubs) = pack.stubs.get() {
        lead(pack, image, stubs);
    }
    Ok(pack.index.function_count())
}

/// Compares the image with what the pages were linked for.
fn compare(pack: &ImagePack, image: &'static Image, tables: &Tables<'_>, text: usize) -> Result<(), Refusal> {
    let of = |number: u32| pack.module(image, number).ok_or(Refusal::Image("a module has changed"));
    for facts in tables.modules() {
        if image.facts_of(facts.module, of(facts.module)?) != facts {
            return Err(Refusal::Image("it was linked anew"));
        }
    }
    for [module, index, number, offset] in tables.slots() {
        let slot = image.slot_of(number, of(module)?, index);
        if slot.is_none() || offset as usize >= text {
            return Err(Refusal::Image("its slots are others"));
        }
    }
    for [entry, address] in
        tables.got().map(|it| it.map(|offset| image.start().wrapping_add(offset as usize)))
    {
        if image.word_at(entry) != Some(address) {
            return Err(Refusal::Process("an import of the image leads elsewhere".into()));
        }
    }
    if tables.inline().any(|[_, _, offset]| offset as usize >= text) {
        return Err(Refusal::Image("its tables are damaged"));
    }
    Ok(())
}

/// The addresses of what only this process knows.
fn find(pack: &ImagePack, image: &'static Image, tables: &Tables<'_>) -> Result<Vec<usize>, Refusal> {
    let find_one = |external: Option<Outside>| {
        let Outside { symbol, module: number, inline, usage, weak } =
            external.ok_or(Refusal::Image("its tables are damaged"))?;
        let module = || pack.module(image, number).ok_or(Refusal::Image("a module has changed"));
        let required = symbols::is_required(usage, weak);
        let failure = |cause: String| Refusal::Process(cause);
        let target = match symbol {
            Symbol::Name(name) => symbols::bind_library_function(&name, image, usage, weak).map_err(failure),
            Symbol::Import(index) => {
                let of = module()?;
                if of.import(index) == Some(0) && !was_absent(pack, number, index) {
                    return Err(Refusal::Process("nothing defines an import any more".into()));
                }
                symbols::bind_import(of, index, usage, required).map_err(failure)
            }
            Symbol::Function(index) => {
                let function = module()?.function(index).ok_or(Refusal::Image("a function is not there"))?;
                symbols::bind_stubless(function, inline, usage).map_err(|it| failure(it.to_string()))
            }
        }?;
        Ok(target.address)
    };
    tables.externals().map(find_one).collect()
}

/// Whether nothing defined an import when the code was made.
fn was_absent(pack: &ImagePack, module: u32, index: u32) -> bool {
    let is_it = |reference: &Reference| {
        let Reference { kind, .. } = *reference;
        kind == ReferenceKind::Import && (reference.module, reference.index) == (module, index)
    };
    let groups = (0..pack.texts.len()).filter_map(|group| pack.references(group));
    let mut found = groups.flat_map(|references| references.iter().flatten().find(is_it));
    found.all(|reference| reference.other == ABSENT)
}

/// Lets slots lead to the code, and functions that were named know of it. The groups are known to be bound.
fn lead(pack: &ImagePack, image: &'static Image, stubs: &Stubs) {
    let Stubs { tables, start } = stubs;
    for [number, index, slot, offset] in tables.slots() {
        // They were its own when they were compared.
        let (Some(module), Some(slot)) = (pack.module(image, number), image.slot(slot)) else { continue };
        match module.named_function(index) {
            None => slot.target.store(start + offset as usize, Release),
            Some(function) => {
                function.adopt(slot);
                if function.claim() {
                    publish(pack, function, (number, index), start + offset as usize);
                } else {
                    function.lead(slot);
                }
            }
        }
    }
    for (module, number) in (0..pack.index.len() as u32).filter_map(|it| Some((pack.module(image, it)?, it)))
    {
        for function in module.functions() {
            if let Some(found) = pack.index.find(number, function.index())
                && let Some(offset) = found.offset
                && function.kind().0 == FunctionKind::Local
                && function.claim()
            {
                pack.publish(function, &found, offset);
            }
        }
    }
    // Whatever was named before there were stubs.
    for [number, index] in tables.stubs() {
        if let Some(function) = pack.module(image, number).and_then(|module| module.named_function(index)) {
            adopt_stub(pack, image, function);
        }
    }
    for [number, index, offset] in tables.inline() {
        let named = pack.module(image, number).and_then(|module| module.named_function(index));
        if let Some(function) = named {
            serve_inline(pack, function, stubs, [number, index], offset);
        }
    }
}

/// Gives the image's copy of an inline function the code at an offset in the text, which is that of the copy `of` or of another
/// module's.
fn serve_inline(
    pack: &ImagePack,
    function: &'static Function,
    Stubs { tables, start }: &Stubs,
    of: [u32; 2],
    offset: u32,
) {
    let has_code = |[module, index]: [u32; 2]| pack.index.find(module, index).is_some();
    let same = |[module, index, other]: [u32; 3]| (other == offset).then_some([module, index]);
    let of = if has_code(of) { Some(of) } else { tables.inline().filter_map(same).find(|it| has_code(*it)) };
    if let Some([module, index]) = of
        && let Some(function) = symbols::chosen(function)
        && function.claim()
    {
        publish(pack, function, (module, index), start + offset as usize);
    }
}

/// Gives an inline function its code, if pages have some. They may have been bound before it was named: with others that call
/// it directly.
pub fn bind_inline(pack: &ImagePack, function: &'static Function, number: u32) {
    if let Some(stubs) = pack.stubs.get()
        && let Some(offset) = stubs.tables.inline_function(number, function.index())
    {
        // Another thread may be binding them: then where the groups are is noted when it is done.
        drop(pack.packs.lock());
        serve_inline(pack, function, stubs, [number, function.index()], offset);
    }
}

/// Gives a function, which the calling thread owns, the code at `code`, which is that of the function of this module and index.
fn publish(pack: &ImagePack, function: &'static Function, (module, index): (u32, u32), code: usize) {
    match pack.index.find(module, index) {
        Some(found) => {
            let offset = code.wrapping_sub(pack.texts[found.group].load(SeqCst)) as u32;
            pack.publish(function, &found, offset);
        }
        None => function.publish(code, Tier::Last),
    }
}

/// Stubs among the pages.
#[derive(Debug)]
pub struct Stubs {
    tables: Tables<'static>,
    start: usize,
}

/// The address of the stub of a function, and its slot, if pages of the image's pack have one.
pub fn stub_of(pack: &ImagePack, image: &Image, function: &Function) -> Option<(usize, &'static Slot)> {
    let Stubs { tables, start } = pack.stubs.get()?;
    let number = pack.number_of(image, function.module())?;
    let (stub, slot) = tables.stub(*start, number, function.index())?;
    // SAFETY: a slot among pages that are the process's own and that stay as long as the image.
    Some((stub, unsafe { &*(slot as *const Slot) }))
}

/// Has the slot of a function's stub lead to its code, now or when it gets some.
pub fn adopt_stub(pack: &ImagePack, image: &Image, function: &Function) {
    if let Some((_, slot)) = stub_of(pack, image, function) {
        function.adopt(slot);
        function.lead(slot);
    }
}
