//! Code memory as a whole: its place, its permissions, many threads, and what is left when resources are short.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use autojit_code::{Arena, Booking, CodeMemory, LinkError, MemoryError, link_object};
use support::{
    Symbols, call, commit, compile, image, in_child, memory, only, private_memory, publish,
    writable_and_executable,
};

/// A function that returns `number`, with a table in .rodata and a variable.
fn object(number: u32) -> Vec<u8> {
    let source = format!(
        "static volatile int v = {number};\nextern int abs(int);\nstatic const volatile int t[] = {{{number}}};\n\
         int check(void) {{ return abs(-v) + t[0] - {number}; }}\n"
    );
    compile("c", &source, &["-O1", "-fno-builtin"])
}

fn new(image: std::ops::Range<usize>) -> &'static CodeMemory {
    Box::leak(Box::new(CodeMemory::new(image, Booking::default())))
}

/// Whether 32-bit displacements reach from everywhere in the range to everywhere in this program, and back.
fn in_reach(range: &std::ops::Range<usize>) -> bool {
    range.end.max(image().end) - range.start.min(image().start) < 1 << 31
}

#[test]
fn lies_within_reach_of_the_image() {
    let memory = new(image());
    assert!(memory.newest().is_none(), "nothing is reserved before it is needed");
    let object = object(3);
    let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
    let area = memory.area_of(code.text.start).unwrap();
    let range = area.range();
    assert_eq!(range.len(), 512 << 10);
    assert!(in_reach(&range), "{range:x?}");
    let [text, rodata, data] = Arena::ALL.map(|arena| area.arena(arena));
    assert_eq!(
        (text.start, text.end, rodata.end, data.end),
        (range.start, rodata.start, data.start, range.end)
    );
    let nowhere = new(0x5000_0000_0000..0x5000_8000_0000);
    let error = publish(&object, nowhere, &mut Symbols::new(memory)).unwrap_err();
    assert!(matches!(error, LinkError::Memory(MemoryError::NoRoom(_))), "{error}");
}

/// The number of mappings between two addresses.
fn mappings(range: std::ops::Range<usize>) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let start = |line: &str| usize::from_str_radix(line.split_once('-').unwrap().0, 16).unwrap();
    maps.lines().filter(|line| range.contains(&start(line))).count()
}

#[test]
fn images_share_what_is_reserved() {
    let object = object(4);
    in_child(move || {
        let memories: Vec<_> = (0..200).map(|_| new(image())).collect();
        for memory in &memories {
            assert_eq!(call(&publish(&object, memory, &mut Symbols::new(memory)).unwrap(), "check"), 4);
        }
        let mut ranges: Vec<_> = memories.iter().map(|memory| only(memory).range()).collect();
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
        let apart = ranges.windows(2).filter(|pair| pair[0].end != pair[1].start).count();
        assert!(apart <= 6, "100 MB are {apart} reservations");
        assert_eq!(mappings(ranges[0].clone()), 3, "text, rodata and data");
        // What is given back is used again.
        // SAFETY: the code is not called any more.
        memories.iter().for_each(|memory| unsafe { memory.release() });
        for range in &ranges {
            assert!(mappings(range.clone()) == 0, "a reservation without a user is unmapped");
        }
    })
    .join();
}

#[test]
fn a_full_area_is_followed_by_a_larger_one() {
    // Three quarters of the first area's text.
    let large = compile(
        "assembler",
        "\n.globl check\n.type check,@function\ncheck: movl $9, %eax\nret\n.size check, .-check\n.skip 0x30000\n",
        &[],
    );
    // More than an area has.
    let huge = compile(
        "assembler",
        "\n.globl check\n.type check,@function\ncheck: movl $8, %eax\nret\n.size check, .-check\n.skip 0x500000\n",
        &[],
    );
    let far = compile("c", "int abs(int);\nint check(void) { return abs(-7); }\n", &["-O1", "-fno-builtin"]);
    let memory = new(image());
    let objects = [(&large, 9), (&far, 7), (&large, 9), (&far, 7), (&huge, 8), (&far, 7), (&large, 9)];
    let codes: Vec<_> = objects
        .iter()
        .map(|(object, result)| (publish(object, memory, &mut Symbols::new(memory)).unwrap(), *result))
        .collect();
    assert!(codes.iter().all(|(code, result)| call(code, "check") == *result));
    let areas: Vec<_> = memory.areas().map(|area| area.range()).collect();
    assert_eq!(areas.len(), 3, "{areas:x?}");
    let lens: Vec<_> = areas.iter().rev().map(std::ops::Range::len).collect();
    assert!(lens.is_sorted() && lens[1] == 2 * lens[0], "{lens:x?}");
    for area in areas {
        assert!(in_reach(&area), "{area:x?}");
    }
}

