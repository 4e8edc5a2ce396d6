//! Replay, reordering, roll-over and loss through a real session.

use std::collections::BTreeSet;

use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{InboundSession, InboundStream, MasterKey, OutboundSession, SrtpError, Suite};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SSRC: u32 = 7;

struct Link {
    outbound: OutboundSession,
    inbound: InboundSession,
    stream: InboundStream,
}

impl Link {
    fn new(suite: Suite) -> Self {
        let master = MasterKey::new(suite, &vec![1; suite.key_len()], &vec![2; suite.salt_len()]).unwrap();
        Self {
            outbound: OutboundSession::new(&master).unwrap(),
            inbound: InboundSession::new(&master).unwrap(),
            stream: InboundStream::default(),
        }
    }

    fn deliver(&mut self, index: u64) -> Result<(), SrtpError> {
        let [.., s0, s1] = index.to_be_bytes();
        let sequence = u16::from_be_bytes([s0, s1]);
        let writer = HeaderWriter { marker: false, payload_type: 111, sequence, timestamp: 0, ssrc: SSRC };
        let mut packet = [0; 80];
        let header = writer.write(&mut packet, &[]).unwrap();
        let len = self.outbound.seal_rtp(index, SSRC, header.len, &[0xaa; 40], &mut packet).unwrap();
        let header = RtpHeader::parse(&packet[..len]).unwrap();
        self.inbound.open_rtp(&mut self.stream, &header, &mut packet[..len]).map(|_| ())
    }
}

#[test]
fn fifty_packets_five_times() {
    for suite in Suite::ALL {
        let mut link = Link::new(suite);
        for index in 0..50 {
            assert_eq!(link.deliver(index), Ok(()));
        }
        for index in (0..50).cycle().take(200) {
            assert_eq!(link.deliver(index), Err(SrtpError::Replayed));
        }
    }
}

#[test]
fn reordering_by_up_to_1023_across_a_roll_over() {
    for suite in Suite::ALL {
        let mut link = Link::new(suite);
        assert_eq!(link.deliver(65_000), Ok(()));
        assert_eq!(link.deliver(66_000), Ok(()));
        assert_eq!(link.deliver(66_000 - 1024), Err(SrtpError::TooOld));
        for index in (66_000 - 1023..66_000).rev().filter(|index| *index != 65_000) {
            assert_eq!(link.deliver(index), Ok(()), "{index}");
            assert_eq!(link.deliver(index), Err(SrtpError::Replayed), "{index}");
        }
    }
}

/// From every kind of start: each packet that arrives is taken, with bursts out of order.
#[test]
fn two_roll_overs_with_a_fifth_of_the_packets_lost() {
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    for suite in Suite::ALL {
        let mut link = Link::new(suite);
        let mut burst = Vec::new();
        let mut taken = 0;
        for index in 30_000..30_000 + 2 * 65_536 + 5_000 {
            if rng.random_bool(0.8) {
                burst.push(index);
            }
            if burst.len() == 20 {
                for _ in 0..20 {
                    let next = burst.swap_remove(rng.random_range(0..burst.len()));
                    assert_eq!(link.deliver(next), Ok(()), "{suite:?}: {next}");
                    taken += 1;
                }
            }
        }
        assert!(taken > 100_000);
    }
}

#[test]
fn a_million_random_deliveries() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut link = Link::new(Suite::AeadAes256Gcm);
    let mut taken = BTreeSet::new();
    let mut head = 0_u64;
    for _ in 0..1_000_000 {
        head += u64::from(rng.random_bool(0.1));
        let index = head.saturating_sub(rng.random_range(0..2_000));
        if link.deliver(index).is_ok() {
            assert!(taken.insert(index), "{index} taken twice");
        }
    }
    assert!(taken.len() > 90_000);
}
