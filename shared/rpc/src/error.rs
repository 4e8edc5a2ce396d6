//! What can be wrong with a frame.

use railgun_protocol::ids::IdError;

/// Why a frame was refused. The field is named as in `media.proto`.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A message that proto3 makes optional and that has no meaning without it.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An id of another form than ours, or a name that is too long.
    #[error("{field} is no identifier: {error}")]
    Id {
        /// Which field.
        field: &'static str,
        /// Which form the id has to be of.
        error: IdError,
    },
    /// A value of an enum, or an error code, from a newer version.
    #[error("{0} holds a word that this version does not know")]
    UnknownWord(&'static str),
    /// A number too large for its type here, such as a port above 65,535.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A JSON field does not have the contract's shape.
    #[error("{field} cannot be read: {error}")]
    Json {
        /// Which field.
        field: &'static str,
        /// Where reading it stopped, and why.
        error: serde_json::Error,
    },
    /// Both `only` and `except` are set.
    #[error("a room event is for all but one or for one only, not both")]
    Audience,
}
