//! A client is at another address, or a member says so who wants a stream to go there. Media goes on
//! to the proved address until the new one echoes something that was sent to it alone and that nobody
//! else could know:
//!
//! - a transport-wide sequence number behind a jump of random length, in a packet of padding, which
//!   receivers of video acknowledge with their next feedback;
//! - the time in a sender report, or in a request for its echo (RFC 3611 section 4.4), moved ahead by a
//!   random part of a quarter of a second. Receivers answer with their next report. The request is
//!   answered without any media.
//!
//! What a guess can meet: of 2^14 values the newest two count, so one guess in 8,192. A guess that says more
//! than one value is wrong if one of them is. A transport has eight wrong guesses in its life, and a user
//! eight in a day on all his transports: a transport of a member who guesses ends with a hit once in 1,024
//! times, however long it lives, and he has such a try a day. Two count, since the next question may cross
//! the answer to the one before it on the way; those before them are neither proof nor guess. From one of
//! them the next cannot be told: times are drawn each for itself, and between two numbers lie up to 512.
//!
//! Meanwhile a client that really moved hears speech: if nothing comes from the proved address, what is
//! sent there is sent to the new one as well, [`SLICE_BYTES`] a second, ten seconds a minute for a user.

use rand::{Rng, RngExt};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes that a second of speech has at an address that is not proved: 64 kbit/s.
pub(crate) const SLICE_BYTES: u32 = 8_000;
pub(crate) const SLICE: Duration = Duration::from_secs(1);
/// Bytes that may pass at the start of a slice.
const BURST_BYTES: u64 = 2_000;

/// When a new address is asked for its proof, in ms since the change; then every four seconds. The
/// first question may be lost, and a network that was just joined loses more.
const ROUNDS_MS: [u64; 7] = [0, 40, 120, 300, 1_000, 2_000, 3_000];
/// Rounds in which reports go out: together [`super::address_proof::UNPROVED_SEALED_MAX`] suffices.
const REPORT_ROUNDS: [usize; 2] = [0, 4];
const ROUND_AFTER: Duration = Duration::from_secs(1);

/// What the number jumps by: more than two seconds' worth of packets, which go on to the proved address
/// with the numbers below, and then 14 random bits. All below half of the numbers, beyond which a
/// receiver takes what is ahead for what is behind.
pub(crate) const JUMP_MIN: u16 = 8_192;
const JUMP_BITS: u16 = 0x3fff;
/// The numbers below are nearly used up: it is time for another jump.
const JUMP_NEAR: u16 = 4_096;
/// From one number behind the jump to the next: 1 and 9 random bits. After so many it is time for another jump.
const STEP_BITS: u16 = 0x1ff;
const NUMBERS_MAX: usize = 16;
const _: () =
    assert!(JUMP_MIN as usize + JUMP_BITS as usize + NUMBERS_MAX * (STEP_BITS as usize + 1) < 1 << 15);

/// 14 random bits of a time's 65536ths of a second.
const SHIFT_BITS: u16 = 0x3fff;
/// How many of the newest numbers and times prove an address; each more is one that a guess could meet.
const VALID: usize = 2;
/// Wrong guesses on a transport, and on all of a user's in a day, until nothing there proves any more.
pub(crate) const GUESSES_MAX: u8 = 8;
/// Times that are remembered, so that an echo of one is never taken for a guess.
const TIMES_MAX: usize = 16;

/// From the proved address there may still come what was under way when the client left it.
const UNDER_WAY: Duration = Duration::from_millis(200);
/// The proved address is silent after so long; checks come at least every 2.5 s.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// What an echo from the new address says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// The echo could be known at the asked address alone.
    Proof,
    /// The echo names what was never sent.
    Guess,
    /// Everybody knows it.
    Nothing,
}

/// From its nomination to its proof, or until it is given up.
#[derive(Debug)]
pub(crate) struct AddressChange {
    pub(crate) to: SocketAddr,
    /// There is no proved address: nothing goes anywhere else.
    pub(crate) is_alone: bool,
    pub(crate) since: Instant,
    /// The previous address has sent a valid packet or check since the change began.
    old_heard_at: Option<Instant>,
    /// Speech at this address, and since when it counts.
    slice: Option<(Instant, u32)>,
    /// Numbers behind the jump that were sent, oldest first, at most [`NUMBERS_MAX`].
    numbers: Vec<u16>,
    rounds: usize,
    pub(crate) next_round_at: Instant,
}

