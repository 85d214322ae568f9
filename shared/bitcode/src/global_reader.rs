//! Reads the records of globals and comdats.

use crate::types::Kind;
use crate::{
    Align, AttributeListId, BitcodeModule, Global, GlobalKind, Linkage, Reason, Seldom, ThreadLocal, TypeId,
    UnnamedAddr, Value, Visibility,
};

type Read<T> = core::result::Result<T, Reason>;

/// A record's fields from a position on; a field that is not written is zero.
struct Fields<'r>(&'r [u64]);

impl Fields<'_> {
    fn get(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    fn number(&self, index: usize) -> Read<u32> {
        u32::try_from(self.get(index)).map_err(|_| Reason::Record)
    }

    fn flag(&self, index: usize) -> Read<bool> {
        match self.get(index) {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Reason::Record),
        }
    }

    /// A value, counted from 1, or none.
    fn value(&self, index: usize) -> Read<Option<Value>> {
        Ok(self.number(index)?.checked_sub(1).map(Value))
    }

    /// An entry of a table, counted from 1, or 0.
    fn entry(&self, index: usize, count: usize) -> Read<u32> {
        let number = self.number(index)?;
        if number as usize <= count { Ok(number) } else { Err(Reason::Record) }
    }

    /// Whether one of these is written.
    fn any(&self, fields: core::ops::Range<usize>) -> bool {
        fields.into_iter().any(|index| self.get(index) != 0)
    }

    /// Nothing may be written behind what is known.
    fn known(&self, count: usize) -> Read<()> {
        let rest = self.0.get(count..).unwrap_or(&[]);
        if rest.iter().all(|&field| field == 0) { Ok(()) } else { Err(Reason::UnknownRecord) }
    }
}

/// Where the name is in the string table.
fn name(record: &[u64]) -> Read<((u32, u32), &[u64])> {
    let &[start, length, ref rest @ ..] = record else { return Err(Reason::Record) };
    let number = |value| u32::try_from(value).map_err(|_| Reason::Name);
    Ok(((number(start)?, number(length)?), rest))
}

/// A comdat: its name. How duplicates are chosen from is the linker's concern.
pub(crate) fn comdat(record: &[u64]) -> Read<(u32, u32)> {
    let (name, rest) = name(record)?;
    if matches!(rest, [1..=5]) { Ok(name) } else { Err(Reason::Record) }
}

/// A variable, function, alias or indirect function, and what few have, which is not noted in it yet.
pub(crate) fn global(kind: GlobalKind, record: &[u64], module: &BitcodeModule<'_>) -> Read<(Global, Seldom)> {
    let (name, rest) = name(record)?;
    let fields = Fields(rest);
    if rest.len() < 4 {
        return Err(Reason::Record);
    }
    let value_type = TypeId(fields.number(0)?);
    let type_kind = module.types.entry(value_type).ok_or(Reason::Type)?.kind;
    if (type_kind == Kind::Function) != (kind == GlobalKind::Function)
        && matches!(kind, GlobalKind::Function | GlobalKind::Variable)
    {
        return Err(Reason::Type);
    }
    let linkage = linkage(fields.get(3))?;
    let mut global = Global {
        kind,
        name,
        value_type,
        pointer_type: value_type,
        linkage,
        visibility: Visibility::Default,
        thread_local: ThreadLocal::No,
        unnamed_addr: UnnamedAddr::No,
        dso_local: false,
        declaration: false,
        constant: false,
        externally_initialized: false,
        align: Align::NONE,
        comdat: 0,
        convention: 0,
        attributes: AttributeListId(0),
        value: None,
        seldom: 0,
        more: false,
    };
    let mut seldom = Seldom::default();
    let space = match kind {
        GlobalKind::Variable => variable((&mut global, &mut seldom), &fields, module)?,
        GlobalKind::Function => function((&mut global, &mut seldom), &fields, module)?,
        GlobalKind::Alias | GlobalKind::Ifunc => indirect(&mut global, &fields)?,
    };
    let local = matches!(linkage, Linkage::Internal | Linkage::Private);
    if local {
        global.visibility = Visibility::Default;
    }
    // As LLVM infers it where it is not written.
    global.dso_local |= local || global.visibility != Visibility::Default && linkage != Linkage::ExternalWeak;
    global.pointer_type = *module.types.computed.pointers.get(&space).ok_or(Reason::MissingType)?;
    Ok((global, seldom))
}

