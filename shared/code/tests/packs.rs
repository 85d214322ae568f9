//! Units of several objects merged, packed and read back; and packs with damage: refused or linked, never a panic.

mod support;

use std::borrow::Cow;
use std::sync::OnceLock;

use autojit_code::bundle;
use autojit_code::moved::Moved;
use autojit_code::pack::{self, Key, PackError};
use autojit_code::unit::{CountersAt, Lines, Segment, Source, UnitFunction};
use autojit_code::{
    Builder, Code, CodeMemory, Description, Linked, Resolver, Symbol, Target, Unit, UnwindTable, Usage, link,
};
use autojit_trampoline::counter::Counters;
use goblin::elf::{Elf, SectionHeader};
use support::{Symbols, compile, memory, only};
use xxhash_rust::xxh3::xxh3_64;

const KEY: Key = [7; 32];
const OTHER_KEY: Key = [8; 32];

/// Calls between two objects: `inner` is local to the module, `middle` and `outer` can be named by others.
const FIRST: &str = "int inner(int n);\nint middle(int n) { return inner(n) + 1; }\n";
const SECOND: &str = "int middle(int n);\nint numbers[] = {3, 5};\n\
                      int inner(int n) { return numbers[n & 1]; }\n\
                      int outer(void) { return inner(1) * 100 + middle(0) * 10 + inner(0); }\n";

/// The functions' indices in their container.
fn index_of(name: &str) -> Option<Symbol<'static>> {
    let index = ["inner", "middle", "outer"].iter().position(|known| *known == name)?;
    Some(Symbol::Function(index as u32))
}

fn is_inner(index: u32) -> bool {
    index == 0
}

/// Finds nothing but what the unit itself defines.
struct Inside(&'static CodeMemory);

impl Resolver for Inside {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        match symbol {
            Symbol::Name(_) => Symbols::new(self.0).resolve(symbol, usage, weak),
            _ => Err(format!("{symbol:?} was asked for")),
        }
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        matches!(symbol, Symbol::Function(_))
    }
}

fn unit(object: &'static [u8]) -> Unit<'static> {
    let mut unit = Unit::of(object, &index_of).expect("a good object");
    let moved = vec![Moved { file: (1 << 60) | object.len() as u64, first: 3, last: 700, by: -2 }];
    unit.lines.push(Lines { moved, ..unit.lines_of(object) });
    unit
}

/// The two sources as one unit, of which the second was compiled twice.
fn merged() -> &'static Unit<'static> {
    static MERGED: OnceLock<Unit<'static>> = OnceLock::new();
    MERGED.get_or_init(|| {
        let [first, second] = [FIRST, SECOND].map(|text| &*compile("c", text, &["-O1", "-g"]).leak());
        Unit::merge(&[&unit(first), &unit(second), &unit(second)], is_inner).expect("it is small")
    })
}

/// Where `outer` of a unit is, which has index 2.
fn outer_of(unit: &Unit<'_>, code: &Code) -> usize {
    let outer = unit.functions.iter().find(|function| function.symbol == Symbol::Function(2));
    code.text.start + outer.expect("it is there").offset as usize
}

/// Calls `outer` of a unit.
fn call_outer(unit: &Unit<'_>, memory: &'static CodeMemory) -> i32 {
    let code =
        link(unit, memory, &mut Inside(memory)).expect("it can be linked").commit().expect("there is room");
    // SAFETY: a committed function of this type, from the source above.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> i32>(outer_of(unit, &code))() }
}

#[test]
fn units_become_one() {
    let merged = merged();
    assert_eq!(merged.check(), Ok(()));
    assert_eq!(call_outer(merged, memory()), 543);
    let names: Vec<_> = merged.functions.iter().filter(|function| function.global).collect();
    assert_eq!(names.len(), 3, "the second copies are dropped: {names:?}");
    assert!(merged.functions.iter().is_sorted_by_key(|function| function.offset));
    // Calls of what others can name are bound in each process; those of the local one are distances.
    let calls = merged.fixups.groups().map(|group| group.expect("it is whole").0);
    let calls = calls.filter_map(|group| match group.source {
        Source::Branch { external, .. } => merged.externals.get(external as usize),
        _ => None,
    });
    let called: Vec<_> = calls.map(|external| external.symbol).collect();
    assert!(!called.is_empty() && called.iter().all(|symbol| *symbol == Symbol::Function(1)), "{called:?}");
}

/// Another definition of `middle` has been chosen, or a stub stands for it.
struct Elsewhere<'a> {
    inside: Inside,
    middle: Target,
    asked: &'a mut u32,
}

