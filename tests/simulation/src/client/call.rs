//! The life of one client: in and out of calls, and through whatever happens to its connection.

use super::media::{Heard, Transport};
use super::person::{Consuming, Has, Hostile, Person};
use super::socket::{Came, Socket};
use super::view::{View, text};
use crate::kernel::{MILLISECOND, Nanos, SECOND, WALL_BASE, now};
use crate::known;
use crate::tokens::mint;
use crate::told::{broken, tell};
use anyhow::{Context, bail};
use railgun_peer::{Offer, capabilities};
use railgun_protocol::signal::Source;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

const ASK_TIMEOUT: Duration = Duration::from_secs(10);
const TRANSPORT_TIMEOUT: Nanos = 12 * SECOND;
/// Of the contract's table: waits between tries to get a socket back.
const BACKOFF: [u64; 5] = [1, 2, 4, 8, 16];
/// A packet of a stream that was not told of yet is kept so long.
const UNTOLD_MAX: Nanos = 12 * SECOND;

const OWNERSHIP: &str =
    "An id that is somebody else's is NOT_FOUND, whatever is asked of it (contract, 4 and 5)";
const ONCE: &str = "A packet is forwarded once, sealed with the receiver's key under an index that none had (RFC 3711, 3.3.2)";
const ISOLATION: &str =
    "Every packet that a client opens belongs to a consumer of its session, in its room (contract, 2)";

/// What a client remembers over connections.
#[derive(Default)]
struct Kept {
    resume: Option<String>,
    /// Used, and to be shown again.
    old_token: Option<String>,
    call: Option<Call>,
    replica: usize,
    tries: usize,
    port: u16,
    /// Not before this time.
    join_at: Nanos,
}

/// One session's media.
struct Call {
    channel: String,
    session: String,
    send: Option<Transport>,
    recv: Option<Transport>,
    offers: BTreeMap<String, Sending>,
    /// User of each consumer of this session, by SSRC.
    streams: BTreeMap<u32, String>,
    untold: Vec<(Nanos, u32, String)>,
    /// By SSRC, the indices that senders gave their packets.
    heard: BTreeMap<u32, BTreeSet<u64>>,
    sequences: BTreeMap<u32, u16>,
    is_deaf: bool,
    next_offer: u32,
    next_packet: Nanos,
    ended: Option<&'static str>,
    not_before: BTreeMap<String, Nanos>,
    slot_asked: bool,
}

struct Sending {
    offer: Offer,
    index: u64,
    source: String,
    paused: bool,
}

/// How a connection ended.
enum Over {
    /// In order, and nothing is left of it.
    Done,
    /// It broke: the session may be taken up.
    Broke,
}

