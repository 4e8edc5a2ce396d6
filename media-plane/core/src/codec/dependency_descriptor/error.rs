//! What can be wrong with a dependency descriptor.

use thiserror::Error;

/// Why a descriptor cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum DescriptorError {
    #[error("descriptor ends within a field")]
    CutShort,
    #[error("longer than an extension element")]
    TooLong,
    #[error("more than 64 templates")]
    TooManyTemplates,
    /// AV1 has spatial layers 0-3 and temporal layers 0-7.
    #[error("layer id out of range")]
    LayerOutOfRange,
    #[error("more referred frames than any codec has")]
    TooManyReferences,
    /// The packet with the structure was lost, is late, or was of another stream.
    #[error("no structure yet")]
    NoStructure,
    /// Likewise.
    #[error("template id outside the structure")]
    UnknownTemplate,
    /// A late packet of the coded video sequence before.
    #[error("frame from before the structure")]
    OlderThanStructure,
}
