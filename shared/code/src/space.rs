//! Finds and takes the address range of a code memory: near enough to the image that 32-bit displacements reach from
//! every byte of one to every byte of the other.

use std::cell::Cell;
use std::ops::Range;

use autojit_sys::{self as sys, Errno, File};

use crate::memory::MemoryError;

/// The smallest that an image books: so much may be left of a hole that it was put into.
pub const SMALLEST: usize = 32 << 10;
/// The part of a limited address space that a reservation takes at most.
const LIMITED_PART: usize = 16;
/// The span that image and reservation may have together: what a signed 32-bit displacement reaches, less room for
/// addends and for the end of the instruction that the displacement counts from.
pub const REACH: usize = (1 << 31) - (1 << 20);
/// Above a no-PIE image the brk heap grows: the reservation keeps this far from its present end.
const HEAP_ROOM: usize = 1 << 30;
/// What lies above a library may be the stack, which grows down.
const STACK_ROOM: usize = 16 << 20;
/// The lowest address that is used (vm.mmap_min_addr is 64 KiB on most systems).
const LOWEST: usize = 1 << 20;
/// The end of user space with 4-level page tables.
const HIGHEST: usize = (1 << 47) - 4096;

/// Whether a 32-bit displacement reaches `target` from everywhere in `room`.
pub fn reaches(room: &Range<usize>, target: usize) -> bool {
    room.end.max(target) - room.start.min(target) < REACH
}

/// On which side of the image the range had better lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below: out of the way of whatever grows.
    Below,
    /// Above, for debuggers: gdb moves a breakpoint from a stub to the code behind it in this direction only.
    Above,
}

/// Reserves up to `largest` bytes, inaccessible, near `image`. Halves the size down to `smallest` as long as no gap is
/// large enough or the system refuses. Of a limited address space (RLIMIT_AS) most is left to the program.
pub fn reserve(
    image: &Range<usize>,
    largest: usize,
    smallest: usize,
    side: Side,
) -> Result<Range<usize>, MemoryError> {
    let share = usize::try_from(sys::soft_limit(libc::RLIMIT_AS)).unwrap_or(usize::MAX) / LIMITED_PART;
    let largest = if share < largest { 1 << share.max(SMALLEST).ilog2() } else { largest };
    let request = Request { image, largest: largest.max(smallest), smallest, refused: Cell::new(None) };
    request.satisfy(side).ok_or_else(|| match request.refused.get() {
        Some(Errno(errno)) => MemoryError::System("mmap (reserving code memory)", errno),
        None => MemoryError::NoRoom(image.clone()),
    })
}

/// The first page of the best free range of `size` bytes, below the image if there is one.
pub fn unused(image: &Range<usize>, size: usize) -> Option<usize> {
    let request = Request { image, largest: size, smallest: size, refused: Cell::new(None) };
    Some(request.search(mappings().ok()?, Side::Below)?.0)
}

/// The first page of `size` bytes for an image that lies among other mappings, away from them: what the kernel maps next comes
/// beside what is there. Other numbers have other places.
pub fn unused_far(image: &Range<usize>, size: usize, number: u64) -> Option<usize> {
    choose_far(&mappings().ok()?, image, size, number)
}

/// The same, with these mappings, which are sorted: a place in the middle half of the largest free range within reach.
fn choose_far(mappings: &[Range<usize>], image: &Range<usize>, size: usize, number: u64) -> Option<usize> {
    let lowest = page_up(image.end.saturating_sub(REACH).max(LOWEST));
    let highest = (image.start + REACH).min(HIGHEST) & !4095;
    let mut largest = 0..0;
    let mut gap_start = lowest;
    for mapping in mappings.iter().chain(std::iter::once(&(highest..highest))) {
        let gap = gap_start..mapping.start.min(highest);
        if gap.end > gap.start && gap.len() > largest.len() {
            largest = gap;
        }
        gap_start = gap_start.max(page_up(mapping.end));
    }
    let pages = (largest.len().checked_sub(size)? / 2 / 4096) as u64;
    Some(largest.start + (pages / 2 + number % (pages + 1)) as usize * 4096)
}

/// What [`reserve`] was asked for.
struct Request<'a> {
    image: &'a Range<usize>,
    largest: usize,
    smallest: usize,
    /// Why the system did not map a free range.
    refused: Cell<Option<Errno>>,
}

