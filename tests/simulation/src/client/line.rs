//! One connection of a client: what it asks, and what comes unasked.

use super::kept::{Call, Kept};
use super::media::Transport;
use super::person::Person;
use super::socket::{Came, Socket};
use super::view::{View, text};
use crate::history;
use crate::kernel::now;
use crate::slots;
use crate::told::{broken, tell};
use anyhow::bail;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) const ASK_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) enum Refused {
    /// `epoch`: at which the room is of what a commit was for.
    Code {
        code: String,
        retry: u64,
        epoch: Option<u64>,
    },
    Broke,
}

impl Refused {
    /// It may have been done nonetheless.
    pub(super) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Broke => true,
            Self::Code { code, .. } => code == "NODE_UNAVAILABLE",
        }
    }
}

/// One connection.
pub(super) struct Line<'a> {
    pub(super) person: &'a Arc<Person>,
    pub(super) socket: Option<Socket>,
    pub(super) acks: BTreeMap<u64, Value>,
    pub(super) resumed: Option<Result<String, String>>,
    pub(super) events: Vec<(String, Value)>,
}

impl Line<'_> {
    /// Waits for what comes next, for a moment at most, and takes it in.
    pub(super) async fn step(&mut self, call: Option<&mut Call>) -> Result<(), ()> {
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
    pub(super) async fn ask(
        &mut self,
        mut call: Option<&mut Call>,
        event: &str,
        payload: Value,
    ) -> Result<Value, Refused> {
        let socket = self.socket.as_mut().ok_or(Refused::Broke)?;
        let of_slots = call.as_deref().and_then(|call| {
            let source_of = |id: &str| self.person.has(|has| has.own.get(id).cloned());
            slots::Request::of(&call.session, event, &payload, source_of)
        });
        if let Some(request) = &of_slots {
            slots::asked(request);
        }
        let sent = tokio::time::timeout(ASK_TIMEOUT, socket.emit(event, &payload)).await;
        let Ok(Ok(id)) = sent else { return Err(Refused::Broke) };
        let (asked, until) = (now(), Instant::now() + ASK_TIMEOUT);
        loop {
            if let Some(fields) = self.acks.remove(&id) {
                if fields["ok"].as_bool() == Some(true) {
                    if let Some(call) = &call {
                        history::was_in(&call.session, asked);
                        slots::was_in(&call.session, asked);
                    }
                    if let Some(request) = &of_slots {
                        slots::answered(request, Ok(&fields));
                    }
                    return Ok(fields);
                }
                let code = text(&fields, "code");
                if let Some(request) = &of_slots {
                    slots::answered(request, Err(&code));
                }
                if code == "INTERNAL" {
                    broken("No request is answered INTERNAL while nothing of the servers is wrong", || {
                        format!("{} asked {event} {payload}: {fields}", self.person.user)
                    });
                }
                let retry = fields["details"]["retryAfterMs"].as_u64().unwrap_or_default();
                let epoch = fields["details"]["epoch"].as_u64();
                return Err(Refused::Code { code, retry, epoch });
            }
            if Instant::now() >= until {
                tell(&self.person.user, || format!("no answer to {event}"));
                return Err(Refused::Broke);
            }
            self.step(call.as_deref_mut()).await.map_err(|()| Refused::Broke)?;
        }
    }

    pub(super) fn on_event(&mut self, name: &str, payload: &Value, call: Option<&mut Call>) {
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
                    call.strays = own.keys().filter(|id| !call.offers.contains_key(*id)).cloned().collect();
                    call.is_deaf = None;
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
                let source = self.person.has(|has| has.own.remove(&id)).unwrap_or_default();
                if let Some(call) = call {
                    slots::closed(&call.session, &source);
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
                if let Some(call) = call {
                    slots::granted(&call.session, &text(payload, "source"));
                }
            }
            "voice:permissions" if payload["permissions"]["video"] == false => {
                if let Some(call) = call {
                    slots::in_doubt(&call.session);
                }
                self.person.has(|has| has.view.fold(me, name, payload));
            }
            "voice:muted" => {
                let mics = call.into_iter().flat_map(|call| call.offers.values_mut());
                mics.filter(|it| it.source == "mic").for_each(|it| it.paused = true);
            }
            "voice:data" | "voice:e2ee:message" => self.on_message(name, payload, call),
            "voice:channel:watched" | "voice:channel:people" | "voice:channel:unwatched" => {
                self.on_watched(name, payload);
            }
            "voice:ringing" | "voice:ring:ended" => self.on_ring(name, payload),
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

    pub(super) async fn open(
        &mut self,
        call: &mut Call,
        kept: &mut Kept,
        direction: &str,
    ) -> anyhow::Result<()> {
        kept.next_port();
        let created =
            self.ask(Some(call), "voice:rtc:createTransport", json!({"direction": direction})).await;
        let Ok(reply) = created else { bail!("createTransport") };
        let login = kept.login.as_ref();
        let transport = Transport::new(self.person.ip, kept.port, &reply, kept.port.into(), login).await?;
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

    pub(super) async fn close(mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
    }
}