impl Resolver for Elsewhere<'_> {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        if *symbol == Symbol::Function(1) {
            *self.asked += 1;
            return Ok(self.middle);
        }
        self.inside.resolve(symbol, usage, weak)
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        *symbol != Symbol::Function(1) && self.inside.defines(symbol)
    }
}

extern "C" fn another_middle(n: i32) -> i32 {
    n + 1000
}

#[test]
fn calls_lead_to_the_chosen_definition() {
    let bytes = pack::encode(merged(), &KEY);
    let units = [merged().clone(), pack::decode(&bytes, &KEY).expect("it was just made")];
    let address = another_middle as extern "C" fn(i32) -> i32 as usize;
    for (unit, pending) in units.iter().flat_map(|unit| [(unit, None), (unit, Some(7))]) {
        let (memory, mut asked) = (memory(), 0);
        let middle = Target { address, pending };
        let mut resolver = Elsewhere { inside: Inside(memory), middle, asked: &mut asked };
        let code = link(unit, memory, &mut resolver).and_then(Linked::commit).expect("there is room");
        assert_eq!(asked, 1, "each external is asked for once");
        // SAFETY: a committed function of this type, from the source above.
        let outer = unsafe { std::mem::transmute::<usize, extern "C" fn() -> i32>(outer_of(unit, &code)) };
        assert_eq!(outer(), 500 + 10_000 + 3);
        assert_eq!(code.call_sites.len(), usize::from(pending.is_some()));
        for site in &code.call_sites {
            // SAFETY: five bytes of committed code.
            let call = unsafe { *(site.address as *const [u8; 5]) };
            let displacement = i32::from_le_bytes(call[1..].try_into().expect("4 bytes"));
            assert_eq!(call[0], 0xe8);
            assert_eq!((site.address + 5).wrapping_add_signed(displacement as isize), site.target);
            assert_eq!(site.pending, 7);
        }
    }
}

#[test]
fn packs_and_lines_come_back() {
    let merged = merged();
    let bytes = pack::encode(merged, &KEY);
    let read = pack::decode(&bytes, &KEY).expect("it was just made");
    assert_eq!(read.segments, merged.segments);
    assert_eq!((read.aligns, &read.externals, &read.got), (merged.aligns, &merged.externals, &merged.got));
    assert_eq!(read.fixups, merged.fixups);
    assert_eq!(read.functions, merged.functions);
    assert!(read.names.is_empty() && !read.frame_index.is_empty());
    let read = pack::decode_named(&bytes, &KEY).expect("it was just made");
    assert_eq!(read.names, merged.names);
    assert_eq!(read.names.iter().filter(|name| *name == "middle").count(), 1);
    assert_eq!(pack::encode(&Unit { lines: merged.lines.clone(), ..read.clone() }, &KEY), bytes);
    assert_eq!(call_outer(&read, memory()), 543);
    assert_eq!(pack::decode(&bytes, &OTHER_KEY).err(), Some(PackError::Key));

    let generation = pack::generation(&bytes).expect("it has lines");
    let lines = pack::encode_lines(&merged.lines, &KEY, generation);
    assert_eq!(pack::decode_lines(&lines, &KEY, generation).as_ref(), Some(&merged.lines));
    assert!(pack::are_lines_of(&lines, &KEY, generation));
    assert!(!pack::are_lines_of(&lines, &OTHER_KEY, generation));
    assert!(!pack::are_lines_of(&lines, &KEY, generation ^ 1));
    let without = pack::encode(&read, &KEY);
    assert_eq!(pack::generation(&without), None);
    assert!(pack::decode(&without, &KEY).is_ok());
}

/// Caches outlive updates of autojit: code from them is used whenever the version says so. The object has a segment of each
/// kind, calls, addresses, unwind tables and lines; clang's assembler makes the same bytes of it everywhere.
#[test]
fn version_and_bytes_belong_together() {
    let object = compile("assembler", "pack.s", &["-g0", "-fdebug-compilation-dir=/src"]).leak();
    let unit = unit(object);
    assert!(unit.segments.iter().all(|segment| !segment.is_empty()), "a segment is missing");
    let bytes = pack::encode(&unit, &KEY);
    let lines = pack::encode_lines(&unit.lines, &KEY, pack::generation(&bytes).expect("it has lines"));
    assert_eq!(
        (pack::VERSION, xxh3_64(&bytes), xxh3_64(&lines)),
        (12, 8_673_115_650_703_376_852, 2_720_215_206_690_359_166),
        "other bytes of the same object: raise the version, then note the new digests"
    );
}

