//! Fuzzed bytes read as values, in an order that a seed can be written in by hand. What is read past
//! the end is zero.

use std::time::Duration;

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `len` bytes.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Bytes after a length of one byte.
    pub fn short(&mut self) -> &'a [u8] {
        let len = self.u8();
        self.take(len.into())
    }

    /// Bytes after a length of two bytes, of which at most a datagram's are meant.
    pub fn datagram(&mut self) -> &'a [u8] {
        let len = self.u16() % 1600;
        self.take(len.into())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// How long it takes until an operation, whose two highest bits say the unit: none, 100 us, 1 ms or 200 ms.
    pub fn pause(&mut self, operation: u8) -> Duration {
        match operation >> 6 {
            0 => Duration::ZERO,
            1 => Duration::from_micros(u64::from(self.u8()) * 100),
            2 => Duration::from_millis(self.u8().into()),
            _ => Duration::from_millis(u64::from(self.u8()) * 200),
        }
    }

    pub fn flag(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// A place in a list of `len`, which is not 0.
    pub fn index(&mut self, len: usize) -> usize {
        usize::from(self.u8()) % len
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }
}

/// A number that follows from the bytes (FNV-1a): to do by chance what is too dear for every input.
pub fn lot(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
