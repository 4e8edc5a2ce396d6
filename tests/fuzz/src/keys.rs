//! SRTP sessions of fixed keys, expanded once a thread.

use railgun_media_core::srtp::{InboundSession, MasterKey, OutboundSession, Suite};
use railgun_media_core::transport::dtls::SrtpKeyMaterial;

/// Clients with keys of their own.
pub const CLIENTS: usize = 4;

thread_local! {
    static SESSIONS: Vec<(OutboundSession, InboundSession)> = {
        let suites = |client| Suite::ALL.iter().map(move |suite| {
            let master = master(*suite, client);
            (OutboundSession::new(&master).expect("a key"), InboundSession::new(&master).expect("a key"))
        });
        (0..CLIENTS).flat_map(suites).collect()
    };
}

pub fn master(suite: Suite, client: usize) -> MasterKey {
    MasterKey::new(suite, &vec![client as u8; suite.key_len()], &vec![7; suite.salt_len()]).expect("a key")
}

/// As a handshake exports it: both sides write with the key of [`master`].
pub fn material(suite: Suite, client: usize) -> SrtpKeyMaterial {
    let bytes = [vec![client as u8; 2 * suite.key_len()], vec![7; 2 * suite.salt_len()]].concat();
    SrtpKeyMaterial { suite, bytes: bytes.into(), is_server: true }
}

pub fn outbound<T>(suite: Suite, client: usize, with: impl FnOnce(&OutboundSession) -> T) -> T {
    SESSIONS.with(|sessions| with(&sessions[place(suite, client)].0))
}

pub fn inbound<T>(suite: Suite, client: usize, with: impl FnOnce(&InboundSession) -> T) -> T {
    SESSIONS.with(|sessions| with(&sessions[place(suite, client)].1))
}

fn place(suite: Suite, client: usize) -> usize {
    let suite = Suite::ALL.iter().position(|other| *other == suite).expect("one of them");
    client * Suite::ALL.len() + suite
}