/// Gives bytes the checksum that fits them.
fn seal(bytes: &mut [u8]) {
    if bytes.len() >= 24 {
        let len = pack::code_len(bytes).unwrap_or(bytes.len()).max(24);
        let checksum = xxh3_64(&bytes[24..len]).to_le_bytes();
        bytes[16..24].copy_from_slice(&checksum);
    }
}

/// Whether a pack is taken; then it is linked, too, which must fail or succeed.
fn is_taken(bytes: &[u8], memory: &'static CodeMemory) -> bool {
    struct Anything(usize);
    impl Resolver for Anything {
        fn resolve(&mut self, _: &Symbol<'_>, usage: Usage, _: bool) -> Result<Target, String> {
            Ok(Target { address: self.0, pending: (usage == Usage::Call).then_some(1) })
        }

        fn defines(&mut self, _: &Symbol<'_>) -> bool {
            true
        }
    }
    // Blocks are aborted.
    let mut resolver = Anything(only(memory).range().start);
    if pack::check(bytes, &KEY).is_ok()
        && let Ok(unit) = pack::decode_checked(bytes)
    {
        drop(link(&unit, memory, &mut resolver));
    }
    let Ok(unit) = pack::decode(bytes, &KEY) else { return false };
    drop(link(&unit, memory, &mut resolver));
    true
}

/// xorshift64: the same numbers in every run.
fn numbers() -> impl FnMut() -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let merged = merged();
    let mut bytes = pack::encode(merged, &KEY);
    let generation = pack::generation(&bytes).expect("it has lines");
    let mut lines = pack::encode_lines(&merged.lines, &KEY, generation);
    let code = pack::code_len(&bytes).expect("it is whole");
    for at in 0..bytes.len() {
        bytes[at] ^= 1 << (at % 8);
        assert_eq!(pack::decode(&bytes, &KEY).is_err(), at < code, "byte {at}");
        bytes[at] ^= 1 << (at % 8);
        assert!(pack::decode(&bytes[..at], &KEY).is_err(), "{at} bytes");
    }
    assert!(pack::decode(&bytes, &KEY).is_ok());
    for at in (0..lines.len()).step_by(3) {
        lines[at] ^= 1 << (at % 8);
        assert!(pack::decode_lines(&lines, &KEY, generation).is_none(), "byte {at}");
        lines[at] ^= 1 << (at % 8);
        assert!(pack::decode_lines(&lines[..at], &KEY, generation).is_none(), "{at} bytes");
    }
}

#[test]
fn wrong_tables_under_a_right_checksum() {
    let memory = memory();
    let whole = pack::encode(merged(), &KEY);
    let (mut random, mut taken, mut refused) = (numbers(), 0, 0);
    for len in 24..whole.len() {
        let mut bytes = whole[..len].to_vec();
        seal(&mut bytes);
        assert!(!is_taken(&bytes, memory), "{len} bytes");
    }
    // Header and tables: what lies in front of the segments.
    let segments: usize = merged().segments.iter().map(|segment| segment.len()).sum();
    let code = pack::code_len(&whole).expect("it is whole");
    let tables = 56..code - segments;
    let mut count = |bytes: &mut Vec<u8>| {
        seal(bytes);
        if is_taken(bytes, memory) { taken += 1 } else { refused += 1 }
    };
    for at in tables.clone() {
        for value in [0, 1, 4, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at].wrapping_add(1)] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            count(&mut bytes);
        }
    }
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random() % 6 {
            let at = if random() % 8 == 0 {
                56 + random() % (code - 56)
            } else {
                tables.start + random() % tables.len()
            };
            bytes[at] = random() as u8;
        }
        count(&mut bytes);
    }
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
}

/// The description of a pack, bound to code at `text`.
fn describe(bytes: &[u8], functions: usize, text: usize) -> Option<Description> {
    let at = pack::check(bytes, &KEY).ok()?;
    Description::bind(bytes[at..].to_vec().leak(), functions, text)
}

