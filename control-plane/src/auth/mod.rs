//! Who a socket belongs to: the users' tokens and the keys they are signed with.

mod claims;
mod jwks;
mod key_ring;
mod local_key;
mod refused_tokens;
mod token_keys;

pub use claims::{Claims, Identity};
pub use jwks::{JwksSource, NotASource};
pub(crate) use key_ring::KeyRing;
pub use local_key::LocalKey;
pub(crate) use local_key::write_private;
pub(crate) use refused_tokens::RefusedTokens;
pub use token_keys::{KeyError, TokenError, TokenKeys};
