//! Reservations of address space, which images within reach of each other share.
//!
//! Receives wishes for ranges near an image, hands out parts of what is reserved, and reserves more when that is used
//! up: a little at first, each time twice as much. An image [books](Booking) room when it is loaded, while there is
//! some near it: later the program's heap may have taken all addresses within reach. What is booked is left to its
//! image as long as there is anything else. A reservation without a user is given back.

use std::ops::Range;

use autojit_sys as sys;

use crate::arena::PAGE;
use crate::lock::{ForkLock, Lock};
use crate::memory::MemoryError;
use crate::space::{self, REACH, Side};

/// The size of the first reservation, if no image wants more: what is reserved counts against limits of address space
/// (`ulimit -v`) and of locked memory (mlockall(2)).
const FIRST: usize = 1 << 20;
/// The size up to which they double.
const LARGEST: usize = 64 << 20;

/// Address space that was mapped in one go.
#[derive(Debug)]
struct Reservation {
    range: Range<usize>,
    /// What no area has, by address, with something between any two.
    free: Vec<Range<usize>>,
    /// Bytes of `free` that are booked.
    booked: usize,
    /// Bookings, which keep it.
    bookings: usize,
}

struct State {
    all: Vec<Reservation>,
    next: usize,
}

static STATE: Lock<State> = Lock::new(State { all: Vec::new(), next: FIRST });

/// A fork waits until no range is being taken.
pub static FORK_LOCK: &dyn ForkLock = &STATE;

/// Where an image wants its ranges.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    /// What has to be within reach of every byte of a range.
    pub image: Range<usize>,
    pub side: Side,
}

impl Near {
    /// The lowest part of `free` with `size` bytes that is within reach.
    fn part_of(&self, free: &Range<usize>, size: usize) -> Option<Range<usize>> {
        // Ranges consist of whole pages; images need not.
        let lowest = self.image.end.saturating_sub(REACH).next_multiple_of(PAGE);
        let highest = self.image.start.saturating_add(REACH);
        let start = free.start.max(lowest);
        let end = start.checked_add(size)?;
        (end <= free.end.min(highest)).then_some(start..end)
    }

    fn find_in(&self, reservation: &Reservation, size: usize) -> Option<Range<usize>> {
        reservation.free.iter().find_map(|free| self.part_of(free, size))
    }
}

/// Room that is kept for an image.
#[derive(Debug, Default)]
pub struct Booking {
    /// Where the reservation begins.
    reservation: usize,
    left: usize,
}

impl Booking {
    /// Books up to `size` bytes near `image`; nothing if there is no room.
    pub fn new(image: Range<usize>, for_debugger: bool, size: usize) -> Self {
        let near = Near { image, side: if for_debugger { Side::Above } else { Side::Below } };
        let size = size.next_multiple_of(PAGE).min(LARGEST / 2);
        let mut state = STATE.lock();
        let has_room = |reservation: &Reservation| {
            let free: usize = reservation.free.iter().map(Range::len).sum();
            free >= reservation.booked.saturating_add(size) && near.find_in(reservation, size).is_some()
        };
        let number = match state.all.iter().position(has_room) {
            Some(number) => number,
            // Failures are told when the room is needed.
            None => match state.reserve(&near, size, space::SMALLEST) {
                Ok(number) => number,
                Err(_) => return Self::default(),
            },
        };
        let reservation = &mut state.all[number];
        let left = size.min(reservation.range.len());
        reservation.booked += left;
        reservation.bookings += 1;
        Self { reservation: reservation.range.start, left }
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if self.reservation == 0 {
            return;
        }
        let mut state = STATE.lock();
        if let Some(number) = state.all.iter().position(|it| it.range.start == self.reservation) {
            let reservation = &mut state.all[number];
            reservation.booked -= self.left;
            reservation.bookings -= 1;
            state.drop_unused(number);
        }
    }
}

