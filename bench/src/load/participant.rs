//! One participant from its connection to its end.

use super::plan::{Place, Plan};
use super::sealing::{Encryption, Keys};
use super::talk;
use super::tally::{Join, Received, Sent, Tally};
use super::unseal::Unsealer;
use crate::server::{Tokens, User};
use anyhow::{Context, Result, bail};
use railgun_client::{
    Client, ClientConfig, ClientError, Consumer, ErrorCode, EventStream, Identity, MediaKind, Source,
    Transport, TransportDirection,
};
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What all participants have in common.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) url: String,
    pub(super) tokens: Tokens,
    pub(super) encryption: Encryption,
    /// Makes user ids that no other run has.
    pub(super) run: String,
    pub(super) plan: Arc<Plan>,
    pub(super) tally: Arc<Tally>,
    /// As a browser keeps its key pair ready; making one is not part of joining.
    pub(super) identity: Arc<Identity>,
}

/// Joins, sends and receives until `stop` says so. What goes wrong is counted.
pub(super) async fn take_part(load: Arc<Load>, place: Place, mut stop: watch::Receiver<bool>) {
    let joining = timeout(JOIN_TIMEOUT, Participant::join(&load, &place));
    let joined = tokio::select! {
        joined = joining => joined.unwrap_or_else(|_| bail!("not done within {JOIN_TIMEOUT:?}")),
        _ = stop.changed() => return,
    };
    let mut participant = match joined {
        Ok(participant) => participant,
        Err(error) => {
            load.tally.failed.fetch_add(1, Ordering::Relaxed);
            load.tally.on_failure(format!("joining: {error:#}"));
            return;
        }
    };
    tokio::select! {
        ended = participant.listen(&load) => {
            if let Err(error) = ended {
                load.tally.on_failure(format!("in the call: {error:#}"));
            }
        }
        _ = stop.changed() => {}
    }
    participant.sending.shutdown().await;
    participant.client.disconnect().await;
}

struct Participant {
    client: Client,
    who: String,
    events: EventStream,
    receiving: Transport,
    keys: Keys,
    consumers: HashMap<ConsumerId, (Consumer, Arc<Received>)>,
    /// Microphone and camera; one that ends does so with an error.
    sending: JoinSet<ClientError>,
    first_media: Arc<OnceLock<Instant>>,
    /// The first of its room, who tells the room's code.
    tells: bool,
    /// The code that was told last, and of how many streams of others something was opened.
    told: (Option<String>, usize),
}

impl Participant {
    async fn join(load: &Arc<Load>, place: &Place) -> Result<Self> {
        let token = load.token(place).await?;
        let config = ClientConfig { identity: Some(load.identity.clone()), ..ClientConfig::default() };
        let device = format!("load-{}", place.number);
        let started = Instant::now();
        let client =
            Client::connect_with(config, &load.url, &token, Some(&device)).await.context("connecting")?;
        let events = client.events();
        let connected = started.elapsed();
        let (room, keys) = load.encryption.join(&client, place, &load.plan).await.context("voice:join")?;
        let joined = started.elapsed();
        let transport = client.create_transport(TransportDirection::Send).await.context("send transport")?;
        let mut sending = JoinSet::new();
        let mic = transport.produce(MediaKind::Audio, Source::Mic).await.context("microphone")?;
        let sent = load.add_sent(mic.id(), MediaKind::Audio, place);
        let of_mic = keys.sealer(Source::Mic);
        sending.spawn(talk::speak(mic, of_mic, sent, place.clone(), load.plan.clone(), load.tally.clone()));
        let sending_after = started.elapsed();
        if place.has_camera {
            let feedback = transport.feedback();
            let camera = transport.produce(MediaKind::Video, Source::Camera).await.context("camera")?;
            let sent = load.add_sent(camera.id(), MediaKind::Video, place);
            let (plan, tally) = (load.plan.clone(), load.tally.clone());
            let of_camera = keys.sealer(Source::Camera);
            sending.spawn(talk::show(camera, of_camera, sent, place.clone(), plan, tally, feedback));
        }
        let receiving = client.create_transport(TransportDirection::Recv).await.context("recv transport")?;
        let mut participant = Self {
            client,
            who: place.who(),
            events,
            receiving,
            keys,
            consumers: HashMap::new(),
            sending,
            first_media: Arc::default(),
            tells: place.seat == 0,
            told: (None, 0),
        };
        let mut receiving_after = None;
        for of in &room.participants {
            for producer in &of.producers {
                let source = producer.app_data.source;
                participant.consume(load, producer.producer_id, of.session_id, source).await?;
                receiving_after.get_or_insert_with(|| started.elapsed());
            }
        }
        load.tally.on_join(Join {
            connected,
            joined,
            sending: sending_after,
            receiving: receiving_after,
            started,
            first_media: participant.first_media.clone(),
        });
        Ok(participant)
    }