fn variable(
    (global, seldom): (&mut Global, &mut Seldom),
    fields: &Fields<'_>,
    module: &BitcodeModule<'_>,
) -> Read<u32> {
    fields.known(18)?;
    let properties = fields.number(1)?;
    if properties & 2 == 0 {
        return Err(Reason::TypedPointer);
    }
    global.constant = properties & 1 != 0;
    global.value = fields.value(2)?;
    global.declaration = global.value.is_none();
    global.align = align(fields.get(4))?;
    seldom.section = fields.entry(5, module.sections.len())?;
    global.visibility = visibility(fields.get(6))?;
    global.thread_local = thread_local(fields.get(7))?;
    global.unnamed_addr = unnamed_addr(fields.get(8))?;
    global.externally_initialized = fields.flag(9)?;
    global.comdat = fields.entry(11, module.comdats.len())?;
    global.attributes = attributes(fields.number(12)?, module)?;
    global.dso_local = fields.flag(13)?;
    global.more = fields.any(15..17);
    seldom.code_model = u8::try_from(fields.get(17)).map_err(|_| Reason::Record)?;
    Ok(properties >> 2)
}

fn function(
    (global, seldom): (&mut Global, &mut Seldom),
    fields: &Fields<'_>,
    module: &BitcodeModule<'_>,
) -> Read<u32> {
    fields.known(19)?;
    global.convention = match fields.get(1) {
        convention @ 0..=1023 => convention as u16,
        _ => return Err(Reason::Record),
    };
    global.declaration = fields.flag(2)?;
    global.attributes = attributes(fields.number(4)?, module)?;
    global.align = align(fields.get(5))?;
    seldom.section = fields.entry(6, module.sections.len())?;
    global.visibility = visibility(fields.get(7))?;
    seldom.gc = fields.entry(8, module.collectors as usize)?;
    global.unnamed_addr = unnamed_addr(fields.get(9))?;
    seldom.prologue = fields.value(10)?;
    global.comdat = fields.entry(12, module.comdats.len())?;
    seldom.prefix = fields.value(13)?;
    global.value = fields.value(14)?;
    global.dso_local = fields.flag(15)?;
    global.more = fields.any(18..19);
    fields.number(16)
}

fn indirect(global: &mut Global, fields: &Fields<'_>) -> Read<u32> {
    global.value = Some(Value(fields.number(2)?));
    global.visibility = visibility(fields.get(4))?;
    if global.kind == GlobalKind::Alias {
        fields.known(11)?;
        global.thread_local = thread_local(fields.get(6))?;
        global.unnamed_addr = unnamed_addr(fields.get(7))?;
        global.dso_local = fields.flag(8)?;
        global.more = fields.any(10..11);
    } else {
        fields.known(8)?;
        global.dso_local = fields.flag(5)?;
        global.more = fields.any(7..8);
    }
    fields.number(1)
}

/// Lists come before globals, so that it can be told whether there is one.
fn attributes(list: u32, module: &BitcodeModule<'_>) -> Read<AttributeListId> {
    if list as usize <= module.attributes.lists.len() {
        Ok(AttributeListId(list))
    } else {
        Err(Reason::Attribute)
    }
}

fn align(encoded: u64) -> Read<Align> {
    Align::from_encoded(encoded).ok_or(Reason::Record)
}

fn linkage(encoded: u64) -> Read<Linkage> {
    Ok(match encoded {
        0 | 5 | 6 | 15 => Linkage::External,
        2 => Linkage::Appending,
        3 => Linkage::Internal,
        7 => Linkage::ExternalWeak,
        8 => Linkage::Common,
        9 | 13 | 14 => Linkage::Private,
        12 => Linkage::AvailableExternally,
        // The older numbers put the global into a comdat of its name.
        1 | 4 | 10 | 11 => return Err(Reason::Unsupported),
        16 => Linkage::WeakAny,
        17 => Linkage::WeakOdr,
        18 => Linkage::LinkOnceAny,
        19 => Linkage::LinkOnceOdr,
        _ => return Err(Reason::Record),
    })
}

fn visibility(encoded: u64) -> Read<Visibility> {
    match encoded {
        0 => Ok(Visibility::Default),
        1 => Ok(Visibility::Hidden),
        2 => Ok(Visibility::Protected),
        _ => Err(Reason::Record),
    }
}

fn thread_local(encoded: u64) -> Read<ThreadLocal> {
    match encoded {
        0 => Ok(ThreadLocal::No),
        1 => Ok(ThreadLocal::GeneralDynamic),
        2 => Ok(ThreadLocal::LocalDynamic),
        3 => Ok(ThreadLocal::InitialExec),
        4 => Ok(ThreadLocal::LocalExec),
        _ => Err(Reason::Record),
    }
}

fn unnamed_addr(encoded: u64) -> Read<UnnamedAddr> {
    match encoded {
        0 => Ok(UnnamedAddr::No),
        1 => Ok(UnnamedAddr::Yes),
        2 => Ok(UnnamedAddr::Local),
        _ => Err(Reason::Record),
    }
}