/// Lives for ever.
pub(crate) async fn live(person: Arc<Person>) {
    let mut kept = Kept { port: 20_000, ..Kept::default() };
    kept.replica = person.ip.octets()[3].into();
    loop {
        let wants = person.wish(|wish| wish.channel.is_some());
        if !wants && kept.call.is_none() || now() < kept.join_at {
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        match connection(&person, &mut kept).await {
            Ok(Over::Done) => {
                kept.resume = None;
                forget(&person, &mut kept);
                sleep(Duration::from_millis(300)).await;
            }
            Ok(Over::Broke) => {
                kept.replica += 1;
                sleep(Duration::from_secs(1)).await;
            }
            Err(error) => {
                tell(&person.user, || format!("no connection: {error:#}"));
                let wait = BACKOFF[kept.tries.min(BACKOFF.len() - 1)];
                kept.tries += 1;
                kept.replica += 1;
                if kept.tries > BACKOFF.len() && kept.resume.take().is_some() {
                    forget(&person, &mut kept);
                }
                wait_with_media(&person, &mut kept, Duration::from_secs(wait)).await;
            }
        }
    }
}

fn forget(person: &Person, kept: &mut Kept) {
    kept.call = None;
    person.has(|has| {
        *has = Has {
            joins: has.joins,
            resumes: has.resumes,
            packets: has.packets,
            known: std::mem::take(&mut has.known),
            refused: std::mem::take(&mut has.refused),
            ..Has::default()
        };
    });
}

/// Media goes on while there is no socket.
async fn wait_with_media(person: &Person, kept: &mut Kept, wait: Duration) {
    let until = Instant::now() + wait;
    while Instant::now() < until {
        if let Some(call) = &mut kept.call {
            call.tick(person);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn connection(person: &Arc<Person>, kept: &mut Kept) -> anyhow::Result<Over> {
    let to = person.replicas[kept.replica % person.replicas.len()];
    let mut auth = json!({"token": mint(&person.user, person.pro, person.pro_until.map(|at| WALL_BASE + at)), "deviceId": person.device});
    if let Some(resume) = &kept.resume {
        auth["resume"] = json!(resume);
    }
    let socket = Socket::connect(to, &auth).await.with_context(|| format!("to {to}"))?;
    let is_resuming = kept.resume.is_some();
    let mut line =
        Line { person, socket: Some(socket), acks: BTreeMap::new(), resumed: None, events: Vec::new() };
    if is_resuming {
        let mut call = kept.call.take().context("a call to resume")?;
        let until = Instant::now() + ASK_TIMEOUT;
        while line.resumed.is_none() && Instant::now() < until {
            if line.step(Some(&mut call)).await.is_err() {
                kept.call = Some(call);
                bail!("lost while it resumed");
            }
        }
        match line.resumed.take() {
            Some(Ok(token)) => {
                let old = kept.resume.replace(token);
                kept.tries = 0;
                kept.old_token =
                    old.filter(|_| person.wish(|wish| std::mem::take(&mut wish.shows_old_token)));
                person.has(|has| has.resumes += 1);
                tell(&person.user, || format!("took up {}", call.session));
                return serve(line, kept, call).await;
            }
            Some(Err(code)) => {
                tell(&person.user, || format!("could not take up its session: {code}"));
                drop(call);
                kept.resume = None;
                forget(person, kept);
            }
            None => {
                kept.call = Some(call);
                bail!("no answer to the resume");
            }
        }
    }
    let Some(channel) = person.wish(|wish| wish.channel.clone()) else {
        line.close().await;
        return Ok(Over::Done);
    };
    let joined =
        line.ask(None, "voice:join", json!({"channelId": channel, "rtpCapabilities": capabilities()})).await;
    let reply = match joined {
        Ok(reply) => reply,
        Err(Refused::Code { code, retry }) => {
            person.has(|has| *has.refused.entry(code.clone()).or_default() += 1);
            tell(&person.user, || format!("may not join {channel}: {code}"));
            line.close().await;
            let wait = retry.max(BACKOFF[kept.tries.min(2)] * 1000);
            kept.tries += 1;
            kept.join_at = now() + wait * MILLISECOND;
            return Ok(Over::Done);
        }
        Err(Refused::Broke) => {
            kept.tries += 1;
            kept.join_at = now() + SECOND;
            return Ok(Over::Done);
        }
    };
    let session = text(&reply, "sessionId");
    tell(&person.user, || format!("joined {channel} as {session}"));
    kept.resume = reply["resumeToken"].as_str().map(ToOwned::to_owned);
    kept.tries = 0;
    person.has(|has| {
        has.joins += 1;
        has.session = Some(session.clone());
        has.channel = channel.clone();
        has.since = now();
        has.known.push(session.clone());
    });
    let mut call = Call {
        channel,
        session,
        send: None,
        recv: None,
        offers: BTreeMap::new(),
        streams: BTreeMap::new(),
        untold: Vec::new(),
        heard: BTreeMap::new(),
        sequences: BTreeMap::new(),
        is_deaf: false,
        next_offer: 1,
        next_packet: 0,
        ended: None,
        not_before: BTreeMap::new(),
        slot_asked: false,
    };
    for direction in ["send", "recv"] {
        if let Err(error) = line.open(&mut call, kept, direction).await {
            tell(&person.user, || format!("no transport: {error:#}"));
            kept.call = Some(call);
            return Ok(Over::Broke);
        }
    }
    serve(line, kept, call).await
}

/// In a call, until the connection or the call is over.
async fn serve(mut line: Line<'_>, kept: &mut Kept, mut call: Call) -> anyhow::Result<Over> {
    let person = line.person;
    loop {
        let done = line.tend(&mut call, kept).await;
        if let Some(why) = call.ended {
            tell(&person.user, || format!("is out: {why}"));
            line.close().await;
            return Ok(Over::Done);
        }
        let done = match done {
            Ok(true) => line.step(Some(&mut call)).await,
            Ok(false) => Err(()),
            Err(Refused::Broke) => Err(()),
            Err(Refused::Code { .. }) => Ok(()),
        };
        if done.is_err() {
            tell(&person.user, || "lost its connection".into());
            kept.call = Some(call);
            return Ok(Over::Broke);
        }
    }
}

enum Refused {
    Code { code: String, retry: u64 },
    Broke,
}

/// One connection.
struct Line<'a> {
    person: &'a Arc<Person>,
    socket: Option<Socket>,
    acks: BTreeMap<u64, Value>,
    resumed: Option<Result<String, String>>,
    events: Vec<(String, Value)>,
}

impl Line<'_> {
    /// Waits for what comes next, for a moment at most, and takes it in.
    async fn step(&mut self, call: Option<&mut Call>) -> Result<(), ()> {
        let socket = self.socket.as_mut().ok_or(())?;
        let pace = Duration::from_nanos(self.person.pace);
        let arrived = call.as_ref().and_then(|call| call.recv.as_ref()).map(|recv| recv.port.arrived.clone());
        let came = tokio::select! {
            biased;
            came = socket.next() => Some(came),
            () = async { match arrived { Some(arrived) => arrived.notified().await, None => std::future::pending().await } } => None,
            () = sleep_until(Instant::now() + pace) => None,
        };
        let mut call = call;
        match came {
            Some(Ok(Came::Ack(id, fields))) => _ = self.acks.insert(id, fields),
            Some(Ok(Came::Event(name, payload))) => self.on_event(&name, &payload, call.as_deref_mut()),
            Some(Err(error)) => {
                tell(&self.person.user, || format!("{error:#}"));
                self.socket = None;
                return Err(());
            }
            None => {}
        }
        if let Some(call) = call {
            call.tick(self.person);
        }
        Ok(())
    }

    /// A request, and its ack; what comes before it is taken in.
    async fn ask(
        &mut self,
        mut call: Option<&mut Call>,
        event: &str,
        payload: Value,
    ) -> Result<Value, Refused> {
        let socket = self.socket.as_mut().ok_or(Refused::Broke)?;
        let sent = tokio::time::timeout(ASK_TIMEOUT, socket.emit(event, &payload)).await;
        let Ok(Ok(id)) = sent else { return Err(Refused::Broke) };
        let until = Instant::now() + ASK_TIMEOUT;
        loop {
            if let Some(fields) = self.acks.remove(&id) {
                if fields["ok"].as_bool() == Some(true) {
                    return Ok(fields);
                }
                let code = text(&fields, "code");
                if code == "INTERNAL" {
                    broken("No request is answered INTERNAL while nothing of the servers is wrong", || {
                        format!("{} asked {event} {payload}: {fields}", self.person.user)
                    });
                }
                let retry = fields["details"]["retryAfterMs"].as_u64().unwrap_or_default();
                return Err(Refused::Code { code, retry });
            }
            if Instant::now() >= until {
                tell(&self.person.user, || format!("no answer to {event}"));
                return Err(Refused::Broke);
            }
            self.step(call.as_deref_mut()).await.map_err(|()| Refused::Broke)?;
        }
    }

    fn on_event(&mut self, name: &str, payload: &Value, call: Option<&mut Call>) {
        let me = &self.person.user;
        match name {
            "voice:joined" => {
                let view = View::of(payload);
                self.person.has(|has| has.view = view);
            }
            "voice:resumed" => {
                let view = View::of(payload);
                let own = payload["producers"].as_array().cloned().unwrap_or_default();
                let own: BTreeMap<String, String> =
                    own.iter().map(|it| (text(it, "producerId"), text(&it["appData"], "source"))).collect();
                let mine = payload["consumers"].as_array().cloned().unwrap_or_default();
                let mine: BTreeSet<String> = mine.iter().map(|it| text(it, "consumerId")).collect();
                self.person.has(|has| {
                    has.view = view;
                    has.consuming.retain(|_, it| mine.contains(&it.consumer));
                    has.own = own.clone();
                });
                if let Some(call) = call {
                    call.offers.retain(|id, _| own.contains_key(id));
                    for it in payload["producers"].as_array().into_iter().flatten() {
                        if let Some(sending) = call.offers.get_mut(&text(it, "producerId")) {
                            sending.paused = it["paused"].as_bool().unwrap_or_default();
                        }
                    }
                }
                self.resumed = Some(Ok(text(payload, "resumeToken")));
            }
            "voice:error" if payload["event"] == "resume" => self.resumed = Some(Err(text(payload, "code"))),
            "voice:consumerClosed" => {
                let id = text(payload, "consumerId");
                let known = self.person.has(|has| {
                    let before = has.consuming.len();
                    has.consuming.retain(|_, it| it.consumer != id);
                    before != has.consuming.len()
                });
                if !known {
                    self.events.push((name.to_owned(), payload.clone()));
                }
            }
            "voice:producerClosed"
                if self.person.has(|has| has.own.contains_key(&text(payload, "producerId"))) =>
            {
                let id = text(payload, "producerId");
                tell(me, || format!("its producer was closed: {payload}"));
                self.person.has(|has| has.own.remove(&id));
                if let Some(call) = call {
                    call.offers.remove(&id);
                }
            }
            "voice:producerPaused" | "voice:producerResumed"
                if self.person.has(|has| has.own.contains_key(&text(payload, "producerId"))) => {}
            "voice:kicked" | "voice:rejoin" => {
                tell(me, || format!("{name} {payload}"));
                if let Some(call) = call {
                    call.ended = Some(if name == "voice:kicked" { "kicked" } else { "told to rejoin" });
                }
            }
            "voice:video:granted" => {
                self.person.has(|has| has.video_granted = true);
            }
            "voice:rtc:transportState" => {
                let id = text(payload, "transportId");
                let failed = payload["dtls"] == "failed"
                    || payload["ice"] == "disconnected" && payload["dtls"] == "closed";
                if let Some(call) = call
                    && failed
                {
                    for transport in [&mut call.send, &mut call.recv].into_iter().flatten() {
                        transport.has_failed |= transport.id == id;
                    }
                }
            }
            _ => self.person.has(|has| has.view.fold(me, name, payload)),
        }
    }

    async fn open(&mut self, call: &mut Call, kept: &mut Kept, direction: &str) -> anyhow::Result<()> {
        kept.port = if kept.port >= 60_000 { 20_000 } else { kept.port + 1 };
        let created =
            self.ask(Some(call), "voice:rtc:createTransport", json!({"direction": direction})).await;
        let Ok(reply) = created else { bail!("createTransport") };
        let transport = Transport::new(self.person.ip, kept.port, &reply, kept.port.into())?;
        self.person.has(|has| has.known.push(transport.id.clone()));
        let asked = json!({"transportId": transport.id, "dtlsParameters": transport.peer.dtls_parameters()});
        let slot = if direction == "send" { &mut call.send } else { &mut call.recv };
        *slot = Some(transport);
        if self.ask(Some(call), "voice:rtc:connectTransport", asked).await.is_err() {
            bail!("connectTransport");
        }
        let slot = if direction == "send" { &mut call.send } else { &mut call.recv };
        if let Some(transport) = slot {
            transport.start();
        }
        Ok(())
    }

    /// Brings the call to what the person wishes, one step at a time. False: the connection is to break.
    async fn tend(&mut self, call: &mut Call, kept: &mut Kept) -> Result<bool, Refused> {
        let person = self.person;
        let wish = person.wish(|wish| wish.clone());
        if wish.breaks {
            person.wish(|wish| wish.breaks = false);
            self.socket = None;
            return Ok(false);
        }
        if wish.reloads {
            person.wish(|wish| wish.reloads = false);
            call.ended = Some("closed its tab");
            return Ok(true);
        }
        if wish.channel.as_deref() != Some(&call.channel) {
            _ = self.ask(Some(call), "voice:leave", json!({})).await?;
            call.ended = Some("left");
            return Ok(true);
        }
        let dead = [&call.send, &call.recv]
            .into_iter()
            .flatten()
            .any(|it| it.has_failed || !it.is_connected() && now() > it.began + TRANSPORT_TIMEOUT);
        if dead {
            _ = self.ask(Some(call), "voice:leave", json!({})).await?;
            call.ended = Some("its transport failed");
            return Ok(true);
        }
        if let Some(Hostile::Ask(event, payload)) = person.wish(|wish| wish.hostile.pop_front()) {
            let done = self.ask(Some(call), event, payload.clone()).await;
            match done {
                Ok(reply) => {
                    tell(&person.user, || format!("hostile {event} {payload} was done"));
                    // A consumer of its own room, in place of the one that it had.
                    if event == "voice:rtc:consume" {
                        call.streams.insert(ssrc_of(&reply), text(&reply, "userId"));
                    }
                    if !payload.is_null()
                        && !["voice:rtc:consume", "voice:video:releaseSlot", "voice:video:requestSlot"]
                            .contains(&event)
                    {
                        broken(OWNERSHIP, || format!("{} did {event} {payload}", person.user));
                    }
                }
                Err(Refused::Broke) => return Err(Refused::Broke),
                Err(Refused::Code { code, .. }) => tell(&person.user, || format!("hostile {event}: {code}")),
            }
            // What it did to itself is its own affair: it looks at itself anew.
            return Ok(true);
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

    /// A token that was used, and whose successor was used for a request, opens nothing.
    async fn show_old_token(&mut self, call: &mut Call, kept: &Kept, old: &str) -> Result<(), Refused> {
        _ = self.ask(Some(call), "voice:state:update", json!({"deafened": false})).await;
        let to = self.person.replicas[(kept.replica + 1) % self.person.replicas.len()];
        let token = mint(&self.person.user, self.person.pro, None);
        let auth = json!({"token": token, "deviceId": self.person.device, "resume": old});
        let Ok(mut socket) = Socket::connect(to, &auth).await else { return Ok(()) };
        let until = Instant::now() + Duration::from_secs(5);
        while let Ok(Ok(came)) = tokio::time::timeout_at(until, socket.next()).await {
            match came {
                Came::Event(name, payload) if name == "voice:resumed" => {
                    broken(
                        "A resume token is replaced at each use: the old one is void (contract, 3)",
                        || format!("{} took up {} with one: {payload}", self.person.user, call.session),
                    );
                    break;
                }
                Came::Event(name, _) if name == "voice:error" => break,
                _ => {}
            }
        }
        tell(&self.person.user, || "showed its old resume token".into());
        socket.close().await;
        Ok(())
    }

    async fn tend_deaf(&mut self, call: &mut Call, is_deaf: bool) -> Result<(), Refused> {
        if std::mem::replace(&mut call.is_deaf, is_deaf) == is_deaf {
            return Ok(());
        }
        let event = if is_deaf { "voice:rtc:pauseConsumer" } else { "voice:rtc:resumeConsumer" };
        let consumers: Vec<String> =
            self.person.has(|has| has.consuming.values().map(|it| it.consumer.clone()).collect());
        for consumer in consumers {
            if let Err(Refused::Broke) = self.ask(Some(call), event, json!({"consumerId": consumer})).await {
                return Err(Refused::Broke);
            }
        }
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
                let done = self.ask(Some(call), "voice:rtc:closeProducer", json!({"producerId": id})).await;
                if let Err(Refused::Broke) = done {
                    return Err(Refused::Broke);
                }
                self.person.has(|has| has.own.remove(id));
                call.offers.remove(id);
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

    async fn produce(&mut self, call: &mut Call, source: &str, transport: &str) -> Result<(), Refused> {
        let parsed = match source {
            "mic" => Source::Mic,
            "camera" => Source::Camera,
            _ => Source::Screen,
        };
        call.next_offer += 1;
        let offer = Offer::new(parsed, call.next_offer);
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
                call.offers.insert(id, Sending { offer, index, source: source.to_owned(), paused: false });
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
            _ => {
                if let Some(it) = call.offers.get_mut(&id) {
                    it.paused = muted;
                }
            }
        }
        match done {
            Err(Refused::Broke) => Err(Refused::Broke),
            _ => {
                self.ask(Some(call), "voice:state:update", json!({"muted": muted})).await.map(drop).or(Ok(()))
            }
        }
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
            let reply = match self.ask(Some(call), "voice:rtc:consume", json!({"producerId": id})).await {
                Ok(reply) => reply,
                Err(Refused::Broke) => return Err(Refused::Broke),
                Err(Refused::Code { code, .. }) => {
                    tell(&self.person.user, || format!("may not consume {id}: {code}"));
                    self.person.has(|has| *has.refused.entry(format!("consume {code}")).or_default() += 1);
                    continue;
                }
            };
            let consumer = text(&reply, "consumerId");
            let ssrc = ssrc_of(&reply);
            if text(&reply, "userId") != user {
                broken("voice:consumed names whose producer it is (contract, 4)", || format!("{reply}"));
            }
            call.streams.insert(ssrc, user.clone());
            let closed = self.events.iter().any(|(_, payload)| text(payload, "consumerId") == consumer);
            self.events.retain(|(_, payload)| text(payload, "consumerId") != consumer);
            self.person.has(|has| {
                has.known.push(consumer.clone());
                if !closed {
                    let consuming = Consuming {
                        consumer: consumer.clone(),
                        ssrc,
                        user,
                        source: source.clone(),
                        ..Consuming::default()
                    };
                    has.consuming.insert(id, consuming);
                }
            });
            if source != "mic"
                && let Err(Refused::Broke) =
                    self.ask(Some(call), "voice:rtc:resumeConsumer", json!({"consumerId": consumer})).await
            {
                return Err(Refused::Broke);
            }
        }
        Ok(())
    }

    async fn close(mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
    }
}

/// SSRC of a `voice:consumed`.
fn ssrc_of(reply: &Value) -> u32 {
    let ssrc = reply["rtpParameters"]["encodings"][0]["ssrc"].as_u64().unwrap_or_default();
    u32::try_from(ssrc).unwrap_or_default()
}

impl Call {
    /// What is due of media, and what came of it.
    fn tick(&mut self, person: &Person) {
        if let Some(how) = crate::kernel::amplification() {
            broken(
                "Before an address is proved at most three times its bytes are sent to it, and a little speech (contract, 5)",
                || how,
            );
        }
        for transport in [&mut self.send, &mut self.recv].into_iter().flatten() {
            transport.tick();
        }
        let mut heard = Vec::new();
        for transport in [&mut self.send, &mut self.recv].into_iter().flatten() {
            let (packets, unopened) = transport.receive();
            heard.extend(packets);
            if unopened > 0 && known::opens_all() {
                broken(ONCE, || format!("{} could not open {unopened} packets", person.user));
            }
        }
        heard.into_iter().for_each(|packet| self.hear(person, packet));
        self.look_at_untold(person);
        if now() < self.next_packet {
            return;
        }
        self.next_packet = now() + person.pace;
        let Some(send) = self.send.as_mut().filter(|send| send.is_connected()) else { return };
        for sending in self.offers.values_mut().filter(|it| !it.paused) {
            sending.index += 1;
            let tag = format!(
                "{}|{}|{}|{}|{}",
                person.user, self.channel, sending.source, self.session, sending.index
            );
            send.speak(&sending.offer, sending.index, &tag);
        }
    }

    fn hear(&mut self, person: &Person, packet: Heard) {
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
        if !self.heard.entry(packet.ssrc).or_default().insert(index) {
            broken(ONCE, || format!("{} heard {tag} twice", person.user));
        }
        let last = self.sequences.insert(packet.ssrc, packet.sequence);
        if known::is_in_order()
            && let Some(last) = last
            && packet.sequence.wrapping_sub(last) > 0x8000
        {
            broken(ONCE, || format!("{} heard {} of {tag} after {last}", person.user, packet.sequence));
        }
        if source != Some("mic") {
            known::video_of(user.unwrap_or_default());
        }
        if channel != Some(&self.channel) {
            broken(ISOLATION, || format!("{} in {} heard {tag}", person.user, self.channel));
        }
        if session == Some(&self.session) {
            broken(ISOLATION, || format!("{} heard itself: {tag}", person.user));
        }
        match self.streams.get(&packet.ssrc) {
            Some(of) if Some(of.as_str()) == user => {}
            Some(of) => broken(ISOLATION, || format!("{} heard {tag} on a consumer of {of}", person.user)),
            None if self.untold.len() < 64 => self.untold.push((now(), packet.ssrc, tag)),
            None => {}
        }
    }

    fn look_at_untold(&mut self, person: &Person) {
        let streams = &self.streams;
        self.untold.retain(|(_, ssrc, _)| !streams.contains_key(ssrc));
        if let Some((_, ssrc, tag)) = self.untold.iter().find(|(at, ..)| now() > at + UNTOLD_MAX) {
            broken(ISOLATION, || {
                format!("{} heard {tag} on {ssrc}, of which it has no consumer", person.user)
            });
            self.untold.clear();
        }
    }
}
