//! What is kept for retransmission, what is asked for, and what is sent again, each against a model
//! that remembers everything.

use crate::input::Input;
use railgun_media_core::fuzzing::{Kept, Missing, Resending};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

const KEPT_FOR: Duration = Duration::from_secs(2);
const TRIES_MAX: u8 = 10;
const RESENT_MAX: u8 = 10;
const MISSING_MAX: u64 = 1000;
/// Numbers behind the newest that a consumer may ask for.
const SENT_MAX: u64 = 1000;

pub fn operations(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => kept(&mut input),
        1 => missing(&mut input),
        _ => resending(&mut input),
    }
}

fn step(input: &mut Input<'_>, now: &mut Instant) -> u8 {
    let operation = input.u8();
    *now += Duration::from_millis(match operation >> 6 {
        0 => 0,
        1 => 3,
        2 => u64::from(input.u8()),
        _ => u64::from(input.u8()) * 20,
    });
    operation & 0x3f
}

/// A packet that is found is the one that was put last under its index, and not too old; the newest
/// is always found.
fn kept(input: &mut Input<'_>) {
    let (mut cache, mut now) = (Kept::default(), Instant::now());
    let mut model: BTreeMap<u64, (u8, Vec<u8>, Vec<u8>, Instant)> = BTreeMap::new();
    let mut index = u64::from(input.u32());
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        let operation = step(input, &mut now);
        if operation >= 0x30 {
            let asked = index.wrapping_sub(input.u16().into());
            check_kept(&cache, &model, asked, now);
            continue;
        }
        index = index.wrapping_add(u64::from(operation & 7)).wrapping_sub(u64::from(operation >> 5));
        let (id, element) = (input.u8() | 1, input.short());
        let payload = vec![input.u8(); usize::from(input.u16() % 1400)];
        // What comes in one datagram has room in one.
        let element = &element[..element.len().min(90)];
        cache.put(index, &[(id, element)], &payload, now);
        model.insert(index, (id, element.to_vec(), payload, now));
        let (elements, payload) = cache.get(index, now).expect("the newest packet");
        let (id, element, expected, _) = &model[&index];
        assert_eq!((elements.as_slice(), payload), (&[(*id, element.as_slice())][..], expected.as_slice()));
    }
    for asked in model.keys() {
        check_kept(&cache, &model, *asked, now);
        assert!(cache.get(*asked, now + KEPT_FOR + Duration::from_millis(1)).is_none());
    }
}

type KeptModel = BTreeMap<u64, (u8, Vec<u8>, Vec<u8>, Instant)>;

fn check_kept(cache: &Kept, model: &KeptModel, asked: u64, now: Instant) {
    let Some((elements, payload)) = cache.get(asked, now) else { return };
    let (id, element, expected, at) = model.get(&asked).expect("a packet that was never put");
    assert_eq!((elements.as_slice(), payload), (&[(*id, element.as_slice())][..], expected.as_slice()));
    assert!(now.saturating_duration_since(*at) <= KEPT_FOR);
}

/// Only what is missing is asked for, at most ten times, not twice within a round trip, and no more
/// than a thousand packets back.
fn missing(input: &mut Input<'_>) {
    let round_trip = Duration::from_millis(u64::from(input.u8()));
    let (mut missing, mut now) = (Missing::video(), Instant::now());
    let mut highest = u64::from(input.u32());
    let first = highest;
    let mut came = BTreeSet::from([highest]);
    let mut asked: HashMap<u64, (u8, Instant)> = HashMap::new();
    missing.on_packet(highest, now);
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        let operation = step(input, &mut now);
        let index = match operation {
            0..0x20 => highest + u64::from(operation & 15),
            0x20..0x30 => highest.saturating_sub(u64::from(operation & 15)),
            0x30..0x38 => highest.saturating_sub(u64::from(input.u16())),
            _ => highest + u64::from(input.u16()),
        };
        let is_overwhelmed = !missing.on_packet(index, now);
        assert!(!is_overwhelmed || index > highest + 1, "overwhelmed by nothing");
        if is_overwhelmed {
            assert_eq!(missing.due(), None);
        }
        highest = highest.max(index);
        came.insert(index);
        let mut out = [0; 320];
        let due = missing.due();
        let list = missing.take(now, round_trip, &mut out);
        assert!(list.is_empty() || due.is_some_and(|due| due <= now));
        let mut previous = None;
        for sequence in list {
            let index = highest - u64::from((highest as u16).wrapping_sub(*sequence));
            assert!(index > first && !came.contains(&index), "{index} is here");
            assert!(previous.is_none_or(|previous| previous < index), "not ascending");
            previous = Some(index);
            let (times, last) = asked.entry(index).or_insert((0, now));
            *times += 1;
            let waited = now.saturating_duration_since(*last);
            assert!(*times <= TRIES_MAX && (*times == 1 || waited >= round_trip.min(KEPT_FOR)));
            *last = now;
        }
        assert!(list.len() as u64 <= MISSING_MAX);
    }
}

/// What is sent again was sent under that number, at most ten times, not twice within a round trip,
/// and within the budget.
fn resending(input: &mut Input<'_>) {
    let start = Instant::now();
    let round_trip = Duration::from_millis(u64::from(input.u8()));
    let (mut resending, mut now) = (Resending::new(start), start);
    let mut next = u64::from(input.u32()) << (input.u8() & 7);
    let mut sent: BTreeMap<u64, u64> = BTreeMap::new();
    let mut resent: HashMap<u64, (u8, Instant)> = HashMap::new();
    let (mut media, mut spent) = (0_u64, 0_u64);
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        let operation = step(input, &mut now);
        if operation < 0x20 {
            let bytes = 60 + 8 * usize::from(input.u8());
            next += u64::from(operation & 3) / 3;
            resending.on_sent(next, next ^ 0x5555, bytes, now);
            sent.insert(next, next ^ 0x5555);
            media += bytes as u64;
            next += 1;
            continue;
        }
        let sequence = (next as u16).wrapping_sub(u16::from(input.u8()) * u16::from(operation & 7));
        let Some((index, source)) = resending.resend(sequence, 1_000, now, round_trip) else { continue };
        assert_eq!(index as u16, sequence);
        assert_eq!(sent.get(&index), Some(&source), "never sent");
        assert!(next - index <= SENT_MAX);
        spent += 1_000;
        let (times, last) = resent.entry(index).or_insert((0, now));
        *times += 1;
        let waited = now.saturating_duration_since(*last);
        assert!(*times <= RESENT_MAX && (*times == 1 || waited >= round_trip));
        *last = now;
        // 10 % of what was sent, or 64 kbit/s: whichever is more, and half a second of it at once.
        let seconds = (now - start).as_secs() + 2;
        assert!(spent <= media / 5 + 8_000 * seconds, "{spent} of {media} in {seconds} s");
    }
}