/// Takes `size` bytes (whole pages), inaccessible, on account of `booking` as far as that goes.
pub(crate) fn take(near: &Near, size: usize, booking: &mut Booking) -> Result<Range<usize>, MemoryError> {
    let mut state = STATE.lock();
    // The own reservation first.
    let own = state.all.iter().position(|it| it.range.start == booking.reservation);
    let numbers = own.into_iter().chain((0..state.all.len()).filter(|number| Some(*number) != own));
    let mut last_resort = None;
    for number in numbers.collect::<Vec<_>>() {
        let reservation = &state.all[number];
        let Some(range) = near.find_in(reservation, size) else { continue };
        let free: usize = reservation.free.iter().map(Range::len).sum();
        let others = reservation.booked - if own == Some(number) { booking.left } else { 0 };
        let wrong_side = near.side == Side::Above && range.start < near.image.start;
        if free < others.saturating_add(size) || wrong_side {
            last_resort.get_or_insert((number, range));
            continue;
        }
        if own == Some(number) {
            let used = booking.left.min(size);
            booking.left -= used;
            state.all[number].booked -= used;
        }
        state.all[number].remove(&range);
        return Ok(range);
    }
    let (number, range) = match state.reserve(near, size, size) {
        Ok(number) => {
            let range = near.find_in(&state.all[number], size);
            (number, range.ok_or(MemoryError::NoRoom(near.image.clone()))?)
        }
        Err(error) => last_resort.ok_or(error)?,
    };
    state.all[number].remove(&range);
    Ok(range)
}

/// Takes this range (whole pages), inaccessible, if it is within reach of the image and free. Whether it was.
pub(crate) fn take_at(near: &Near, range: &Range<usize>) -> bool {
    if near.part_of(range, range.len()).as_ref() != Some(range) {
        return false;
    }
    let mut state = STATE.lock();
    let is_within = |free: &Range<usize>| free.start <= range.start && range.end <= free.end;
    if let Some(own) = state.all.iter_mut().find(|it| it.free.iter().any(is_within)) {
        own.remove(range);
        return true;
    }
    if !space::map_at(range.start, range.len()).unwrap_or(false) {
        return false;
    }
    state.all.push(Reservation { range: range.clone(), free: Vec::new(), booked: 0, bookings: 0 });
    true
}

/// A place for `size` bytes near `image` where nothing is mapped, as near as possible: most likely, nothing is there in
/// another process that runs the same program.
pub fn unused(image: &Range<usize>, size: usize) -> Option<usize> {
    space::unused(image, size)
}

/// The same for an image that lies among other mappings, as libraries do: see [`space::unused_far`].
pub fn unused_far(image: &Range<usize>, size: usize, number: u64) -> Option<usize> {
    space::unused_far(image, size, number)
}

/// Takes a range back that [`take`] has handed out: its memory is freed, its addresses are handed out again.
///
/// # Safety
/// Nothing may use the range.
pub(crate) unsafe fn give_back(range: &Range<usize>) {
    let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let mut state = STATE.lock();
    let Some(number) =
        state.all.iter().position(|it| it.range.start <= range.start && range.end <= it.range.end)
    else {
        return;
    };
    // SAFETY: unused (caller), and within a reservation of ours.
    if unsafe { sys::map_anonymous(range.start, range.len(), libc::PROT_NONE, flags) }.is_err() {
        // Its memory stays, and is never used again.
        return;
    }
    state.all[number].insert(range.clone());
    state.drop_unused(number);
}

/// Gives back what is free, but for `keep` bytes in all: for a process that is going to be limited.
pub fn trim(keep: usize) {
    let mut state = STATE.lock();
    let count = state.all.len().max(1);
    let keep = (keep / count).next_multiple_of(PAGE);
    for reservation in &mut state.all {
        let mut left = keep;
        for free in &mut reservation.free {
            let kept = free.len().min(left);
            left -= kept;
            // SAFETY: no area has the range.
            unsafe { sys::unmap_pages(free.start + kept, free.len() - kept) };
            free.end = free.start + kept;
        }
        reservation.free.retain(|free| !free.is_empty());
    }
}

/// What is reserved and has no area.
pub fn free() -> Vec<Range<usize>> {
    STATE.lock().all.iter().flat_map(|reservation| reservation.free.iter().cloned()).collect()
}

