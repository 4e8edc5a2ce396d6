//! Explicit congestion notification: the two bits of an IP header (RFC 3168 section 5, RFC 9331).

/// What a packet's IP header said of congestion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecn {
    /// 00: its sender does not react to marks.
    #[default]
    NotEct,
    /// 01: its sender reacts to marks as a scalable control does (RFC 9331).
    Ect1,
    /// 10: its sender reacts to a mark as to a loss (RFC 3168).
    Ect0,
    /// 11: a queue on the path was congested.
    Ce,
}

impl Ecn {
    /// The two lowest bits.
    pub fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// As they stand in the header.
    pub fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::Ce => 3,
        }
    }
}