impl Request<'_> {
    fn sizes(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let smallest = self.smallest;
        let halve =
            move |size: &usize| (*size > smallest).then(|| (*size / 2).next_multiple_of(4096).max(smallest));
        std::iter::successors(Some(self.largest), halve)
    }

    fn satisfy(&self, side: Side) -> Option<Range<usize>> {
        // Most often the best place is free. The list of mappings is long, and the kernel writes a path into each line.
        if side == Side::Below
            && let Some((base, size)) =
                self.sizes().find_map(|size| Some((directly_below(self.image, size)?, size)))
            && let Some(range) = self.map(base, size)
        {
            return Some(range);
        }
        // Another thread may map something into the gap between the look at the maps and the mapping.
        for _ in 0..16 {
            // No /proc, or no descriptor to read it with.
            let Ok(mappings) = mappings() else {
                return self.sizes().find_map(|size| self.take_blindly(size, HEAP_ROOM));
            };
            let (base, size) = self.search(mappings, side)?;
            if let Some(range) = self.map(base, size) {
                return Some(range);
            }
            if self.refused.get().is_some() {
                break;
            }
        }
        // The kernel may refuse a size only.
        self.refused.get()?;
        let mappings = mappings().ok()?;
        self.sizes().skip(1).find_map(|size| {
            let smaller = Request { largest: size, refused: Cell::new(None), ..*self };
            let (base, size) = smaller.search(mappings.clone(), side)?;
            self.map(base, size)
        })
    }

    /// The best free range, and its size: the largest that there is on the better side.
    fn search(&self, mut mappings: Vec<Range<usize>>, side: Side) -> Option<(usize, usize)> {
        let image = self.image;
        // An image may have holes, and it must not matter whether it is there already.
        let place = mappings.partition_point(|mapping| mapping.start < image.start);
        mappings.insert(place, image.clone());
        let find = |sides: &[Side], heap: usize| {
            self.sizes().find_map(|size| {
                let base = sides.iter().find_map(|side| choose(&mappings, image, size, heap, *side))?;
                Some((base, size))
            })
        };
        if side == Side::Above {
            return find(&[Side::Above], HEAP_ROOM)
                .or_else(|| find(&[Side::Above], 0))
                .or_else(|| find(&[Side::Below], HEAP_ROOM));
        }
        if image.start >= REACH {
            let both = [Side::Below, Side::Above];
            return find(&both, HEAP_ROOM).or_else(|| find(&both, 0));
        }
        // At the bottom of the address space the heap grows through all that is in reach above the image, and
        // programs that want fixed addresses want them there: rather little below than much above. The kernel leaves
        // a gap of random size between the image and its heap.
        let below = find(&[Side::Below], HEAP_ROOM);
        below.or_else(|| {
            let heap = start_of_heap().filter(|heap| *heap > image.end);
            let gap = |heap: usize| {
                let mut mappings = mappings.clone();
                mappings.retain(|mapping| mapping.start < heap);
                // No stack grows down to the heap.
                mappings.push(heap.saturating_add(STACK_ROOM)..HIGHEST);
                self.sizes().find_map(|size| Some((choose(&mappings, image, size, 0, Side::Above)?, size)))
            };
            heap.and_then(gap).or_else(|| find(&[Side::Above], HEAP_ROOM)).or_else(|| find(&[Side::Above], 0))
        })
    }

    /// Tries one place after the other: downwards from the image, then from the far end of what is in reach above it.
    fn take_blindly(&self, size: usize, heap_room: usize) -> Option<Range<usize>> {
        let image = self.image;
        let lowest = page_up(image.end.saturating_sub(REACH).max(LOWEST));
        let highest = (image.start + REACH).min(HIGHEST) & !4095;
        let below = |place: &usize| place.checked_sub(size);
        let downwards = |from: usize, to: usize| {
            std::iter::successors(below(&from), below).take_while(move |base| *base >= to)
        };
        let above_heap = page_up(image.end.saturating_add(heap_room));
        downwards(image.start & !4095, lowest)
            .chain(downwards(highest, above_heap))
            .find_map(|base| self.map(base, size))
    }

    /// Maps the range, if it is free.
    fn map(&self, base: usize, size: usize) -> Option<Range<usize>> {
        match map_at(base, size) {
            Ok(free) => free.then_some(base..base + size),
            Err(errno) => {
                self.refused.set(Some(errno));
                None
            }
        }
    }
}