#[test]
fn descriptions_are_files_for_debuggers() {
    let bytes = pack::encode(merged(), &KEY);
    let unit = pack::decode(&bytes, &KEY).expect("it was just made");
    let memory = memory();
    let mut code = link(&unit, memory, &mut Inside(memory)).and_then(Linked::commit).expect("room");
    let text = code.text.start;
    let description = describe(&bytes, unit.functions.len(), text).expect("it is whole");

    let elf = Elf::parse(description.bytes()).expect("it is an ELF file");
    let section = |name: &str| {
        let named = |header: &&SectionHeader| elf.shdr_strtab.get_at(header.sh_name) == Some(name);
        elf.section_headers.iter().find(named).expect("it is there")
    };
    assert_eq!(section(".text").sh_addr, text as u64);
    // What the tables say of code, at their address, is where it is.
    let frames = section(".eh_frame");
    let range = frames.file_range().expect("it has bytes");
    assert_eq!(frames.sh_addr, text as u64 + (1 << 30));
    let first = &description.bytes()[range][..];
    let cie = u32::from_le_bytes(first[..4].try_into().expect("4 bytes")) as usize + 4;
    let start = i32::from_le_bytes(first[cie + 8..cie + 12].try_into().expect("4 bytes"));
    let start = frames.sh_addr.wrapping_add(cie as u64 + 8).wrapping_add_signed(start.into());
    assert_eq!(start, text as u64 + u64::from(unit.functions.get(0).expect("there are some").offset));

    // Unwinders find the same by the index of the pack and by one that is made of the frames.
    let without = Unit { frame_index: Cow::default(), ..unit.clone() };
    let mut other = link(&without, memory, &mut Inside(memory)).and_then(Linked::commit).expect("room");
    let (here, there) = (UnwindTable::new(), UnwindTable::new());
    let other_text = other.text.start;
    let (frames, other_frames) = (code.eh_frame.start, other.eh_frame.start);
    here.register(&mut code, Some(description));
    there.register(&mut other, None);
    for (number, function) in merged().functions.iter().enumerate() {
        let at = function.offset as usize;
        let named = here.symbol(text + at).expect("it has a name");
        assert_eq!((named.start, named.size), (text + at, function.size as usize));
        assert_eq!(named.name.to_str(), Ok(&*merged().names[number]));
        let found = here.find(text + at).expect("it has frames");
        let expected = there.find(other_text + at).expect("it has frames");
        assert_eq!(found.function - text, expected.function - other_text);
        assert_eq!(found.fde as usize - frames, expected.fde as usize - other_frames);
    }
    assert_eq!(here.symbols(text).count(), merged().functions.len());
}

#[test]
fn damaged_descriptions_give_wrong_names_at_most() {
    let whole = pack::encode(merged(), &KEY);
    let description = pack::check(&whole, &KEY).expect("it was just made");
    let functions = merged().functions.len();
    for at in description..whole.len() {
        for value in [0, 0x7f, 0xff, whole[at] ^ 1] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let mut code = Code::default();
            code.text = 0x1000..0x100_0000;
            let table = UnwindTable::new();
            table.register(&mut code, describe(&bytes, functions, 0x1000));
            assert_eq!(table.symbols(0x1000).count(), functions);
            let _ = table.symbol(0x1020);
            let _ = pack::decode_named(&bytes, &KEY);
        }
    }
    assert!(describe(&whole, functions + 1000, 0x1000).is_none());
}

#[test]
fn wrong_lines_under_a_right_checksum() {
    let merged = merged();
    let generation = pack::generation(&pack::encode(merged, &KEY)).expect("it has lines");
    let whole = pack::encode_lines(&merged.lines, &KEY, generation);
    let mut random = numbers();
    for len in (72..whole.len()).step_by(5) {
        let mut bytes = whole[..len].to_vec();
        seal(&mut bytes);
        assert_eq!(pack::decode_lines(&bytes, &KEY, generation), None, "{len} bytes");
    }
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random() % 4 {
            bytes[64 + random() % 100] = random() as u8;
        }
        seal(&mut bytes);
        if let Some(lines) = pack::decode_lines(&bytes, &KEY, generation) {
            assert!(lines.iter().all(|lines| lines.object.len() <= whole.len()));
        }
    }
}

#[test]
fn bundles_have_names_and_lines() {
    let unit = merged().clone();
    let bytes = bundle::encode(&unit, &KEY);
    assert!(bundle::has_lines(&bytes));
    let read = bundle::decode(&bytes, &KEY).expect("a good bundle").into_owned();
    assert_eq!((&read.names, &read.lines, &read.segments), (&unit.names, &unit.lines, &unit.segments));
    assert_eq!((&read.functions, &read.externals), (&unit.functions, &unit.externals));
    let memory = memory();
    assert_eq!(call_outer(&read, memory), call_outer(&unit, memory));
    assert_eq!(bundle::decode(&bytes, &OTHER_KEY).err(), Some(PackError::Key));

    let plain = Unit { lines: Vec::new(), ..unit };
    let without = bundle::encode(&plain, &KEY);
    assert!(!bundle::has_lines(&without));
    assert!(bundle::decode(&without, &KEY).expect("a good bundle").lines.is_empty());
    // Lines of other code, none, and some where there are none to be.
    let code = without.len();
    assert!(bundle::decode(&[&without[..], &bytes[bytes.len() - 100..]].concat(), &KEY).is_err());
    assert!(bundle::decode(&bytes[..code], &KEY).is_err());
    for len in [0, 7, 8, 100, code - 1] {
        assert!(bundle::decode(&without[..len], &KEY).is_err(), "{len}");
    }
}