/// Everything that the process has mapped, by address, but for the kernel's page at the end.
///
/// # Errors
/// /proc is not there.
pub fn mappings() -> Result<Vec<Range<usize>>, MemoryError> {
    let mut all = space::mappings()?;
    all.retain(|range| range.end < usize::MAX / 2);
    Ok(all)
}

impl State {
    /// Reserves at least `smallest` bytes, if possible more than `size`; returns the number of the reservation.
    fn reserve(&mut self, near: &Near, size: usize, smallest: usize) -> Result<usize, MemoryError> {
        let largest = self.next.max(size.next_power_of_two());
        let range = space::reserve(&near.image, largest, smallest, near.side)?;
        self.next = (range.len().next_power_of_two() * 2).clamp(FIRST, LARGEST);
        let free = vec![range.clone()];
        self.all.push(Reservation { range, free, booked: 0, bookings: 0 });
        Ok(self.all.len() - 1)
    }

    /// Gives a reservation back that has no areas and no bookings.
    fn drop_unused(&mut self, number: usize) {
        let Reservation { range, free, bookings, .. } = &self.all[number];
        // What was trimmed is not free.
        if *bookings == 0 && free.first() == Some(range) {
            // SAFETY: all of it is free.
            unsafe { sys::unmap_pages(range.start, range.len()) };
            // The next one may be for the same image, opened again.
            self.next = range.len().clamp(FIRST, LARGEST);
            self.all.swap_remove(number);
        }
    }
}

impl Reservation {
    /// Makes a part of a free range not free.
    fn remove(&mut self, part: &Range<usize>) {
        let number = self.free.partition_point(|free| free.end <= part.start);
        let Range { start, end } = self.free[number];
        let rest = [start..part.start, part.end..end];
        self.free.splice(number..=number, rest.into_iter().filter(|rest| !rest.is_empty()));
    }

    /// Makes a range free.
    fn insert(&mut self, range: Range<usize>) {
        let number = self.free.partition_point(|free| free.end < range.start);
        let touching = self.free[number..].iter().take_while(|free| free.start <= range.end).count();
        let touched = &self.free[number..number + touching];
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        self.free.splice(number..number + touching, std::iter::once(start..end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(free: &[Range<usize>]) -> Reservation {
        Reservation { range: 0x1_0000..0x10_0000, free: free.to_vec(), booked: 0, bookings: 0 }
    }

    #[test]
    fn parts_come_and_go() {
        let mut it = reservation(&[]);
        it.insert(0x1_0000..0x10_0000);
        for part in [0x1_0000..0x2_0000, 0x3_0000..0x4_0000, 0x8_0000..0x10_0000] {
            it.remove(&part);
        }
        assert_eq!(it.free, [0x2_0000..0x3_0000, 0x4_0000..0x8_0000]);
        it.insert(0x9_0000..0xa_0000);
        assert_eq!(it.free, [0x2_0000..0x3_0000, 0x4_0000..0x8_0000, 0x9_0000..0xa_0000]);
        it.insert(0x3_0000..0x4_0000);
        assert_eq!(it.free, [0x2_0000..0x8_0000, 0x9_0000..0xa_0000]);
        it.insert(0x8_0000..0x9_0000);
        it.insert(0x1_0000..0x2_0000);
        it.insert(0xa_0000..0x10_0000);
        assert!(it.free.len() == 1 && it.free[0] == (0x1_0000..0x10_0000), "{it:x?}");
    }

    #[test]
    fn only_what_is_in_reach_is_taken() {
        let near = Near { image: REACH + 0x5_0000..REACH + 0x6_0000, side: Side::Below };
        let it = reservation(&[0x1_0000..0x6_8000, 0x7_0000..0x9_0000]);
        assert_eq!(near.find_in(&it, 0x8000), Some(0x6_0000..0x6_8000));
        assert_eq!(near.find_in(&it, 0x9000), Some(0x7_0000..0x7_9000));
        assert_eq!(near.find_in(&it, 0x2_1000), None);
        let near = Near { image: 0x1000..0x2000, side: Side::Below };
        assert_eq!(near.find_in(&it, 0x1000), Some(0x1_0000..0x1_1000));
    }
}
