//! Finds and takes the address range of a code memory: near enough to the image that 32-bit displacements reach from
//! every byte of one to every byte of the other.

use std::ops::Range;

use crate::memory::MemoryError;
use crate::sys::{self, Errno, Fd};

/// The largest reservation, and the first that is tried.
pub const LARGEST: usize = 256 << 20;
/// The smallest; below it a code memory is not worth having.
pub const SMALLEST: usize = 1 << 20;
/// The part of a limited address space that is reserved at most.
const LIMITED_PART: usize = 16;
/// The smallest above an image, if there could be more below.
const SMALLEST_ABOVE: usize = 64 << 20;
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

/// On which side of the image the range had better lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below: out of the way of whatever grows.
    Below,
    /// Above, for debuggers: gdb moves a breakpoint from a stub to the code behind it in this direction only.
    Above,
}

/// Reserves up to `largest` bytes, inaccessible, near `image`. Halves the size down to [`SMALLEST`] as long as no gap
/// is large enough or the system refuses. Of a limited address space (RLIMIT_AS) most is left to the program.
pub fn reserve(image: &Range<usize>, largest: usize, side: Side) -> Result<Range<usize>, MemoryError> {
    let mut refused = None;
    let share = sys::address_space_limit() / LIMITED_PART;
    let largest = if share < largest { 1 << share.max(SMALLEST).ilog2() } else { largest };
    let below = [(Side::Below, HEAP_ROOM, SMALLEST), (Side::Below, 0, SMALLEST)];
    let above = [(Side::Above, HEAP_ROOM, SMALLEST_ABOVE), (Side::Above, 0, SMALLEST_ABOVE)];
    let above = above.into_iter().filter(|_| side == Side::Above);
    for (side, heap_room, smallest) in above.chain(below) {
        let mut size = largest.max(SMALLEST);
        while size >= smallest {
            match take(image, size, heap_room, side) {
                Taken::At(base) => return Ok(base..base + size),
                Taken::NoGap => {}
                Taken::Refused(errno) => refused = Some(errno),
            }
            size /= 2;
        }
    }
    Err(match refused {
        Some(Errno(errno)) => MemoryError::System("mmap (reserving code memory)", errno),
        None => MemoryError::NoRoom(image.clone()),
    })
}

enum Taken {
    At(usize),
    NoGap,
    Refused(Errno),
}

fn take(image: &Range<usize>, size: usize, heap_room: usize, side: Side) -> Taken {
    // Most often the best place is free. The list of mappings is long, and the kernel writes a path into each line.
    if let Some(base) = directly_below(image, size).filter(|_| side == Side::Below) {
        match map_at(base, size) {
            Taken::NoGap => {}
            taken => return taken,
        }
    }
    // Another thread may map something into the gap between the look at the maps and the mapping.
    for _ in 0..16 {
        // No /proc, or no descriptor to read it with.
        let Ok(mut mappings) = mappings() else { return take_blindly(image, size, heap_room) };
        // An image may have holes, and it must not matter whether it is there already.
        let place = mappings.partition_point(|mapping| mapping.start < image.start);
        mappings.insert(place, image.clone());
        let Some(base) = choose(&mappings, image, size, heap_room, side) else { return Taken::NoGap };
        match map_at(base, size) {
            Taken::NoGap => {}
            taken => return taken,
        }
    }
    Taken::NoGap
}

/// The range that ends where the image begins: the first that [`choose`] looks for.
fn directly_below(image: &Range<usize>, size: usize) -> Option<usize> {
    let lowest = page_up(image.end.saturating_sub(REACH).max(LOWEST));
    (image.start & !4095).checked_sub(size).filter(|base| *base >= lowest)
}

/// Tries one place after the other: downwards from the image, then from the far end of what is in reach above it.
fn take_blindly(image: &Range<usize>, size: usize, heap_room: usize) -> Taken {
    let lowest = page_up(image.end.saturating_sub(REACH).max(LOWEST));
    let highest = (image.start + REACH).min(HIGHEST) & !4095;
    let below = |place: &usize| place.checked_sub(size);
    let downwards = |from: usize, to: usize| {
        std::iter::successors(below(&from), below).take_while(move |base| *base >= to)
    };
    let above_heap = page_up(image.end.saturating_add(heap_room));
    for base in downwards(image.start & !4095, lowest).chain(downwards(highest, above_heap)) {
        match map_at(base, size) {
            Taken::NoGap => {}
            taken => return taken,
        }
    }
    Taken::NoGap
}

/// Maps the range, if it is free.
fn map_at(base: usize, size: usize) -> Taken {
    let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: NOREPLACE: nothing that is mapped is touched.
    match unsafe { sys::mmap(base, size, libc::PROT_NONE, flags) } {
        Ok(address) if address == base => Taken::At(base),
        Ok(address) => {
            // Kernels before 4.17 take the address for a hint.
            // SAFETY: the mapping was made here, and nobody knows of it.
            unsafe { sys::munmap(address, size) };
            Taken::NoGap
        }
        Err(Errno(libc::EEXIST)) => Taken::NoGap,
        Err(errno) => Taken::Refused(errno),
    }
}

/// The base of the best free range of `size` bytes: the highest below the image, else the far end of what is in reach
/// above it; for [`Side::Above`] only the latter. `mappings` is sorted, and `image` is among them.
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
        Side::Below => below.or(above),
        Side::Above => above,
    }
}

fn page_up(address: usize) -> usize {
    address.saturating_add(4095) & !4095
}

/// The address ranges in use, by address.
pub fn mappings() -> Result<Vec<Range<usize>>, MemoryError> {
    let maps = Fd::open(c"/proc/self/maps").map_err(|e| MemoryError::System("open /proc/self/maps", e.0))?;
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

/// Reads lines that begin with `start-end ` in hexadecimal, in pieces of any size.
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
        let base = choose(&maps, &image, 256 * MIB, HEAP_ROOM, Side::Below).unwrap();
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
        assert_eq!(choose(std::slice::from_ref(&image), &image, 256 * MIB, HEAP_ROOM, Side::Below), None);
        assert!(choose(std::slice::from_ref(&image), &image, 256 * MIB, 0, Side::Below).is_some());
    }

    #[test]
    fn a_place_is_found_without_a_map() {
        // Nothing of the process lies there; the second reservation meets the first.
        let image = 0x2345_0000_0000..0x2345_0010_0000;
        for base in [image.start - 256 * MIB, image.start - 512 * MIB] {
            assert!(matches!(take_blindly(&image, 256 * MIB, HEAP_ROOM), Taken::At(at) if at == base));
        }
        // No room below.
        let image = LOWEST..2 * LOWEST;
        let Taken::At(base) = take_blindly(&image, MIB, HEAP_ROOM) else { panic!("no place") };
        assert_eq!(base, image.start + REACH - MIB);
    }

    #[test]
    fn out_of_reach_is_no_room() {
        let image = 0x5000_0000_0000..0x5000_0000_0000 + REACH - MIB / 2;
        assert_eq!(choose(std::slice::from_ref(&image), &image, MIB, 0, Side::Below), None);
        assert_eq!(reserve(&image, MIB, Side::Below), Err(MemoryError::NoRoom(image)));
    }
}