/// The range that ends where the image begins: the first that [`choose`] looks for.
fn directly_below(image: &Range<usize>, size: usize) -> Option<usize> {
    let lowest = page_up(image.end.saturating_sub(REACH).max(LOWEST));
    (image.start & !4095).checked_sub(size).filter(|base| *base >= lowest)
}

/// Where the kernel has begun the brk heap.
fn start_of_heap() -> Option<usize> {
    /// Of `start_brk`, behind the command's name and its parenthesis (proc(5), /proc/pid/stat: field 47).
    const FIELD: usize = 47 - 3;
    let mut buffer = [0; 2048];
    let len =
        File::open(c"/proc/self/stat", libc::O_RDONLY, 0).and_then(|stat| stat.read(&mut buffer)).ok()?;
    let text = &buffer[..len];
    let fields = &text[text.iter().rposition(|byte| *byte == b')')? + 2..];
    let field = fields.split(|byte| *byte == b' ').nth(FIELD)?;
    std::str::from_utf8(field).ok()?.parse().ok().filter(|start| *start != 0)
}

/// Maps the range; false if it is not free.
pub fn map_at(base: usize, size: usize) -> Result<bool, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: NOREPLACE: nothing that is mapped is touched.
    match unsafe { sys::map_anonymous(base, size, libc::PROT_NONE, flags) } {
        Ok(address) if address == base => Ok(true),
        Ok(address) => {
            // Kernels before 4.17 take the address for a hint.
            // SAFETY: the mapping was made here, and nothing else refers to it.
            unsafe { sys::unmap_pages(address, size) };
            Ok(false)
        }
        Err(Errno(libc::EEXIST)) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The base of the best free range of `size` bytes on one side of the image: the highest below, or the far end of what
/// is in reach above. `mappings` is sorted, and `image` is among them.
fn choose(
    mappings: &[Range<usize>],
    image: &Range<usize>,
    size: usize,
    heap_room: usize,
    side: Side,
) -> Option<usize> {
    let lowest = image.end.saturating_sub(REACH).max(LOWEST);
    let highest = (image.start + REACH).min(HIGHEST);
    let mut below = None;
    let mut above = None;
    let mut gap_start = LOWEST;
    let mut last_is_heap = false;
    for mapping in mappings.iter().chain(std::iter::once(&(HIGHEST..HIGHEST))) {
        let gap = gap_start..mapping.start.min(HIGHEST);
        // What ends behind the image and is followed by free space may be (or may become) the brk heap.
        let start = if last_is_heap { gap.start.saturating_add(heap_room) } else { gap.start };
        let ceiling = if gap.start >= image.end { gap.end.saturating_sub(STACK_ROOM) } else { gap.end };
        let (start, end) = (page_up(start).max(page_up(lowest)), ceiling.min(highest) & !4095);
        if end.checked_sub(size).is_some_and(|base| base >= start) {
            let base = end - size;
            if gap.end <= image.start {
                below = Some(base);
            } else if gap.start >= image.end {
                above = Some(base);
            }
        }
        gap_start = gap_start.max(mapping.end);
        last_is_heap = mapping.end >= image.end && mapping.start < image.end.saturating_add(HEAP_ROOM);
    }
    match side {
        Side::Below => below,
        Side::Above => above,
    }
}

fn page_up(address: usize) -> usize {
    address.saturating_add(4095) & !4095
}

/// The address ranges in use, by address.
pub fn mappings() -> Result<Vec<Range<usize>>, MemoryError> {
    let maps = File::open(c"/proc/self/maps", libc::O_RDONLY, 0)
        .map_err(|e| MemoryError::System("open /proc/self/maps", e.0))?;
    let mut parser = Parser::default();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let len = maps.read(&mut buffer).map_err(|e| MemoryError::System("read /proc/self/maps", e.0))?;
        if len == 0 {
            return Ok(parser.ranges);
        }
        buffer[..len].iter().for_each(|byte| parser.byte(*byte));
    }
}

