//! The SRTP key of the steps that open and seal.

use railgun_media_core::srtp::{MasterKey, Suite};

/// The same each time, of the lengths that the suite has.
pub(crate) fn master_key(suite: Suite) -> MasterKey {
    let (key, salt) = ([7; 32], [8; 14]);
    MasterKey::new(suite, &key[..suite.key_len()], &salt[..suite.salt_len()]).expect("the suite's lengths")
}
