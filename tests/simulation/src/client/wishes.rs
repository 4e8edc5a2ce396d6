//! Brings a call to what its person wishes, a step at a time.

use super::kept::{Call, Kept, Sending};
use super::line::{Line, Refused};
use super::person::{Consuming, Hostile};
use super::view::text;
use crate::history;
use crate::kernel::{Nanos, SECOND, now};
use crate::slots;
use crate::told::{broken, tell};
use railgun_peer::Offer;
use railgun_protocol::signal::Source;
use serde_json::json;
use std::collections::BTreeSet;

const TRANSPORT_TIMEOUT: Nanos = 12 * SECOND;

impl Line<'_> {
    /// Brings the call to what the person wishes, one step at a time. False: the connection is to break.
    pub(super) async fn tend(&mut self, call: &mut Call, kept: &mut Kept) -> Result<bool, Refused> {
        let person = self.person;
        let wish = person.wish(|wish| wish.clone());
        if wish.breaks {
            person.wish(|wish| wish.breaks = false);
            self.socket = None;
            return Ok(false);
        }
        if wish.roams {
            person.wish(|wish| wish.roams = false);
            for transport in [&mut call.send, &mut call.recv].into_iter().flatten() {
                kept.next_port();
                transport.roam(person.ip, kept.port);
            }
        }
        if wish.reloads {
            person.wish(|wish| wish.reloads = false);
            call.ended = Some("closed its tab");
            return Ok(true);
        }
        if wish.channel.as_deref() != Some(&call.channel) {
            return self.leave(call, "left").await;
        }
        let dead = [&call.send, &call.recv].into_iter().flatten().any(|it| {
            let is_late = !it.is_connected() && now() > it.began + TRANSPORT_TIMEOUT;
            it.has_failed || is_late || it.has_lost_consent()
        });
        if dead {
            return self.leave(call, "its transport failed").await;
        }
        for direction in ["send", "recv"] {
            let slot = if direction == "send" { &call.send } else { &call.recv };
            if slot.is_none() && self.open(call, kept, direction).await.is_err() {
                self.socket = None;
                return Ok(false);
            }
        }
        while let Some(id) = call.strays.last().cloned() {
            if !self.close_producer(call, &id).await? {
                break;
            }
            call.strays.pop();
        }
        if let Some(Hostile::Ask(event, payload)) = person.wish(|wish| wish.hostile.pop_front()) {
            self.try_hostile(call, event, payload).await?;
            // What it did to itself is its own affair: it looks at itself anew.
            return Ok(true);
        }
        if let Some((kind, number)) = person.wish(|wish| wish.chores.pop_front()) {
            self.do_chore(call, kept, kind, number).await?;
        }
        if let Some(old) = kept.old_token.take() {
            self.show_old_token(call, kept, &old).await?;
        }
        self.tend_deaf(call, now() < wish.deaf_until).await?;
        self.tend_sources(call, &wish.sources).await?;
        self.tend_mute(call, wish.muted).await?;
        self.tend_consumers(call).await?;
        Ok(true)
    }

    /// Whatever the answer is, its server has no seat for it any more, and its connection ends next.
    async fn leave(&mut self, call: &mut Call, why: &'static str) -> Result<bool, Refused> {
        let asked = now();
        match self.ask(None, "voice:leave", json!({})).await {
            Ok(_) => {
                history::left(&call.session, now());
                slots::left(&call.session, asked);
            }
            Err(Refused::Broke) => return Err(Refused::Broke),
            Err(Refused::Code { .. }) => {}
        }
        call.ended = Some(why);
        Ok(true)
    }

    async fn tend_deaf(&mut self, call: &mut Call, is_deaf: bool) -> Result<(), Refused> {
        if call.is_deaf == Some(is_deaf) {
            return Ok(());
        }
        let event = if is_deaf { "voice:rtc:pauseConsumer" } else { "voice:rtc:resumeConsumer" };
        let consumers: Vec<String> =
            self.person.has(|has| has.consuming.values().map(|it| it.consumer.clone()).collect());
        let mut is_in_doubt = false;
        for consumer in consumers {
            match self.ask(Some(call), event, json!({"consumerId": consumer})).await {
                Err(Refused::Broke) => return Err(Refused::Broke),
                Err(refused) => is_in_doubt |= refused.is_in_doubt(),
                Ok(_) => {}
            }
        }
        // What no node answered is asked for again.
        call.is_deaf = (!is_in_doubt).then_some(is_deaf);
        Ok(())
    }

    async fn tend_sources(
        &mut self,
        call: &mut Call,
        wanted: &BTreeSet<&'static str>,
    ) -> Result<(), Refused> {
        let own = self.person.has(|has| has.own.clone());
        for (id, source) in &own {
            if !wanted.contains(source.as_str()) {
                self.close_producer(call, id).await?;
            }
        }
        let Some(transport) =
            call.send.as_ref().filter(|send| send.is_connected()).map(|send| send.id.clone())
        else {
            return Ok(());
        };
        for source in wanted {
            let late = call.not_before.get(*source).is_some_and(|at| now() < *at);
            if late || own.values().any(|it| it == source) {
                continue;
            }
            call.not_before.insert((*source).to_owned(), now() + 2 * SECOND);
            if *source == "camera" && !self.person.has(|has| has.video_granted) {
                let asked =
                    self.ask(Some(call), "voice:video:requestSlot", json!({"source": "camera"})).await;
                match asked {
                    Ok(reply) if reply["granted"] == true => {}
                    Ok(_) => {
                        call.slot_asked = true;
                        continue;
                    }
                    Err(Refused::Broke) => return Err(Refused::Broke),
                    Err(Refused::Code { code, .. }) => {
                        self.person.has(|has| *has.refused.entry(code).or_default() += 1);
                        continue;
                    }
                }
            }
            self.produce(call, source, &transport).await?;
        }
        Ok(())
    }

    /// False: it is to be tried again.
    async fn close_producer(&mut self, call: &mut Call, id: &str) -> Result<bool, Refused> {
        match self.ask(Some(call), "voice:rtc:closeProducer", json!({"producerId": id})).await {
            Err(Refused::Code { code, .. }) if code != "NOT_FOUND" => {
                tell(&self.person.user, || format!("may not close {id}: {code}"));
                return Ok(false);
            }
            Err(Refused::Broke) => return Err(Refused::Broke),
            _ => {}
        }
        self.person.has(|has| has.own.remove(id));
        call.offers.remove(id);
        Ok(true)
    }

    async fn produce(&mut self, call: &mut Call, source: &str, transport: &str) -> Result<(), Refused> {
        let parsed = match source {
            "mic" => Source::Mic,
            "camera" => Source::Camera,
            _ => Source::Screen,
        };
        call.next_offer += 1;
        let video = self.person.video;
        // Who sends spatial layers in one stream sends no simulcast.
        let layers =
            if parsed == Source::Camera && self.person.has_layers && video.parts() == 1 { 3 } else { 0 };
        let offer = match layers {
            0 => Offer::new(parsed, call.next_offer),
            _ => Offer::simulcast(call.next_offer, layers),
        };
        let offer = video.offer(offer);
        let asked = json!({"transportId": transport, "kind": parsed.kind(), "rtpParameters": offer.parameters,
            "appData": {"source": source}});
        match self.ask(Some(call), "voice:rtc:produce", asked).await {
            Ok(reply) => {
                let id = text(&reply, "producerId");
                tell(&self.person.user, || format!("sends {source} as {id}"));
                self.person.has(|has| {
                    has.video_granted &= source != "camera";
                    has.own.insert(id.clone(), source.to_owned());
                    has.known.push(id.clone());
                });
                let index = 65_000 + u64::from(call.next_offer) * 7;
                let source = source.to_owned();
                let sending = Sending { offer, index, picture: 0, source, paused: false, layers };
                call.offers.insert(id, sending);
            }
            Err(Refused::Broke) => return Err(Refused::Broke),
            Err(Refused::Code { code, .. }) => {
                tell(&self.person.user, || format!("may not send {source}: {code}"));
                self.person.has(|has| {
                    has.video_granted &= source != "camera";
                    *has.refused.entry(code).or_default() += 1;
                });
            }
        }
        Ok(())
    }

    async fn tend_mute(&mut self, call: &mut Call, muted: bool) -> Result<(), Refused> {
        let mic = call.offers.iter().find(|(_, it)| it.source == "mic" && it.paused != muted);
        let Some(id) = mic.map(|(id, _)| id.clone()) else { return Ok(()) };
        let event = if muted { "voice:rtc:pauseProducer" } else { "voice:rtc:resumeProducer" };
        let done = self.ask(Some(call), event, json!({"producerId": id})).await;
        match done {
            Err(Refused::Broke) => return Err(Refused::Broke),
            // Asked again at the next look.
            Err(refused) if refused.is_in_doubt() => return Ok(()),
            _ => {
                if let Some(it) = call.offers.get_mut(&id) {
                    it.paused = muted;
                }
            }
        }
        self.ask(Some(call), "voice:state:update", json!({"muted": muted})).await.map(drop).or(Ok(()))
    }

    async fn tend_consumers(&mut self, call: &mut Call) -> Result<(), Refused> {
        if call.recv.is_none() {
            return Ok(());
        }
        let missing: Vec<(String, String, String)> = self.person.has(|has| {
            let all = has.view.others.values().flat_map(|other| {
                other
                    .producers
                    .iter()
                    .map(|(id, (source, _))| (id.clone(), other.user.clone(), source.clone()))
            });
            all.filter(|(id, ..)| !has.consuming.contains_key(id)).collect()
        });
        for (id, user, source) in missing {
            if call.not_before.get(&id).is_some_and(|at| now() < *at) {
                continue;
            }
            call.not_before.insert(id.clone(), now() + SECOND);
            match self.consume(call, &id, user, source).await {
                Err(Refused::Code { code, .. }) => {
                    tell(&self.person.user, || format!("may not consume {id}: {code}"));
                    self.person.has(|has| *has.refused.entry(format!("consume {code}")).or_default() += 1);
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Consumes somebody's producer, in place of the consumer of it that there was.
    pub(super) async fn consume(
        &mut self,
        call: &mut Call,
        id: &str,
        user: String,
        source: String,
    ) -> Result<(), Refused> {
        let whose = (user.clone(), source.clone());
        let reply = self.ask(Some(call), "voice:rtc:consume", json!({"producerId": id})).await;
        // What a replica asked of its node before the way between them broke may have been done.
        if reply.as_ref().is_err_and(Refused::is_in_doubt) {
            call.unanswered.insert(whose);
        }
        let reply = reply?;
        let consumer = text(&reply, "consumerId");
        let ssrc = reply["rtpParameters"]["encodings"][0]["ssrc"].as_u64().unwrap_or_default();
        let ssrc = u32::try_from(ssrc).unwrap_or_default();
        if text(&reply, "userId") != user {
            broken("voice:consumed names whose producer it is (contract, 4)", || format!("{reply}"));
        }
        let rtx = reply["rtpParameters"]["encodings"][0]["rtx"]["ssrc"].as_u64();
        if let (Some(recv), Some(rtx)) = (&mut call.recv, rtx.and_then(|rtx| u32::try_from(rtx).ok())) {
            recv.asking.add(ssrc, rtx);
        }
        call.streams.insert(ssrc, (user.clone(), source.clone()));
        let closed = self.events.iter().any(|(_, payload)| text(payload, "consumerId") == consumer);
        self.events.retain(|(_, payload)| text(payload, "consumerId") != consumer);
        let is_video = source != "mic";
        self.person.has(|has| {
            has.known.push(consumer.clone());
            if !closed {
                let consuming =
                    Consuming { consumer: consumer.clone(), ssrc, user, source, ..Consuming::default() };
                has.consuming.insert(id.to_owned(), consuming);
            }
        });
        if is_video {
            let resumed =
                self.ask(Some(call), "voice:rtc:resumeConsumer", json!({"consumerId": consumer})).await;
            if let Err(Refused::Broke) = resumed {
                return Err(Refused::Broke);
            }
        }
        Ok(())
    }
}
