//! What a client does beside its call: small messages, key agreement, watching and calling, statistics, and what else the
//! contract has requests for.

use super::kept::{Call, Kept};
use super::line::{Line, Refused};
use super::media::Transport;
use super::socket::{Came, Socket};
use super::view::text;
use crate::kernel::{SECOND, now};
use crate::messages;
use crate::tokens::mint;
use crate::told::{broken, tell};
use railgun_peer::{Offer, capabilities};
use railgun_protocol::signal::Source;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Kinds of which each is drawn alone.
pub(crate) const CHORE_KINDS: u32 = 20;
/// One more: takes back the call that it made.
pub(crate) const CANCELS: u32 = 20;

/// Everything that a test of an echo does.
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);
/// Who makes noise for the third time in a session is put out for longer than a world lasts.
const NOISES_MAX: u32 = 2;
const KINDS: [&str; 4] = ["commit", "proposal", "welcome", "groupInfo"];

impl Line<'_> {
    pub(super) async fn do_chore(
        &mut self,
        call: &mut Call,
        kept: &mut Kept,
        kind: u32,
        number: u64,
    ) -> Result<(), Refused> {
        let person = self.person;
        let pick = |of: usize| usize::try_from(number >> 8).unwrap_or_default() % of.max(1);
        let others: Vec<String> = person.has(|has| has.view.others.keys().cloned().collect());
        let one = others.get(pick(others.len())).cloned();
        let consumers: Vec<String> =
            person.has(|has| has.consuming.values().map(|it| it.consumer.clone()).collect());
        let consumer = consumers.get(pick(consumers.len()));
        let transports: Vec<String> =
            [&call.send, &call.recv].into_iter().flatten().map(|it| it.id.clone()).collect();
        let room = format!("room-{}", number % 3);
        let done = match (kind, consumer) {
            (0 | 1, _) => self.say(call, one.filter(|_| kind == 1)).await,
            (2 | 3, _) if call.is_encrypted => self.agree(call, number, one).await,
            (4, _) => self.ask(Some(call), "voice:channel:watch", json!({"channelId": room})).await,
            (5, _) => self.ask(Some(call), "voice:channel:unwatch", json!({"channelId": room})).await,
            (6, _) => {
                let channel = call.channel.clone();
                self.ask(Some(call), "voice:ring", json!({"channelId": channel})).await
            }
            (7, _) => {
                let Some(from) = person.has(|has| has.ringing.first().cloned()) else { return Ok(()) };
                if number.is_multiple_of(2) {
                    person.wish(|wish| wish.channel = Some(from));
                    return Ok(());
                }
                self.ask(Some(call), "voice:ring:decline", json!({"channelId": from})).await
            }
            (8, _) => {
                let report = json!({"transport": "udp", "rtt": number % 900, "jitter": number % 70,
                    "packetLoss": number % 101, "mos": 1 + number % 4, "networkType": "wifi"});
                self.ask(Some(call), "voice:stats:report", report).await
            }
            (9, _) => self.ask(Some(call), "voice:turn:refresh", json!({})).await,
            (10, _) => {
                let token = super::call::token(person);
                self.ask(Some(call), "voice:entitlement:refresh", json!({"token": token})).await
            }
            (11, _) => self.ask(Some(call), "voice:ui:event", json!({"name": "upgrade_cta_shown"})).await,
            (12, _) => {
                let pong = self.ask(Some(call), "voice:ping", json!({"sentAt": number % 1000})).await;
                if pong.as_ref().is_ok_and(|pong| pong["sentAt"] != number % 1000) {
                    broken("A ping's answer bears its time (contract, 4)", || {
                        format!("{pong:?}", pong = pong.as_ref().ok())
                    });
                }
                pong
            }
            (13, _) => self.look_at_stats(call, &transports, number).await,
            (14, _) => self.ask(Some(call), "voice:rtc:getRouterRtpCapabilities", json!({})).await,
            (15, _) => self.restart_ice(call, transports.get(pick(transports.len()))).await,
            (16, Some(consumer)) => {
                let layers = json!({"consumerId": consumer, "spatialLayer": number % 3, "temporalLayer": number >> 16 & 3});
                self.ask(Some(call), "voice:rtc:setPreferredLayers", layers).await
            }
            (17, Some(consumer)) => {
                let (event, payload) = match number % 2 {
                    0 => (
                        "voice:rtc:setPriority",
                        json!({"consumerId": consumer, "priority": 1 + number % 255}),
                    ),
                    _ => ("voice:rtc:requestKeyFrame", json!({"consumerId": consumer})),
                };
                self.ask(Some(call), event, payload).await
            }
            (18, _) => {
                person.wish(|wish| {
                    if wish.noises < NOISES_MAX {
                        (wish.noises, wish.noise_until) = (wish.noises + 1, now() + 13 * SECOND);
                    }
                });
                return Ok(());
            }
            (CANCELS, _) => {
                let channel = call.channel.clone();
                self.ask(Some(call), "voice:ring:decline", json!({"channelId": channel})).await
            }
            (19, _) => {
                self.test_echo(kept).await;
                return Ok(());
            }
            _ => return Ok(()),
        };
        match done {
            Err(Refused::Broke) => Err(Refused::Broke),
            Err(Refused::Code { code, .. }) => {
                tell(&person.user, || format!("chore {kind}: {code}"));
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// `voice:data`, to all or to one.
    async fn say(&mut self, call: &mut Call, to: Option<String>) -> Result<Value, Refused> {
        let tag = call.messages.next(&call.session, to.as_deref());
        let mut message = json!({"kind": "simulated", "payload": tag});
        if let Some(to) = to {
            message["to"] = json!(to);
        }
        self.ask(Some(call), "voice:data", message).await
    }

    /// `voice:e2ee:message`: mostly a commit.
    async fn agree(&mut self, call: &mut Call, number: u64, one: Option<String>) -> Result<Value, Refused> {
        let kind = KINDS[usize::try_from(number % 6).unwrap_or_default().saturating_sub(2)];
        let to = one.filter(|_| kind == "welcome" || kind == "groupInfo");
        let (tag, epoch) = (call.messages.next(&call.session, to.as_deref()), call.messages.epoch());
        let data = messages::mls(kind, &call.channel, epoch, &tag);
        let mut message = json!({"kind": kind, "epoch": epoch, "data": data});
        if let Some(to) = to {
            message["to"] = json!(to);
        }
        let done = self.ask(Some(call), "voice:e2ee:message", message).await;
        if kind == "commit" {
            let me = call.session.clone();
            match &done {
                Ok(_) => call.messages.commit_taken(&me, epoch, &tag),
                Err(Refused::Code { epoch: Some(current), .. }) => call.messages.commit_late(&me, *current),
                Err(refused) if refused.is_in_doubt() => call.messages.commit_in_doubt(epoch),
                Err(_) => {}
            }
        }
        done
    }

    pub(super) fn on_message(&mut self, name: &str, payload: &Value, call: Option<&mut Call>) {
        let Some(call) = call else { return };
        let me = &self.person.user;
        let is_data = name == "voice:data";
        let tag = if is_data { text(payload, "payload") } else { messages::tag_of(&text(payload, "data")) };
        let session = text(payload, "sessionId");
        let seq = payload["roomSeq"].as_u64().unwrap_or_default();
        let is_old = !is_data && self.person.has(|has| seq <= has.view.room_seq);
        call.messages.came(&call.session, payload, &tag, is_old);
        if text(payload, "kind") == "commit" {
            call.messages.commit_came(&call.session, payload["epoch"].as_u64().unwrap_or_default(), &tag);
        }
        if is_old {
            return;
        }
        self.person.has(|has| {
            match tag.ends_with('*') {
                true => has.view.fold(me, name, payload),
                false => has.view.aside(me, name, payload),
            }
            if has.view.others.get(&session).is_none_or(|of| of.user != text(payload, "userId")) {
                broken("A message is of somebody who is in the room (contract, 7a)", || {
                    format!("{me} was told {payload}")
                });
            }
        });
    }

    pub(super) fn on_watched(&mut self, name: &str, payload: &Value) {
        let channel = text(payload, "channelId");
        let people = payload["people"].as_array().into_iter().flatten();
        let users = people.map(|it| text(it, "userId")).collect();
        self.person.has(|has| match name {
            "voice:channel:unwatched" => _ = has.watched.remove(&channel),
            "voice:channel:people" if !has.watched.contains_key(&channel) => {
                broken("Who does not watch a channel is not told who is there (contract, 7a)", || {
                    format!("{} was told {payload}", self.person.user)
                });
            }
            _ => _ = has.watched.insert(channel, users),
        });
    }

    pub(super) fn on_ring(&mut self, name: &str, payload: &Value) {
        let (channel, me) = (text(payload, "channelId"), &self.person.user);
        tell(me, || format!("{name} {payload}"));
        if name == "voice:ringing" {
            messages::rings(me, &channel);
            self.person.has(|has| _ = has.ringing.insert(channel));
        } else if payload["userId"].is_null() && !self.person.has(|has| has.ringing.remove(&channel)) {
            broken("A call that ends rang (contract, 7a)", || format!("{me} was told {payload}"));
        }
    }

    async fn look_at_stats(
        &mut self,
        call: &mut Call,
        transports: &[String],
        number: u64,
    ) -> Result<Value, Refused> {
        let asked = match transports.first().filter(|_| number.is_multiple_of(2)) {
            Some(transport) => json!({"transportId": transport}),
            None => json!({}),
        };
        let stats = self.ask(Some(call), "voice:rtc:getStats", asked).await?;
        let told = stats["transports"].as_array().into_iter().flatten().map(|it| text(it, "transportId"));
        if let Some(other) = told.into_iter().find(|id| !transports.contains(id)) {
            broken("Statistics are of what is the session's own (contract, 5)", || {
                format!("{} was told of {other}: {stats}", self.person.user)
            });
        }
        Ok(stats)
    }

    async fn restart_ice(&mut self, call: &mut Call, id: Option<&String>) -> Result<Value, Refused> {
        let Some(id) = id else { return Ok(Value::Null) };
        let reply = self.ask(Some(call), "voice:rtc:restartIce", json!({"transportId": id})).await?;
        let parameters = serde_json::from_value(reply["iceParameters"].clone()).ok();
        let both = [&mut call.send, &mut call.recv].into_iter().flatten();
        if let (Some(transport), Some(parameters)) = (both.into_iter().find(|it| it.id == *id), parameters) {
            transport.peer.use_ice(parameters);
        }
        Ok(reply)
    }

    /// Joins `$diagnostics` on a connection of its own, where it hears itself and nobody else.
    async fn test_echo(&mut self, kept: &mut Kept) {
        kept.port = if kept.port >= 60_000 { 20_000 } else { kept.port + 2 };
        let mut echo = Echo { socket: None, acks: BTreeMap::new(), until: Instant::now() + ECHO_TIMEOUT };
        let done = echo.test(self, kept.port, kept.replica).await;
        tell(&self.person.user, || format!("tests its echo: {}", done.is_some()));
        if let Some(socket) = echo.socket {
            socket.close().await;
        }
    }
}

/// A connection for one test.
struct Echo {
    socket: Option<Socket>,
    acks: BTreeMap<u64, Value>,
    until: Instant,
}

impl Echo {
    /// None: it came to no end.
    async fn test(&mut self, line: &Line<'_>, port: u16, replica: usize) -> Option<()> {
        let person = line.person;
        let to = person.replicas[replica % person.replicas.len()];
        let token = mint(&person.user, person.pro, None, person.is_private);
        let auth = json!({"token": token, "deviceId": "echo"});
        self.socket = timeout_at(self.until, Socket::connect(to, person.carriage, &auth)).await.ok()?.ok();
        let join = json!({"channelId": "$diagnostics", "rtpCapabilities": capabilities()});
        let joined = self.ask("voice:join", join).await?;
        if joined["participants"].as_array().is_some_and(|others| !others.is_empty()) {
            broken("In $diagnostics everybody is alone (contract, 5)", || {
                format!("{}: {joined}", person.user)
            });
        }
        let mut producer = Value::Null;
        for direction in ["send", "recv"] {
            let reply = self.ask("voice:rtc:createTransport", json!({"direction": direction})).await?;
            // No datagram leaves it.
            let transport = Transport::new(person.ip, port, &reply, port.into(), None).await.ok()?;
            if direction == "send" {
                let parameters = transport.peer.dtls_parameters();
                let connect = json!({"transportId": transport.id, "dtlsParameters": parameters});
                self.ask("voice:rtc:connectTransport", connect).await?;
                let offer = Offer::new(Source::Mic, 1);
                let produce = json!({"transportId": transport.id, "kind": "audio",
                    "rtpParameters": offer.parameters, "appData": {"source": "mic"}});
                producer = self.ask("voice:rtc:produce", produce).await?["producerId"].clone();
            }
        }
        let consumed = self.ask("voice:rtc:consume", json!({"producerId": producer})).await?;
        if consumed["userId"] != person.user.as_str() {
            broken("In $diagnostics everybody is alone (contract, 5)", || {
                format!("{}: {consumed}", person.user)
            });
        }
        self.ask("voice:leave", json!({})).await.map(drop)
    }

    /// None: it was refused, or is not answered in time.
    async fn ask(&mut self, event: &str, payload: Value) -> Option<Value> {
        let socket = self.socket.as_mut()?;
        let id = timeout_at(self.until, socket.emit(event, &payload)).await.ok()?.ok()?;
        loop {
            if let Some(fields) = self.acks.remove(&id) {
                if fields["code"] == "INTERNAL" {
                    broken("No request is answered INTERNAL while nothing of the servers is wrong", || {
                        format!("{event}: {fields}")
                    });
                }
                return (fields["ok"] == true).then_some(fields);
            }
            if let Came::Ack(id, fields) = timeout_at(self.until, socket.next()).await.ok()?.ok()? {
                self.acks.insert(id, fields);
            }
        }
    }
}