/// What one round consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) asks_by_report: bool,
    /// A padding packet goes out, too.
    pub(crate) asks_by_number: bool,
    pub(crate) wants_slice: bool,
}

impl AddressChange {
    pub(crate) fn new(to: SocketAddr, is_alone: bool, now: Instant) -> Self {
        Self {
            to,
            is_alone,
            since: now,
            old_heard_at: None,
            slice: None,
            numbers: Vec::new(),
            rounds: 0,
            next_round_at: now,
        }
    }

    /// Something valid came from the address before.
    #[cold]
    pub(crate) fn on_old_heard(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) > UNDER_WAY {
            self.old_heard_at = Some(now);
        }
    }

    fn is_old_silent(&self, now: Instant) -> bool {
        self.old_heard_at.is_none_or(|at| now.saturating_duration_since(at) > SILENT_AFTER)
    }

    /// Begins the next round, if it is due.
    pub(crate) fn round(&mut self, now: Instant) -> Option<Round> {
        if now < self.next_round_at {
            return None;
        }
        let place = self.rounds;
        self.rounds += 1;
        self.next_round_at = match ROUNDS_MS.get(self.rounds) {
            Some(ms) => self.since + Duration::from_millis(*ms),
            None => now + ROUND_AFTER,
        };
        let is_fourth = place >= ROUNDS_MS.len() && place.is_multiple_of(4);
        // Or speech would stop until the next round.
        let next = self.next_round_at;
        let is_over = |(from, _): (Instant, u32)| from + SLICE < next;
        let is_unused = self.slice.is_some_and(|(_, sent)| sent == 0);
        if is_unused {
            self.slice = Some((now, 0));
        }
        Some(Round {
            asks_by_report: REPORT_ROUNDS.contains(&place) || is_fourth,
            asks_by_number: place < 5 || is_fourth,
            wants_slice: self.slice.is_none_or(is_over) && self.is_old_silent(now),
        })
    }

    /// A second of speech from now on.
    pub(crate) fn take_slice(&mut self, now: Instant) {
        self.slice = Some((now, 0));
    }

    /// True if a slice was taken and nothing of it was used.
    pub(crate) fn has_unused_slice(&self) -> bool {
        self.slice.is_some_and(|(_, sent)| sent == 0)
    }

    /// Whether `len` bytes of speech may go to the new address, which then count.
    pub(crate) fn try_speech(&mut self, len: usize, now: Instant) -> bool {
        let is_silent = self.is_old_silent(now);
        let Some((from, sent)) = &mut self.slice else { return false };
        let elapsed = now.saturating_duration_since(*from);
        let so_far = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let allowed = so_far.saturating_mul(8).saturating_add(BURST_BYTES).min(SLICE_BYTES.into());
        let after = u64::from(*sent).saturating_add(len as u64);
        if !is_silent || elapsed >= SLICE || after > allowed {
            return false;
        }
        *sent = u32::try_from(after).unwrap_or(u32::MAX);
        true
    }

    /// The number for the next packet that is to be echoed. `next`: that of the next packet to the
    /// proved address, which follows when the numbers below are nearly used up, or those behind the jump.
    pub(crate) fn number(&mut self, next: &mut u16, rng: &mut impl Rng) -> u16 {
        let is_near = self.numbers.first().is_some_and(|first| !is_below(*next, *first, JUMP_NEAR));
        if is_near || self.numbers.len() == NUMBERS_MAX {
            self.follow(next);
        }
        let number = match self.numbers.last() {
            Some(last) => last.wrapping_add(1 + (rng.random::<u16>() & STEP_BITS)),
            None => next.wrapping_add(JUMP_MIN + (rng.random::<u16>() & JUMP_BITS)),
        };
        self.numbers.push(number);
        number
    }

    /// Goes on behind the numbers that were sent, whatever came of them: a receiver that got one would
    /// take those before it for late ones.
    pub(crate) fn follow(&mut self, next: &mut u16) {
        if let Some(last) = self.numbers.last() {
            *next = last.wrapping_add(1);
        }
        self.numbers.clear();
    }

    /// What feedback from the new address says, by the numbers that it acknowledges: one that was never
    /// sent spoils all the others.
    pub(crate) fn judge_numbers(&self, next: u16, acknowledged: impl Iterator<Item = u16>) -> Echo {
        // They were taken for packets to the proved address: whoever is there knows them.
        let is_void = self.numbers.first().is_some_and(|first| !is_below(next, *first, 0));
        let mut echo = Echo::Nothing;
        for number in acknowledged {
            if let Some(place) = self.numbers.iter().rev().position(|sent| *sent == number) {
                if place < VALID && !is_void {
                    echo = Echo::Proof;
                }
            } else if number.wrapping_sub(next) < 1 << 15 {
                return Echo::Guess;
            }
        }
        echo
    }
}

