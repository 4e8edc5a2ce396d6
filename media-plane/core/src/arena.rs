//! Tables whose entries are named by keys of their own type, so that no key fits another table.

use slab::Slab;
use std::marker::PhantomData;

/// Names an entry of an [`Arena`]: its place, and which of the place's successive entries it is. The key
/// of a removed entry finds nothing, even when the place holds another one.
pub(crate) trait Key: Copy + std::fmt::Debug {
    fn new(index: usize, generation: u32) -> Self;
    fn index(self) -> usize;
    fn generation(self) -> u32;
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name {
            index: u32,
            generation: u32,
        }

        impl Key for $name {
            fn new(index: usize, generation: u32) -> Self {
                Self { index: u32::try_from(index).unwrap_or(u32::MAX), generation }
            }

            #[inline]
            fn index(self) -> usize {
                self.index as usize
            }

            #[inline]
            fn generation(self) -> u32 {
                self.generation
            }
        }
    )+};
}

keys!(RoomKey, AccountKey, PolicerKey, UserKey, TransportKey, ProducerKey, ConsumerKey);

/// Places that are kept however few are in use.
pub(crate) const SPARE_MIN: usize = 128;

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: T,
}

/// A table of `T` by `K`.
#[derive(Debug)]
pub(crate) struct Arena<K, T> {
    slab: Slab<Entry<T>>,
    /// Generation of the next entry. 2^32 entries later a key could be taken for another's; no key lives so long.
    next_generation: u32,
    key: PhantomData<K>,
}

impl<K: Key, T> Arena<K, T> {
    pub(crate) fn new() -> Self {
        Self { slab: Slab::new(), next_generation: 0, key: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> K {
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1);
        K::new(self.slab.insert(Entry { generation, value }), generation)
    }

    /// The entry, if it still exists.
    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let entry = self.slab.get(key.index())?;
        (entry.generation == key.generation()).then_some(&entry.value)
    }

    /// The entry, if it still exists.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let entry = self.slab.get_mut(key.index())?;
        (entry.generation == key.generation()).then_some(&mut entry.value)
    }

    /// The entry of a key that another table holds. Whoever removes an entry removes every copy of its
    /// key, so none is missing; a debug build panics if one is.
    #[inline]
    pub(crate) fn live(&self, key: K) -> Option<&T> {
        let entry = self.get(key);
        debug_assert!(entry.is_some(), "{key:?} outlived its entry");
        entry
    }

    /// [`Self::live`], to be changed.
    #[inline]
    pub(crate) fn live_mut(&mut self, key: K) -> Option<&mut T> {
        let entry = self.get_mut(key);
        debug_assert!(entry.is_some(), "{key:?} outlived its entry");
        entry
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        self.get(key)?;
        let removed = self.slab.try_remove(key.index());
        // Memory that a flood of joins took is given back, up to the last entry that is left.
        if self.slab.capacity() > SPARE_MIN && self.slab.len() < self.slab.capacity() / 4 {
            self.slab.shrink_to_fit();
        }
        removed.map(|entry| entry.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.slab.iter().map(|(index, entry)| (K::new(index, entry.generation), &entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_removed_entry_finds_nothing_in_its_place() {
        let mut arena: Arena<RoomKey, &str> = Arena::new();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(old.index(), new.index());
        assert_eq!((arena.get(old), arena.get(new)), (None, Some(&"new")));
        assert_eq!(arena.get_mut(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.iter().map(|(key, _)| key).collect::<Vec<_>>(), [new]);
    }
}
