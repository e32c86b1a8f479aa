//! What of the device's memory is taken, and by whom.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use specter_web_kernels::Address;
use specter_web_kernels::memory::ALIGNMENT;

/// The places of a memory that is as long as it has to be.
#[derive(Debug)]
struct Places {
    /// Address → bytes of the free places before the end, no two of them neighbours, none of them the end's.
    free: BTreeMap<u64, u64>,
    /// Where the last place that is taken ends.
    end: u64,
    /// The end of the last place that was taken since it was [asked to watch](Space::watch).
    mark: u64,
}

/// A memory, shared by those who take places in it.
#[derive(Clone, Debug)]
pub(super) struct Space(Rc<RefCell<Places>>);

/// A place in the memory, free again when it is dropped.
///
/// Commands run in the order in which they are recorded, so a place may be taken again as soon as the last command that
/// needs it is recorded. What is written from outside before they run must not lie there: see [`Space::take_behind`].
#[derive(Debug)]
pub(super) struct Place {
    space: Space,
    start: u64,
    bytes: u64,
}

impl Space {
    /// A memory of which everything from an address on is free.
    pub(super) fn new(first: Address) -> Self {
        let first = u64::from(first).next_multiple_of(ALIGNMENT as u64).max(ALIGNMENT as u64);
        Self(Rc::new(RefCell::new(Places { free: BTreeMap::new(), end: first, mark: first })))
    }

    /// Takes the first place that is large enough.
    pub(super) fn take(&self, bytes: u64) -> Place {
        self.take_from(0, bytes)
    }

    /// Takes a place behind all that were taken since [`Space::watch`].
    pub(super) fn take_behind(&self, bytes: u64) -> Place {
        let mark = self.0.borrow().mark;
        self.take_from(mark, bytes)
    }

    fn take_from(&self, least: u64, bytes: u64) -> Place {
        let bytes = bytes.max(1).next_multiple_of(ALIGNMENT as u64);
        let mut places = self.0.borrow_mut();
        let fits = |(&start, &free): (&u64, &u64)| {
            let from = start.max(least);
            (from + bytes <= start + free).then_some((start, free, from))
        };
        let start = if let Some((start, free, from)) = places.free.iter().find_map(fits) {
            places.free.remove(&start);
            if from > start {
                places.free.insert(start, from - start);
            }
            if from + bytes < start + free {
                places.free.insert(from + bytes, start + free - from - bytes);
            }
            from
        } else {
            let start = places.end.max(least);
            if start > places.end {
                let end = places.end;
                places.free.insert(end, start - end);
            }
            places.end = start + bytes;
            start
        };
        places.mark = places.mark.max(start + bytes);
        Place { space: self.clone(), start, bytes }
    }

    /// From now on, takes note of what is taken.
    pub(super) fn watch(&self) {
        self.0.borrow_mut().mark = 0;
    }

    /// The free places before the end.
    pub(super) fn free(&self) -> Vec<(Address, usize)> {
        let places = self.0.borrow();
        places.free.iter().map(|(&start, &bytes)| (start as Address, bytes as usize)).collect()
    }

    /// How long the memory has to be.
    pub(super) fn end(&self) -> u64 {
        self.0.borrow().end
    }
}

impl Place {
    /// Where it begins. A place beyond all addresses is never used, as no memory is so long.
    pub(super) fn address(&self) -> Address {
        self.start as Address
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.space.0.borrow_mut();
        let (mut start, mut bytes) = (self.start, self.bytes);
        if let Some((&before, &length)) = places.free.range(..start).next_back()
            && before + length == start
        {
            places.free.remove(&before);
            (start, bytes) = (before, bytes + length);
        }
        if let Some(length) = places.free.remove(&(start + bytes)) {
            bytes += length;
        }
        if start + bytes == places.end {
            // So that a memory that was too short for something is long enough again for everything else.
            places.end = start;
        } else {
            places.free.insert(start, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_two_places_overlap_and_all_come_back(steps in prop::collection::vec((0_u64..400, 0_usize..8), 1..80)) {
            let space = Space::new(100);
            let mut taken: Vec<Place> = Vec::new();
            for (bytes, index) in steps {
                if bytes < 150 && !taken.is_empty() {
                    taken.remove(index % taken.len());
                } else {
                    taken.push(if bytes % 3 == 0 { space.take_behind(bytes) } else { space.take(bytes) });
                }
                let mut ranges: Vec<_> = taken.iter().map(|place| (place.start, place.start + place.bytes)).collect();
                ranges.sort_unstable();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
                prop_assert!(ranges.iter().all(|range| range.0 >= 100 && range.1 <= space.end() && range.0 % 32 == 0));
                let free: u64 = space.free().iter().map(|&(_, bytes)| bytes as u64).sum();
                let taken: u64 = ranges.iter().map(|range| range.1 - range.0).sum();
                prop_assert_eq!(space.end() - 128, free + taken);
            }
            taken.clear();
            prop_assert_eq!(space.free(), []);
            prop_assert_eq!(space.end(), 128);
        }
    }

    #[test]
    fn what_is_written_early_lies_behind_what_was_taken() {
        let space = Space::new(0);
        let early = space.take(320);
        let weights = space.take(32);
        drop(early);
        space.watch();
        let activations = space.take(64);
        let end = activations.start + activations.bytes;
        drop(activations);
        assert!(space.take_behind(32).start >= end);
        assert!(space.take(32).start < weights.start);
    }
}
