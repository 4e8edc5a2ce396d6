//! Tables whose entries are named by keys of their own type, so that no key fits another table.

use slab::Slab;
use std::marker::PhantomData;

/// Names an entry of an [`Arena`]. Keys of removed entries are used again: whoever removes an
/// entry also removes every copy of its key.
pub(crate) trait Key: Copy {
    fn new(index: usize) -> Self;
    fn index(self) -> usize;
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(usize);

        impl Key for $name {
            fn new(index: usize) -> Self {
                Self(index)
            }

            fn index(self) -> usize {
                self.0
            }
        }
    )+};
}

keys!(RoomKey, AccountKey, UserKey, TransportKey, ProducerKey, ConsumerKey);

/// Places that are kept however few are in use.
pub(crate) const SPARE_MIN: usize = 128;

#[derive(Debug)]
pub(crate) struct Arena<K, T> {
    slab: Slab<T>,
    key: PhantomData<K>,
}

impl<K: Key, T> Arena<K, T> {
    pub(crate) fn new() -> Self {
        Self { slab: Slab::new(), key: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn insert(&mut self, entry: T) -> K {
        K::new(self.slab.insert(entry))
    }

    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.slab.get(key.index())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.slab.get_mut(key.index())
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let removed = self.slab.try_remove(key.index());
        // What a flood of joins took is given back, as far as newer entries are gone.
        if self.slab.capacity() > SPARE_MIN && self.slab.len() < self.slab.capacity() / 4 {
            self.slab.shrink_to_fit();
        }
        removed
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.slab.iter().map(|(index, entry)| (K::new(index), entry))
    }
}
