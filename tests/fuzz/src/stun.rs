//! ICE checks: their parser against another implementation, and ICE-lite under any sequence of them.

use crate::checks::{Check, fingerprint_of, sealed};
use crate::input::{Input, lot};
use railgun_media_core::packet::MAX_DATAGRAM;
use railgun_media_core::packet::kind::classify;
use railgun_media_core::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest, IntegrityKey};
use railgun_media_core::transport::address_proof::AMPLIFICATION_FACTOR;
use railgun_media_core::transport::ice_lite::{IceLite, TUPLES_MAX};
use railgun_protocol::limits::CONSENT_TIMEOUT;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use stun::attributes::ATTR_USERNAME;
use stun::message::{Getter, Message};

/// A request that is taken is read by another implementation too, alike, and refused once any bit of
/// it is another.
pub fn parse(data: &[u8]) {
    classify(data);
    check_parsed(data);
    // Most mutants differ in the checksum alone: with the right one they get further.
    if let Some(end) = data.len().checked_sub(8).filter(|_| data.len() <= MAX_DATAGRAM) {
        let mut fixed = data.to_vec();
        fixed[end..end + 4].copy_from_slice(&[0x80, 0x28, 0, 4]);
        let checksum = fingerprint_of(&fixed[..end]);
        fixed[end + 4..].copy_from_slice(&checksum.to_be_bytes());
        check_parsed(&fixed);
    }
}

fn check_parsed(data: &[u8]) {
    let Ok(request) = BindingRequest::parse(data) else { return };
    assert!((BINDING_SUCCESS_MAX..=MAX_DATAGRAM).contains(&data.len()));
    let (local, remote) = (request.local_ufrag(), request.remote_ufrag());
    assert_eq!(format!("{local}:{remote}"), request.username);
    assert!([local, remote].iter().all(|ufrag| (4..=256).contains(&ufrag.len())));
    assert!(request.integrity.len() == 20 && request.integrity.end + 8 <= data.len());

    let mut message = Message { raw: data.to_vec(), ..Message::default() };
    message.decode().expect("the other implementation reads it too");
    assert_eq!(message.transaction_id.0, request.transaction_id);
    assert_eq!(message.get(ATTR_USERNAME).expect("a user name"), request.username.as_bytes());

    let mut flipped = data.to_vec();
    let bit = (lot(data) % (8 * data.len() as u64)) as usize;
    flipped[bit / 8] ^= 1 << (bit % 8);
    assert_eq!(BindingRequest::parse(&flipped).ok(), None, "bit {bit}");
}

/// Checks with valid and invalid integrity from sixteen addresses, time, and ICE restarts: only what
/// was made with the password changes anything, nothing is answered with more than it had, and no
/// address that was not proved is owed more than three times its bytes.
pub fn integrity(data: &[u8]) {
    let mut input = Input::new(data);
    let mut now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(input.u8().into());
    let mut ice = IceLite::new(&mut rng);
    let mut received: HashMap<SocketAddr, u64> = HashMap::new();
    let mut first_used: HashMap<[u8; 12], SocketAddr> = HashMap::new();
    for _ in 0..32 {
        if input.is_empty() {
            break;
        }
        let operation = input.u8();
        if operation >= 0xf0 {
            ice.restart(&mut rng);
            continue;
        }
        now += Duration::from_millis(u64::from(operation >> 4) * 500);
        ice.handle_timeout(now);
        let source = SocketAddr::from(([10, 0, 0, 1], 4_000 + u16::from(operation & 15)));
        let selected = ice.selected();
        let knows_password = check(&mut input, &mut ice, source, now);
        let Some((id, len, answered)) = knows_password else {
            assert_eq!(ice.selected(), selected);
            continue;
        };
        if *first_used.entry(id).or_insert(source) != source && first_used.len() < 200 {
            assert!(!answered, "a check of another address was answered");
            assert_eq!(ice.selected(), selected);
        }
        if answered {
            *received.entry(source).or_default() += len as u64;
        }
        check_tuples(&ice, &received);
    }
    ice.handle_timeout(now + CONSENT_TIMEOUT);
    assert_eq!(ice.selected(), None, "without checks, no consent");
}

/// Makes and hands over one check. Its transaction id, its length, and whether it was answered; none
/// if its sender did not know the password, or it was not well-formed.
fn check(
    input: &mut Input<'_>,
    ice: &mut IceLite,
    source: SocketAddr,
    now: Instant,
) -> Option<([u8; 12], usize, bool)> {
    let (flags, id) = (input.u8(), [input.u8(); 12]);
    let (ufrag, password) = (ice.credentials().ufrag.clone(), ice.credentials().password.clone());
    let knows_password = flags & 1 == 0;
    let key = IntegrityKey::new(if knows_password { password.as_bytes() } else { b"guessed" });
    let check = Check {
        id,
        ufrag: if flags & 2 == 0 { &ufrag } else { "other" },
        controlling: flags & 4 == 0,
        nominates: flags & 8 != 0,
        more: if flags & 16 != 0 { input.short() } else { &[] },
    };
    let datagram = sealed(&check, if knows_password { password.as_bytes() } else { b"guessed" });
    let request = BindingRequest::parse(&datagram).ok()?;
    assert!(request.verify_integrity(&datagram, &key), "made with this key");
    let mut answer = [0; BINDING_SUCCESS_MAX];
    let result = ice.handle_binding(&request, &datagram, source, now, &mut answer);
    if !knows_password || flags & 2 != 0 || request.ice_controlling.is_none() {
        assert!(result.is_err(), "{result:?}");
        return None;
    }
    if let Ok(answer_of) = result {
        assert!(answer_of.len <= datagram.len(), "an answer longer than its check");
        let mut message = Message { raw: answer[..answer_of.len].to_vec(), ..Message::default() };
        message.decode().expect("the other implementation reads the answer");
        let mut mapped = stun::xoraddr::XorMappedAddress::default();
        mapped.get_from(&message).expect("a mapped address");
        assert_eq!((mapped.ip, mapped.port), (source.ip(), source.port()));
    }
    Some((id, datagram.len(), result.is_ok()))
}

fn check_tuples(ice: &IceLite, received: &HashMap<SocketAddr, u64>) {
    let known: Vec<_> = received.keys().filter_map(|address| ice.tuple(*address)).collect();
    assert!(known.len() <= TUPLES_MAX);
    assert!(ice.selected().is_none_or(|selected| known.iter().any(|tuple| tuple.address == selected)));
    for tuple in known {
        let bound = AMPLIFICATION_FACTOR * received[&tuple.address];
        assert!(tuple.proof.is_proved() || tuple.proof.remaining() <= bound);
    }
}
