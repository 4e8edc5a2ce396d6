//! The MID of a consumer (RFC 9143).

/// A MID of at most eight bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mid {
    text: [u8; 8],
    len: u8,
}

impl Mid {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { text: bytes, len: u8::try_from(text.len()).ok()? })
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}
