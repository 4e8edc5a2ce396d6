//! The resume tokens of a session, of which the room keeps digests.
//!
//! The token that was shown stays good until the new socket is in use: its reply, which carries the
//! next token, may never have arrived.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use railgun_protocol::media_rpc::TokenDigest;

/// The digests of the resume tokens that are good now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResumeTokens {
    current: Option<TokenDigest>,
    /// Digest of the token that the last resume gave out, until a command on the new socket confirms it.
    next: Option<TokenDigest>,
}

impl ResumeTokens {
    pub(super) fn new(digest: Option<TokenDigest>) -> Self {
        Self { current: digest, next: None }
    }

    /// Takes a token if it is good; it then stays so, beside the next one, until [`Self::confirm`].
    pub(super) fn take(&mut self, shown: TokenDigest, next: TokenDigest) -> bool {
        let is = |known: Option<TokenDigest>| {
            known.is_some_and(|known| verify_slices_are_equal(&known.0, &shown.0).is_ok())
        };
        // Both are compared, whichever it is.
        let is_known = is(self.current) | is(self.next);
        if is_known {
            *self = Self { current: Some(shown), next: Some(next) };
        }
        is_known
    }

    /// Confirms the last token: the one before it is no longer accepted.
    pub(super) fn confirm(&mut self) {
        if let Some(next) = self.next.take() {
            self.current = Some(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_the_next_one_is_in_use() {
        let digest = |byte| TokenDigest([byte; 32]);
        let mut tokens = ResumeTokens::new(Some(digest(1)));
        assert!(!tokens.take(digest(2), digest(9)), "a wrong one");
        assert!(tokens.take(digest(1), digest(2)));
        assert!(tokens.take(digest(1), digest(3)), "the reply was lost");
        assert!(!tokens.take(digest(2), digest(9)), "of the lost reply");
        assert!(tokens.take(digest(3), digest(4)), "the reply came, and its socket was lost at once");
        assert!(!tokens.take(digest(1), digest(9)), "three had come");
        tokens.confirm();
        assert!(!tokens.take(digest(3), digest(9)), "four is in use");
        tokens.confirm();
        assert!(tokens.take(digest(4), digest(5)));
        assert!(!ResumeTokens::new(None).take(digest(0), digest(1)));
    }
}