#[test]
fn what_was_booked_is_there_when_nothing_else_is() {
    let object = object(4);
    in_child(move || {
        // An image in the middle of nothing, and then of much.
        let image = 0x2345_0000_0000..0x2345_0010_0000;
        let booking = Booking::new(image.clone(), false, 1 << 20);
        let memory: &CodeMemory = Box::leak(Box::new(CodeMemory::new(image.clone(), booking)));
        let fill = |start: usize, end: usize| {
            for address in (start..end).step_by(1 << 20) {
                let flags =
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
                // SAFETY: nothing that is mapped is touched.
                unsafe { libc::mmap(address as *mut _, 1 << 20, libc::PROT_NONE, flags, -1, 0) };
            }
        };
        fill(image.start - (2 << 30), image.end + (2 << 30));
        // Another image near it takes what it has not booked, and no more.
        let other = new(image.clone());
        let mut taken = 0;
        while publish(&object, other, &mut Symbols::new(other)).is_ok() && taken < 100_000 {
            taken += 1;
        }
        assert!(taken > 100 && other.areas().count() > 1, "{taken}");
        assert!(taken < 100_000);
        assert!(publish(&object, memory, &mut Symbols::new(memory)).is_err(), "a last resort for the other");
    })
    .join();
}

#[test]
fn near_an_image_at_the_bottom_it_is_below() {
    let image = 0x40_0000..0x50_0000;
    let object = object(4);
    in_child(move || {
        let memory = new(image.clone());
        let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&code, "check"), 4);
        let range = memory.newest().unwrap().range();
        assert!(range.start >= 0x10_0000 && range.end <= image.start, "{range:x?}");
    })
    .join();
}

fn limit(what: libc::__rlimit_resource_t, value: u64) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the structure is valid.
    assert_eq!(unsafe { libc::setrlimit(what, &limit) }, 0);
}

#[test]
fn address_space_limit_makes_it_smaller() {
    let image = image();
    let object = object(4);
    in_child(move || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let used: u64 = pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        let limited = used + (48 << 20);
        limit(libc::RLIMIT_AS, limited);
        let booking = Booking::new(image.clone(), false, 64 << 20);
        let memory: &CodeMemory = Box::leak(Box::new(CodeMemory::new(image.clone(), booking)));
        let now = || {
            std::fs::read_to_string("/proc/self/statm")
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap()
                * 4096
        };
        // Most is the program's.
        let reserved = now().saturating_sub(used);
        assert!(
            reserved >= limited / 32 && reserved <= limited / 16 + (1 << 20),
            "{reserved} of {limited}, {used}"
        );
        publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        limit(libc::RLIMIT_AS, now());
        // Near another image nothing is reserved yet.
        let refused = CodeMemory::with_options(0x2345_0000_0000..0x2345_0010_0000, 1 << 20, true);
        assert!(matches!(refused, Err(MemoryError::System(_, libc::ENOMEM))), "{refused:?}");
    })
    .join();
}

#[test]
fn neither_descriptors_nor_files_are_needed() {
    let object = object(77);
    // What looking up symbols loads is there before no file can be opened any more.
    let other = memory();
    publish(&object, other, &mut Symbols::new(other)).unwrap();
    in_child(move || {
        limit(libc::RLIMIT_NOFILE, 0);
        limit(libc::RLIMIT_FSIZE, 0);
        let memory = new(image());
        let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&code, "check"), 77);
    })
    .join();
}