/// Reads lines that begin with `start-end ` in hexadecimal, in segments of any size.
#[derive(Default)]
struct Parser {
    ranges: Vec<Range<usize>>,
    start: usize,
    number: usize,
    /// Behind the two numbers: nothing counts up to the end of the line.
    rest: bool,
}

impl Parser {
    fn byte(&mut self, byte: u8) {
        match byte {
            b'\n' => *self = Self { ranges: std::mem::take(&mut self.ranges), ..Self::default() },
            _ if self.rest => {}
            b'-' => self.start = std::mem::take(&mut self.number),
            b' ' => {
                self.ranges.push(self.start..self.number);
                self.rest = true;
            }
            // A digit: /proc writes lower case only.
            _ => self.number = self.number << 4 | (byte as char).to_digit(16).unwrap_or(0) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn maps_are_parsed_in_pieces() {
        let text =
            b"00400000-00401000 r--p 00000000 08:01 123  /a-b c\n7fff0000-7fff1000 rw-p 0 0:0 0 [stack]\n";
        let mut parser = Parser::default();
        text.iter().for_each(|b| parser.byte(*b));
        assert_eq!(parser.ranges, [0x400000..0x401000, 0x7fff0000..0x7fff1000]);
    }

    #[test]
    fn own_maps_hold_this_function() {
        let here = maps_are_parsed_in_pieces as fn() as usize;
        assert!(mappings().unwrap().iter().any(|m| m.contains(&here)));
    }

    #[test]
    fn far_from_neighbours() {
        let library = 0x7f00_8000_0123..0x7f00_8010_0000;
        let maps = [0x7f00_7f00_0000..0x7f00_8000_0000, library.clone(), 0x7f00_8010_0000..0x7f00_9000_0000];
        let mut places = std::collections::BTreeSet::new();
        for number in 0..1000_u64 {
            // Such numbers as hashes are.
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let base = choose_far(&maps, &library, MIB, number).unwrap();
            assert!(base.is_multiple_of(4096) && base >= library.end - REACH, "{base:x}");
            // Hundreds of megabytes lie between it and what is there.
            assert!(base + MIB <= maps[0].start - 400 * MIB, "{base:x}");
            places.insert(base);
        }
        assert!(places.len() > 990, "{}", places.len());
        // Above, if there is more.
        let low = [0x1_0000..0x5000_0000_0000, 0x5000_0000_0000..0x5000_0100_0000];
        assert!(choose_far(&low, &low[1], MIB, 7).unwrap() > low[1].end);
        assert_eq!(choose_far(std::slice::from_ref(&(0..HIGHEST)), &library, MIB, 7), None);
    }

    #[test]
    fn below_a_pie_image() {
        let image = 0x5555_5555_0000..0x5555_5560_0000;
        let maps = [image.clone(), 0x5555_5600_0000..0x5555_5700_0000];
        assert_eq!(choose(&maps, &image, 256 * MIB, HEAP_ROOM, Side::Below), Some(image.start - 256 * MIB));
    }

    #[test]
    fn the_first_place_that_is_tried_is_the_best() {
        let image = 0x5555_5555_0123..0x5555_5560_0000;
        let expected = choose(std::slice::from_ref(&image), &image, 256 * MIB, HEAP_ROOM, Side::Below);
        assert_eq!(directly_below(&image, 256 * MIB), expected);
        // Nothing is below a no-PIE image, and not all that is below a large one is in reach.
        assert_eq!(directly_below(&(0x400000..0x500000), 256 * MIB), None);
        let large = 0x5000_0000_0000..0x5000_0000_0000 + REACH - MIB;
        assert_eq!(directly_below(&large, MIB), Some(large.start - MIB));
        assert_eq!(directly_below(&large, 2 * MIB), None);
    }

    #[test]
    fn highest_gap_that_is_large_enough() {
        let image = 0x7f00_0000_0000..0x7f00_0010_0000;
        let neighbour = image.start - 64 * MIB..image.start - 32 * MIB;
        let maps = [neighbour.clone(), image.clone()];
        assert_eq!(
            choose(&maps, &image, 256 * MIB, HEAP_ROOM, Side::Below),
            Some(neighbour.start - 256 * MIB)
        );
        assert_eq!(choose(&maps, &image, 16 * MIB, HEAP_ROOM, Side::Below), Some(image.start - 16 * MIB));
    }

    #[test]
    fn above_a_no_pie_image_far_from_the_heap() {
        let image = 0x400000..0x500000;
        let heap = 0x1000000..0x1100000;
        let maps = [image.clone(), heap.clone()];
        let base = choose(&maps, &image, 256 * MIB, HEAP_ROOM, Side::Above).unwrap();
        assert_eq!(base + 256 * MIB, image.start + REACH);
        assert!(base >= heap.end + HEAP_ROOM);
    }

    #[test]
    fn debuggers_have_it_above_if_they_can() {
        let library = 0x7fff_f7d0_0000..0x7fff_f7fc_0000;
        let stack = 0x7fff_ffe0_0000..0x7fff_ffff_0000;
        let maps = [library.clone(), stack.clone()];
        let base = choose(&maps, &library, 64 * MIB, 0, Side::Above).unwrap();
        assert!(base >= library.end && base + 64 * MIB + STACK_ROOM <= stack.start);
        assert_eq!(choose(&maps, &library, 256 * MIB, 0, Side::Above), None);
        let program = 0x5555_5555_4000..0x5555_5555_a000;
        let base =
            choose(std::slice::from_ref(&program), &program, 256 * MIB, HEAP_ROOM, Side::Above).unwrap();
        assert!(base >= program.end + HEAP_ROOM);
    }

    #[test]
    fn heap_room_is_given_up_last() {
        // An image of 1.2 GiB leaves no room for a gigabyte of heap.
        let image = 0x400000..0x400000 + 1200 * MIB;
        assert_eq!(choose(std::slice::from_ref(&image), &image, 256 * MIB, HEAP_ROOM, Side::Above), None);
        assert!(choose(std::slice::from_ref(&image), &image, 256 * MIB, 0, Side::Above).is_some());
    }

    fn request(image: &Range<usize>, largest: usize) -> Request<'_> {
        Request { image, largest, smallest: SMALLEST, refused: Cell::new(None) }
    }

    #[test]
    fn at_the_bottom_little_below_is_better_than_much_above() {
        let image = 0x400000..0x500000;
        let search = |image: &Range<usize>, maps: &[Range<usize>]| {
            request(image, 64 * MIB).search(maps.to_vec(), Side::Below)
        };
        assert_eq!(search(&image, std::slice::from_ref(&image)), Some((0x200000, 2 * MIB)));
        let taken = [LOWEST..0x400000 - SMALLEST, image.clone()];
        assert_eq!(search(&image, &taken), Some((0x400000 - SMALLEST, SMALLEST)));
        // Full: then far above, where the heap comes last.
        let full = [LOWEST..0x400000, image.clone()];
        let (base, size) = search(&image, &full).unwrap();
        assert!(base >= image.end + HEAP_ROOM && size == 64 * MIB, "{base:x}");
    }

    #[test]
    fn the_kernel_says_where_the_heap_begins() {
        // Before anything has used it, the heap is empty, and has no mapping.
        // SAFETY: a plain call.
        let end = unsafe { libc::sbrk(0) } as usize;
        assert!(start_of_heap().is_some_and(|start| start <= end && end - start < 1 << 30));
    }

    #[test]
    fn a_place_is_found_without_a_map() {
        // Nothing of the process lies there; the second reservation meets the first.
        let image = 0x2345_0000_0000..0x2345_0010_0000;
        for base in [image.start - 256 * MIB, image.start - 512 * MIB] {
            let taken = request(&image, 256 * MIB).take_blindly(256 * MIB, HEAP_ROOM);
            assert_eq!(taken, Some(base..base + 256 * MIB));
        }
        // No room below.
        let image = LOWEST..2 * LOWEST;
        let taken = request(&image, MIB).take_blindly(MIB, HEAP_ROOM).expect("there is room above");
        assert_eq!(taken.start, image.start + REACH - MIB);
    }

    #[test]
    fn out_of_reach_is_no_room() {
        let image = 0x5000_0000_0000..0x5000_0000_0000 + REACH - MIB / 2;
        assert_eq!(choose(std::slice::from_ref(&image), &image, MIB, 0, Side::Below), None);
        assert_eq!(reserve(&image, MIB, MIB, Side::Below), Err(MemoryError::NoRoom(image)));
    }
}
