//! What can be wrong with a frame.

use railgun_protocol::ids::IdError;

/// Why a frame was refused. The field is named as in `media.proto`.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} is no identifier: {error}")]
    Id { field: &'static str, error: IdError },
    #[error("{0} holds a word that this version does not know")]
    UnknownWord(&'static str),
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    #[error("{field} cannot be read: {error}")]
    Json { field: &'static str, error: serde_json::Error },
    #[error("a room event is for all but one or for one only, not both")]
    Audience,
}