#[test]
fn no_memory_need_become_executable() {
    let object = object(77);
    let memory = memory();
    in_child(move || {
        const PR_SET_MDWE: i32 = 65;
        // SAFETY: a plain call. Kernels before 6.3 do not know it, and forbid nothing.
        unsafe { libc::prctl(PR_SET_MDWE, 1, 0, 0, 0) };
        let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&code, "check"), 77);
    })
    .join();
}

#[test]
fn what_is_not_used_can_be_given_back() {
    let [one, two] = [1, 2].map(object);
    in_child(move || {
        let pages = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').next().unwrap().parse::<usize>().unwrap()
        };
        let booking = Booking::new(image(), false, 32 << 20);
        let memory: &CodeMemory = Box::leak(Box::new(CodeMemory::new(image(), booking)));
        let first = publish(&one, memory, &mut Symbols::new(memory)).unwrap();
        let before = pages();
        autojit_code::reservation::trim(1 << 20);
        let given = (before - pages()) * 4096;
        assert!(given >= 30 << 20, "{given:#x}");
        // There is room for more.
        let second = publish(&two, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!([call(&first, "check"), call(&second, "check")], [1, 2]);
    })
    .join();
}

#[test]
fn permissions() {
    let objects: Vec<_> = (0..4).map(object).collect();
    // Symbolizers open the path of each mapping that the maps list as readable and executable.
    for (memory, of_text) in [(memory(), "--x"), (private_memory(), "r-x")] {
        for (number, object) in objects.iter().enumerate() {
            let linked = link_object(object, memory, &mut Symbols::new(memory)).unwrap();
            let text = linked.code().text.clone();
            assert_eq!(writable_and_executable(), [""; 0]);
            let code = commit(object, linked).unwrap();
            assert_eq!(permissions_at(text.start), of_text);
            assert_eq!(permissions_at(code.eh_frame.start), "r--");
            let data = code.section(".data");
            if let Some(data) = data {
                assert_eq!(permissions_at(data), "rw-");
            }
            assert_eq!(call(&code, "check"), number as i32);
            assert_eq!(writable_and_executable(), [""; 0]);
        }
    }
}

fn permissions_at(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let parse = |text| usize::from_str_radix(text, 16).unwrap();
        if (parse(start)..parse(end)).contains(&address) {
            return rest[..3].into();
        }
    }
    panic!("{address:#x} is not mapped");
}

#[test]
fn aborted_blocks_are_used_again() {
    let object = object(5);
    for memory in [memory(), private_memory()] {
        let first = link_object(&object, memory, &mut Symbols::new(memory)).unwrap().code().text.start;
        for _ in 0..1000 {
            let linked = link_object(&object, memory, &mut Symbols::new(memory)).unwrap();
            assert_eq!(linked.code().text.start, first);
        }
        let kept = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(kept.text.start, first);
        let next = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert!(next.text.start >= kept.text.end);
        assert_eq!((call(&kept, "check"), call(&next, "check")), (5, 5));
    }
}

#[test]
fn a_full_memory_is_an_error_and_what_is_there_works() {
    let object = object(6);
    for memory in [memory(), private_memory()] {
        let mut codes = Vec::new();
        let error = loop {
            match publish(&object, memory, &mut Symbols::new(memory)) {
                Ok(code) => codes.push(code),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, LinkError::Memory(MemoryError::Exhausted)));
        assert!(codes.len() >= 60, "{}", codes.len());
        assert!(codes.iter().all(|code| call(code, "check") == 6));
    }
}