    /// Until the call ends, which is an error.
    async fn listen(&mut self, load: &Load) -> Result<()> {
        let mut reports = interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.events.next() => match event? {
                    Some(event) => self.on_event(load, &event.name, &event.payload).await?,
                    None => bail!("the socket ended: {:?}", self.client.disconnected().await),
                },
                _ = reports.tick() => {
                    self.report().await;
                    self.keys.check()?;
                    self.tell_code(load);
                }
                Some(ended) = self.sending.join_next() => bail!("sending: {}", ended?),
            }
        }
    }

    async fn on_event(&mut self, load: &Load, name: &str, payload: &Value) -> Result<()> {
        match name {
            "voice:newProducer" => {
                let producer =
                    serde_json::from_value(payload["producerId"].clone()).context("a producer's id")?;
                let session =
                    serde_json::from_value(payload["sessionId"].clone()).context("a producer's session")?;
                let source = serde_json::from_value(payload["appData"]["source"].clone())
                    .context("a producer's source")?;
                self.consume(load, producer, session, source).await?;
            }
            "voice:consumerClosed" => {
                if let Ok(consumer) = serde_json::from_value(payload["consumerId"].clone()) {
                    self.consumers.remove(&consumer);
                }
            }
            "voice:kicked" | "voice:rejoin" | "voice:muted" => bail!("{name}, reason {}", payload["reason"]),
            _ => {}
        }
        Ok(())
    }

    async fn consume(
        &mut self,
        load: &Load,
        producer: ProducerId,
        session: SessionId,
        source: Source,
    ) -> Result<()> {
        if self.consumers.values().any(|(consumer, _)| consumer.producer_id() == producer) {
            return Ok(());
        }
        let received = load.tally.add_received(producer, &self.who);
        let (tally, of, first) = (load.tally.clone(), received.clone(), self.first_media.clone());
        let unsealer = self.keys.opener(session, source).map(|opener| Unsealer::new(opener, source));
        let tap = Arc::new(move |packet: &_| {
            first.get_or_init(Instant::now);
            match &unsealer {
                None => tally.on_packet(&of, packet),
                Some(unsealer) => match unsealer.open(packet) {
                    Some(opened) => tally.on_packet(&of, &opened),
                    None => tally.on_unopened(&of, packet),
                },
            }
        });
        let consumer = match self.receiving.consume_into(producer, tap).await {
            Ok(consumer) => consumer,
            Err(ClientError::Refused(refusal)) if refusal.code == ErrorCode::NotFound => {
                // It was closed meanwhile.
                load.tally.drop_received(&received);
                return Ok(());
            }
            Err(error) => return Err(error).context("voice:rtc:consume"),
        };
        if consumer.kind() == MediaKind::Video {
            consumer.resume().await.context("voice:rtc:resumeConsumer")?;
        }
        self.consumers.insert(consumer.id(), (consumer, received));
        Ok(())
    }

    /// For whoever is in the call by a page, which shows the same code.
    fn tell_code(&mut self, load: &Load) {
        let now = (self.keys.code(), load.tally.others.load(Ordering::Relaxed));
        if self.tells && now != self.told {
            if let (Some(code), others) = &now {
                eprintln!("{}: code {code}, something opened of {others} streams of others", self.who);
            }
            self.told = now;
        }
    }

    /// Receiver reports of everything.
    async fn report(&self) {
        let streams: Vec<_> = self.consumers.values().filter_map(|(_, received)| received.report()).collect();
        // A transport that has ended says so elsewhere.
        _ = self.receiving.send_receiver_reports(&streams).await;
    }
}

impl Load {
    fn add_sent(&self, producer: ProducerId, kind: MediaKind, place: &Place) -> Arc<Sent> {
        let sent = Sent::new(kind, place.who());
        self.tally.add_sent(producer, &sent);
        sent
    }

    async fn token(self: &Arc<Self>, place: &Place) -> Result<String> {
        let (load, place) = (self.clone(), place.clone());
        let token = tokio::task::spawn_blocking(move || {
            let id = format!("load-{}-{}", load.run, place.number);
            load.tokens.of(place.number, &User { id: &id, tier: place.tier, name: Some(&place.name) })
        });
        token.await?.context("a token")
    }
}