/// Whether `number` is by more than `distance` below `other`.
fn is_below(number: u16, other: u16, distance: u16) -> bool {
    (distance + 1..1 << 15).contains(&other.wrapping_sub(number))
}

/// A time that was sent to a new address: its middle 32 bits, and how far ahead it was.
#[derive(Clone, Copy, Debug)]
struct SentTime {
    middle: u32,
    shift: u16,
    to: SocketAddr,
}

/// The latest of them, on one transport.
#[derive(Debug, Default)]
pub(crate) struct SentTimes {
    /// Oldest first.
    entries: VecDeque<SentTime>,
}

impl SentTimes {
    /// Draws the next one's distance from now, in 65536ths of a second.
    pub(crate) fn draw(rng: &mut impl Rng) -> u16 {
        rng.random::<u16>() & SHIFT_BITS
    }

    /// `middle`: of the time as it was sent, `shift` ahead.
    pub(crate) fn put(&mut self, middle: u32, shift: u16, to: SocketAddr) {
        if self.entries.len() == TIMES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(SentTime { middle, shift, to });
    }

    /// How far ahead this time was; 0 of one that was true.
    pub(crate) fn shift_of(&self, middle: u32) -> u16 {
        self.entries.iter().rev().find(|sent| sent.middle == middle).map_or(0, |sent| sent.shift)
    }

    /// What an echo of `middle` from the new address says. `since` and `now`: the same of the change
    /// and of the present moment.
    pub(crate) fn judge(&self, middle: u32, to: SocketAddr, since: u32, now: u32) -> Echo {
        let newest = self.entries.iter().rev().filter(|sent| sent.to == to).take(VALID);
        if newest.into_iter().any(|sent| sent.middle == middle) {
            return Echo::Proof;
        }
        if self.entries.iter().any(|sent| sent.middle == middle) {
            return Echo::Nothing;
        }
        // Times before the change were true ones, and are known to whoever was there.
        let until_now = now.wrapping_sub(since).saturating_add(SHIFT_BITS.into());
        match middle.wrapping_sub(since) {
            since if (1..=until_now).contains(&since) => Echo::Guess,
            _ => Echo::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn change(at: Instant) -> AddressChange {
        AddressChange::new(SocketAddr::from(([192, 0, 2, 1], 9)), false, at)
    }

    /// From each start, around the end of the numbers as well.
    #[test]
    fn only_numbers_behind_the_jump_prove_and_any_that_was_not_sent_spoils_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for start in (0..=u16::MAX).step_by(257) {
            let (mut change, mut next) = (change(Instant::now()), start);
            let first = change.number(&mut next, &mut rng);
            assert_eq!(next, start, "the proved address goes on as before");
            let second = change.number(&mut next, &mut rng);
            assert!((1..=STEP_BITS + 1).contains(&second.wrapping_sub(first)));
            next = next.wrapping_add(100);
            let judge = |numbers: &[u16]| change.judge_numbers(next, numbers.iter().copied());
            assert_eq!(judge(&[first]), Echo::Proof);
            assert_eq!(judge(&[start, next.wrapping_sub(1), first, second]), Echo::Proof);
            assert_eq!(judge(&[start, next.wrapping_sub(1)]), Echo::Nothing);
            assert_eq!(judge(&[next]), Echo::Guess, "last + 1");
            assert_eq!(judge(&[first.wrapping_sub(1), first]), Echo::Guess);
            assert_eq!(judge(&[first, second.wrapping_add(1)]), Echo::Guess);
            let window: Vec<u16> = (0..1 << 15).map(|n| next.wrapping_add(n)).collect();
            assert_eq!(judge(&window), Echo::Guess);
        }
    }

    #[test]
    fn the_jump_is_shorter_than_half_of_the_numbers_and_never_the_same() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut jumps: Vec<u16> = (0..1000)
            .map(|_| change(Instant::now()).number(&mut 65_000, &mut rng).wrapping_sub(65_000))
            .collect();
        assert!(jumps.iter().all(|jump| (JUMP_MIN..1 << 15).contains(jump)));
        jumps.sort_unstable();
        jumps.dedup();
        assert!(jumps.len() > 900, "{}", jumps.len());
    }

