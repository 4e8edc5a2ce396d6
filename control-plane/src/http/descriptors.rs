//! How many file descriptors this process may have, which bounds its connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything that is no connection of a client.
const OTHERS: u64 = 256;

/// Raises the limit as far as the system lets us, and says what it is.
pub(crate) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of file descriptors cannot be raised");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections of clients under such a limit: what it leaves, and half of it if that is little.
pub(crate) fn connections(descriptors: u64, wanted: usize) -> usize {
    let left = descriptors.saturating_sub(OTHERS).max(descriptors / 2);
    usize::try_from(left).map_or(wanted, |left| left.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections(1_048_576, 24_000), 24_000);
        assert_eq!(connections(1024, 24_000), 768);
        assert_eq!(connections(256, 24_000), 128);
    }
}