/// A unit of one function that counts, with so many counters.
fn counting(index: u32, count: u32) -> Unit<'static> {
    let mut builder = Builder::new();
    let text = builder.append(Segment::Text, &[0xc3], 16);
    let bytes = Counters::bytes((5, false), (7, 1), (1..count).map(|block| (block, true)));
    let at = CountersAt { offset: builder.append(Segment::Data, &bytes, 8), count };
    builder.function(Symbol::Function(index), format!("f{index}").into(), (text, 1), Some(at));
    builder.finish().expect("a good unit")
}

#[test]
fn counters_move_with_their_data() {
    let mut old = counting(0, 2);
    let merged = Unit::merge(&[&counting(1, 3), &old, &counting(1, 1)], |_| false).expect("it is small");
    let bytes = pack::encode(&merged, &KEY);
    let read = pack::decode(&bytes, &KEY).expect("it was just made");
    let at = |index: u32| {
        let is_it = |it: &UnitFunction<'_>| it.symbol == Symbol::Function(index) && it.global;
        read.functions.iter().find(is_it).expect("it is there").counters.expect("it counts")
    };
    assert_eq!((at(1), at(0)), (CountersAt { offset: 0, count: 3 }, CountersAt { offset: 64, count: 2 }));
    let data = &read.segments[Segment::Data as usize];
    assert_eq!(data[64..], *Counters::bytes((5, false), (7, 1), [(1, true)].into_iter()));

    // A function is found by its counters and by its code, which has one byte of sixteen.
    let found = [0, 63, 64, 111].map(|at| read.functions.with_counter(at).map(|it| it.offset));
    assert_eq!(found, [Some(0), Some(0), Some(16), Some(16)]);
    let found = [0, 1, 15, 16, 17, u32::MAX].map(|at| read.functions.with_code(at).map(|it| it.offset));
    assert_eq!(found, [Some(0), None, None, Some(16), None, None]);

    // What is not to be called by others is known all the same by its counters.
    old.demote(|_| false);
    let merged = Unit::merge(&[&counting(1, 3), &old], |_| false).expect("it is small");
    let old = merged.functions.iter().find(|it| it.symbol == Symbol::Function(0)).expect("it is there");
    assert!(!old.global && old.counters == Some(CountersAt { offset: 64, count: 2 }), "{old:?}");
}

#[test]
fn counters_that_are_not_in_the_data_are_refused() {
    let unit = counting(0, 2);
    let whole = pack::encode(&unit, &KEY);
    // The last of the tables that are there; no string is behind it.
    let counters = pack::code_len(&whole).expect("it is whole") - 1 - Counters::len(2) - 12;
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().expect("4 bytes"));
    assert_eq!((number(counters), number(counters + 4)), (0, 2));
    for (offset, count) in [(8, 2), (0, 3), (4, 1), (0, 0), (u32::MAX, 2), (u32::MAX - 7, 1), (0, u32::MAX)] {
        let mut bytes = whole.clone();
        bytes[counters..counters + 4].copy_from_slice(&offset.to_le_bytes());
        bytes[counters + 4..counters + 8].copy_from_slice(&count.to_le_bytes());
        seal(&mut bytes);
        assert!(pack::decode_checked(&bytes).is_err(), "{offset}, {count}");
    }
    let mut bytes = whole.clone();
    bytes[counters..counters + 4].copy_from_slice(&16_u32.to_le_bytes());
    bytes[counters + 4..counters + 8].copy_from_slice(&1_u32.to_le_bytes());
    seal(&mut bytes);
    assert!(pack::decode_checked(&bytes).is_ok(), "these are some");
    // Data that need not be aligned.
    let aligns = 72 + 4 * Segment::Data as usize;
    bytes[aligns] = 4;
    seal(&mut bytes);
    assert!(pack::decode_checked(&bytes).is_err());
}
