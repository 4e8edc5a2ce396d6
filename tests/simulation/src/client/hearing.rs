//! What a call's media says: what is sent is marked by its sender, and what is heard is looked at.

use super::kept::Call;
use super::media::{Heard, Picture};
use super::person::Person;
use crate::kernel::{Nanos, SECOND, now};
use crate::known;
use crate::told::broken;

/// A packet of a stream that was not told of yet is kept so long.
const UNTOLD_MAX: Nanos = 12 * SECOND;

/// Pictures from a key frame to the next, if nobody asks.
const KEY_FRAME_EVERY: u64 = 32;

const ONCE: &str = "A packet is forwarded once, sealed with the receiver's key under an index that none had (RFC 3711, 3.3.2)";
const ISOLATION: &str =
    "Every packet that a client opens belongs to a consumer of its session, in its room (contract, 2)";

/// Of speech, or of noise, in dB below the loudest.
fn level(index: u64, is_noisy: bool) -> u8 {
    if is_noisy { 20 } else { 10 + u8::try_from(index * 37 % 60).unwrap_or_default() }
}

impl Call {
    /// What is due of media, and what came of it.
    pub(super) fn tick(&mut self, person: &Person) {
        if let Some(how) = crate::kernel::amplification() {
            broken(
                "Before an address is proved at most three times its bytes are sent to it, and a little speech (contract, 5)",
                || how,
            );
        }
        if let Some(how) = crate::kernel::found() {
            broken("In privacy mode a node answers through a relay alone (contract, 6)", || how);
        }
        for transport in [&mut self.send, &mut self.recv].into_iter().flatten() {
            transport.tick();
        }
        let mut heard = Vec::new();
        let mut is_in_time = true;
        for transport in [&mut self.send, &mut self.recv].into_iter().flatten() {
            is_in_time &= transport.is_read_in_time();
            let (packets, unopened) = transport.receive();
            heard.extend(packets);
            if unopened > 0 && known::opens_all() {
                broken(ONCE, || format!("{} could not open {unopened} packets", person.user));
            }
        }
        heard.into_iter().for_each(|packet| self.hear(person, packet, is_in_time));
        self.look_at_untold(person);
        if now() < self.next_packet {
            return;
        }
        self.next_packet = now() + person.pace;
        let is_noisy = now() < person.wish(|wish| wish.noise_until);
        let Some(send) = self.send.as_mut().filter(|send| send.is_connected()) else { return };
        let wants_key_frame = std::mem::take(&mut send.wants_key_frame);
        for sending in self.offers.values_mut().filter(|it| !it.paused) {
            let head = format!("{}|{}|{}|{}", person.user, self.channel, sending.source, self.session);
            let is_video = sending.source != "mic";
            let is_key = sending.picture.is_multiple_of(KEY_FRAME_EVERY) || wants_key_frame;
            for part in 0..if is_video { person.video.parts() } else { 1 } {
                sending.index += 1;
                let index = sending.index;
                let picture = Picture { video: person.video, number: sending.picture, part, is_key };
                for layer in 0..sending.layers.max(1) {
                    let tag = format!("{head}|{}", index * 4 + u64::from(layer));
                    let layer = (sending.layers > 0).then_some(layer);
                    send.speak(&sending.offer, layer, index, picture, &tag, level(index, is_noisy));
                }
            }
            sending.picture += 1;
        }
    }

    fn hear(&mut self, person: &Person, packet: Heard, is_in_time: bool) {
        let Some(tag) = packet.tag else { return };
        person.has(|has| {
            has.packets += 1;
            if let Some(consuming) = has.consuming.values_mut().find(|it| it.ssrc == packet.ssrc) {
                consuming.packets += 1;
                consuming.last = now();
            }
        });
        let mut parts = tag.split('|');
        let (user, channel, source, session) = (parts.next(), parts.next(), parts.next(), parts.next());
        let index = parts.next().and_then(|index| index.parse::<u64>().ok()).unwrap_or_default();
        if !packet.is_again && !self.heard.entry(packet.ssrc).or_default().insert(index) {
            broken(ONCE, || format!("{} heard {tag} twice", person.user));
        }
        let last = match packet.is_again {
            true => None,
            false => self.sequences.insert(packet.ssrc, packet.sequence),
        };
        // Video that was lost on its way to the node comes later, repaired.
        if known::is_in_order()
            && source == Some("mic")
            && let Some(last) = last
            && packet.sequence.wrapping_sub(last) > 0x8000
        {
            broken(ONCE, || format!("{} heard {} of {tag} after {last}", person.user, packet.sequence));
        }
        // An attacker can keep a packet that was corrupted, and send it whole when it likes. And while a client looks
        // for a server nobody takes what came.
        if source != Some("mic") && is_in_time && known::opens_all() {
            known::video_of(user.unwrap_or_default());
        }
        if channel != Some(&self.channel) {
            broken(ISOLATION, || format!("{} in {} heard {tag}", person.user, self.channel));
        }
        if session == Some(&self.session) {
            broken(ISOLATION, || format!("{} heard itself: {tag}", person.user));
        }
        match self.streams.get(&packet.ssrc) {
            Some((of, _)) if Some(of.as_str()) == user => {}
            Some((of, _)) => {
                broken(ISOLATION, || format!("{} heard {tag} on a consumer of {of}", person.user))
            }
            None if self.is_unanswered(user, source) => {}
            None if self.untold.len() < 64 => self.untold.push((now(), packet.ssrc, tag)),
            None => {}
        }
    }

    fn is_unanswered(&self, user: Option<&str>, source: Option<&str>) -> bool {
        self.unanswered.iter().any(|(of, what)| Some(of.as_str()) == user && Some(what.as_str()) == source)
    }

    fn look_at_untold(&mut self, person: &Person) {
        let streams = &self.streams;
        let unanswered = &self.unanswered;
        // What was asked may have been in doubt when this came, and known to stay without an answer since.
        self.untold.retain(|(_, ssrc, tag)| {
            let mut parts = tag.split('|');
            let (user, source) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            !streams.contains_key(ssrc) && !unanswered.contains(&(user.to_owned(), source.to_owned()))
        });
        if let Some((_, ssrc, tag)) = self.untold.iter().find(|(at, ..)| now() > at + UNTOLD_MAX) {
            broken(ISOLATION, || {
                format!("{} heard {tag} on {ssrc}, of which it has no consumer", person.user)
            });
            self.untold.clear();
        }
    }
}