    /// Of what can be guessed, after each question: how many values prove, of how many that could.
    #[test]
    fn a_guess_at_a_number_or_a_time_hits_once_in_8192_and_eight_once_in_1024() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut change, mut next, start) = (change(Instant::now()), 7, 7_u16);
        let mut times = SentTimes::default();
        let since = u32::MAX - 9_000;
        for asked in 1..=NUMBERS_MAX {
            change.number(&mut next, &mut rng);
            let proves = |number: &u16| change.judge_numbers(next, std::iter::once(*number)) == Echo::Proof;
            let valid: Vec<u16> = (0..=u16::MAX).filter(proves).collect();
            let newest = &change.numbers[asked.saturating_sub(2)..];
            assert!(newest.iter().all(|number| valid.contains(number)) && valid.len() == newest.len());
            let drawn = SentTimes::draw(&mut rng);
            let sent = since.wrapping_add(u32::try_from(asked).unwrap() * 65_536);
            times.put(sent.wrapping_add(drawn.into()), drawn, change.to);
            let now = sent.wrapping_add(1_000);
            let window = (0..20 * 65_536).map(|at| since.wrapping_add(at));
            let proves = |at: &u32| times.judge(*at, change.to, since, now) == Echo::Proof;
            let valid = window.filter(proves).count();
            assert_eq!(valid, asked.min(2));
            let values = u32::from(JUMP_BITS.min(SHIFT_BITS)) + 1;
            let guessed = usize::from(GUESSES_MAX) * valid * 1_024;
            assert!(guessed <= usize::try_from(values).unwrap(), "{asked}: {valid}");
        }
        assert_eq!(next, start);
    }

    /// A value may stand for a wrong guess that was not one: he who sees that must not know the next.
    #[test]
    fn from_an_old_number_the_next_cannot_be_told() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut steps: Vec<u16> = (0..2_000)
            .map(|_| {
                let (mut change, mut next) = (change(Instant::now()), 7);
                let old = change.number(&mut next, &mut rng);
                change.number(&mut next, &mut rng).wrapping_sub(old)
            })
            .collect();
        steps.sort_unstable();
        steps.dedup();
        assert!(steps.len() > 450, "{}", steps.len());
    }

    #[test]
    fn old_numbers_are_neither_proof_nor_guess_and_after_sixteen_there_is_another_jump() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (mut change, mut next) = (change(Instant::now()), 7);
        let sent: Vec<u16> = (0..NUMBERS_MAX).map(|_| change.number(&mut next, &mut rng)).collect();
        let echoes: Vec<Echo> =
            sent.iter().map(|number| change.judge_numbers(next, std::iter::once(*number))).collect();
        assert_eq!(echoes[..NUMBERS_MAX - 2], [Echo::Nothing; NUMBERS_MAX - 2]);
        assert_eq!(echoes[NUMBERS_MAX - 2..], [Echo::Proof; 2]);
        let after = change.number(&mut next, &mut rng);
        assert_eq!(next, sent[NUMBERS_MAX - 1].wrapping_add(1));
        assert!((JUMP_MIN..1 << 15).contains(&after.wrapping_sub(next)));
        assert_eq!(change.judge_numbers(next, sent.into_iter()), Echo::Nothing);
    }

    #[test]
    fn numbers_that_come_near_the_jump_jump_again_and_those_that_met_it_prove_nothing() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (mut change, mut next) = (change(Instant::now()), 60_000);
        let first = change.number(&mut next, &mut rng);
        next = first.wrapping_sub(JUMP_NEAR);
        let second = change.number(&mut next, &mut rng);
        assert_eq!(next, first.wrapping_add(1), "and what follows goes on behind it");
        assert!(second.wrapping_sub(next) >= JUMP_MIN);
        next = second.wrapping_add(1);
        assert_eq!(change.judge_numbers(next, std::iter::once(second)), Echo::Nothing);
    }

    #[test]
    fn an_echo_of_what_was_sent_to_another_address_or_long_ago_is_no_proof_and_no_guess() {
        let mut times = SentTimes::default();
        let (here, there) = (SocketAddr::from(([1; 4], 1)), SocketAddr::from(([2; 4], 2)));
        let since = u32::MAX - 3_000;
        let now = since.wrapping_add(10 * 65_536);
        for n in 0..6 {
            times.put(since.wrapping_add(n * 65_536 + 77), 77, here);
        }
        let judge = |middle: u32| times.judge(middle, here, since, now);
        assert_eq!(judge(since.wrapping_add(5 * 65_536 + 77)), Echo::Proof);
        assert_eq!(judge(since.wrapping_add(4 * 65_536 + 77)), Echo::Proof);
        assert_eq!(judge(since.wrapping_add(3 * 65_536 + 77)), Echo::Nothing, "the third from the end");
        assert_eq!(times.judge(since.wrapping_add(5 * 65_536 + 77), there, since, now), Echo::Nothing);
        assert_eq!(judge(since), Echo::Nothing);
        assert_eq!(judge(since.wrapping_sub(65_536)), Echo::Nothing);
        assert_eq!(judge(since.wrapping_add(78)), Echo::Guess);
        assert_eq!(judge(now.wrapping_add(SHIFT_BITS.into())), Echo::Guess);
        assert_eq!(times.shift_of(since.wrapping_add(77)), 77);
        assert_eq!(times.shift_of(since), 0);
    }

    /// Whenever in the first second somebody begins to speak, and however late each round comes.
    #[test]
    fn speech_at_a_new_address_has_no_hole_for_nine_seconds() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        for (begin, late) in (0..500).step_by(7).flat_map(|begin| [0, 1, 5].map(|late| (begin, late))) {
            let mut change = change(start);
            let (mut slices, mut last_at, mut hole) = (0, begin, 0);
            for at in 0..9_000 {
                if ms(at) >= change.next_round_at + Duration::from_millis(late)
                    && change.round(ms(at)).is_some_and(|round| round.wants_slice)
                {
                    slices += 1;
                    change.take_slice(ms(at));
                }
                if at >= begin && (at - begin) % 20 == 0 && change.try_speech(100, ms(at)) {
                    hole = hole.max(at - last_at);
                    last_at = at;
                }
            }
            hole = hole.max(9_000 - last_at);
            assert!(hole <= 60, "{hole} ms if speech begins after {begin} and rounds are {late} late");
            assert!(slices <= 10, "{slices}");
        }
    }

    #[test]
    fn speech_has_64_kilobits_a_second_and_none_while_the_proved_address_speaks() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut change = change(start);
        assert!(!change.try_speech(1, start), "without a slice");
        assert!(change.round(start).is_some_and(|round| round.wants_slice));
        change.take_slice(start);
        let passed = (0..2_000).filter(|at| change.try_speech(100, ms(*at))).count();
        assert_eq!(passed, 80, "8,000 bytes");
        change.take_slice(ms(2_000));
        change.on_old_heard(ms(100));
        assert!(change.try_speech(100, ms(2_001)), "that was under way");
        change.on_old_heard(ms(2_002));
        assert!(!change.try_speech(100, ms(2_003)));
        change.take_slice(ms(6_000));
        assert!(change.try_speech(100, ms(6_001)), "it fell silent");
    }
}