#[test]
fn many_threads_link_at_once() {
    let objects: Vec<_> = (0..8).map(|number| object(number * 100)).collect();
    let memory = new(image());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(writable_and_executable(), [""; 0]);
                looks += 1;
            }
            looks
        });
        let linkers: Vec<_> = objects
            .iter()
            .enumerate()
            .map(|(number, object)| {
                scope.spawn(move || {
                    let mut codes = Vec::new();
                    for round in 0..150 {
                        let mut symbols = Symbols::new(memory);
                        if round % 7 == 0 {
                            drop(link_object(object, memory, &mut symbols).unwrap());
                        }
                        codes.push(publish(object, memory, &mut symbols).unwrap());
                        for code in &codes {
                            assert_eq!(call(code, "check"), number as i32 * 100);
                        }
                    }
                    codes.into_iter().map(|code| code.text.clone()).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut texts: Vec<_> = linkers.into_iter().flat_map(|linker| linker.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(watch.join().unwrap() > 0);
        assert_eq!(texts.len(), 8 * 150);
        texts.sort_by_key(|text| text.start);
        assert!(texts.windows(2).all(|pair| pair[0].end <= pair[1].start));
    });
}

/// Writes a byte where code is executed, as a debugger or the program itself does.
fn write_code(address: usize, byte: u8) -> u8 {
    let page = (address & !4095) as *mut libc::c_void;
    // SAFETY: whole pages of text, of which this test's thread alone runs code.
    unsafe {
        assert_eq!(libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE), 0);
        let before = (address as *mut u8).replace(byte);
        assert_eq!(libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC), 0);
        before
    }
}

#[test]
fn pages_of_code_that_were_written_to_take_more_code() {
    let objects: Vec<_> = (0..40).map(object).collect();
    for memory in [memory(), private_memory()] {
        let mut codes = Vec::new();
        for object in &objects {
            let code = publish(object, memory, &mut Symbols::new(memory)).unwrap();
            // A breakpoint, and as if there had never been one.
            let before = write_code(code.text.start, 0xcc);
            assert_eq!(write_code(code.text.start, before), 0xcc);
            codes.push(code);
            for (number, code) in codes.iter().enumerate() {
                assert_eq!(call(code, "check"), number as i32);
            }
        }
        let last = codes.last().unwrap().text.start;
        write_code(last, 0xcc);
        let next = publish(&objects[7], memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&next, "check"), 7);
        // SAFETY: mapped text.
        assert_eq!(unsafe { *(last as *const u8) }, 0xcc, "what was written is still there");
    }
}

#[test]
fn a_block_may_fill_its_chunk() {
    // Around the size of the first chunk and the room in it, and beyond it.
    for length in [61_000, 61_400, 62_000, 65_000, 65_400, 66_000, 70_000, 131_000, 200_000] {
        let source = format!(
            "int check(void) {{ __asm__ volatile(\".fill {length}, 1, 0x90\");\nreturn {length}; }}\n"
        );
        let object = compile("c", &source, &["-O1"]);
        for memory in [memory(), private_memory()] {
            let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
            assert_eq!(call(&code, "check"), length);
            // Another one behind it.
            let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
            assert_eq!(call(&code, "check"), length);
        }
    }
}

#[test]
fn text_is_where_debuggers_can_write() {
    let memory = memory();
    let object = object(3);
    let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
    let range = format!("{:x}-", only(memory).range().start);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let text = maps.lines().find(|line| line.starts_with(&range)).unwrap();
    assert!(text.contains(" --xp ") && text.contains("memfd:autojit"), "{text}");
    // It has a page of its own, so that core files have it.
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (_, of_text) = smaps.split_once(text).unwrap();
    let own = of_text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    assert!(own.contains(" 4 kB"), "{own}");
    assert_eq!(call(&code, "check"), 3);
    // SAFETY: code of this memory, which stays. What unwinders and tools read is there.
    let first = unsafe { std::slice::from_raw_parts(code.text.start as *const u8, code.text.len()) };
    assert!(first.iter().any(|byte| *byte != 0));
}

#[test]
fn files_may_be_limited() {
    let object = object(9);
    in_child(|| {
        let limit = libc::rlimit { rlim_cur: 512, rlim_max: 512 };
        // SAFETY: lowers a limit of the child's.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        let memory = memory();
        let code = publish(&object, memory, &mut Symbols::new(memory)).unwrap();
        assert_eq!(call(&code, "check"), 9);
    })
    .join();
}
