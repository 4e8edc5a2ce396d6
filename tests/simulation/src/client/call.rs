//! The life of one client: in and out of calls, and through whatever happens to its connection.

use super::kept::{Call, Kept};
use super::line::{ASK_TIMEOUT, Line, Refused};
use super::person::Person;
use super::relayed::Login;
use super::socket::Socket;
use super::view::text;
use crate::history;
use crate::kernel::{MILLISECOND, SECOND, now, wall_seconds};
use crate::messages::Messages;
use crate::slots;
use crate::tokens::mint;
use crate::told::{broken, tell};
use anyhow::{Context, bail};
use railgun_peer::all_capabilities;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Of the contract's table: waits between tries to get a socket back.
const BACKOFF: [u64; 5] = [1, 2, 4, 8, 16];

/// However long a refusal says.
const BARRED_MAX_MS: u64 = 60_000;

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
    person.forget();
}

pub(super) fn token(person: &Person) -> String {
    mint(
        &person.user,
        person.pro,
        person.pro_until.map(|at| wall_seconds() - now() / SECOND + at),
        person.is_private,
    )
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
    let mut auth = json!({"token": token(person), "deviceId": person.device});
    if let Some(resume) = &kept.resume {
        auth["resume"] = json!(resume);
    }
    let socket = Socket::connect(to, person.carriage, &auth).await.with_context(|| format!("to {to}"))?;
    person.has(|has| {
        has.watched.clear();
        has.ringing.clear();
    });
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
    let asked = now();
    let join = json!({"channelId": channel, "rtpCapabilities": all_capabilities(), "e2ee": {"version": 1, "suites": [4]}});
    let joined = line.ask(None, "voice:join", join).await;
    let reply = match joined {
        Ok(reply) => reply,
        Err(Refused::Code { code, retry, .. }) => {
            person.has(|has| *has.refused.entry(code.clone()).or_default() += 1);
            tell(&person.user, || format!("may not join {channel}: {code}, again in {retry} ms"));
            line.close().await;
            // Whom a replica with a wrong clock barred asks before that clock's time: operators lift it.
            let wait = retry.clamp(BACKOFF[kept.tries.min(2)] * 1000, BARRED_MAX_MS);
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
    let participants = reply["participants"].as_array().into_iter().flatten();
    let sees = participants.map(|it| text(it, "sessionId")).collect();
    history::joined(&session, asked, now(), reply["roomSeq"].as_u64().unwrap_or_default(), sees);
    look_at_privacy(person, &reply["rtcConfig"]);
    kept.login = Login::of(&reply["rtcConfig"]).filter(|_| person.is_private);
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
        is_deaf: Some(false),
        strays: Vec::new(),
        unanswered: BTreeSet::new(),
        next_offer: 1,
        next_packet: 0,
        ended: None,
        not_before: BTreeMap::new(),
        slot_asked: false,
        is_encrypted: reply["encryption"] == "endToEnd",
        messages: Messages::default(),
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

fn look_at_privacy(person: &Person, rtc_config: &Value) {
    let servers = rtc_config["iceServers"].as_array().into_iter().flatten();
    let mut urls = servers.flat_map(|server| server["urls"].as_array().into_iter().flatten());
    let is_confined = rtc_config["iceTransportPolicy"] == "relay"
        && urls.all(|url| url.as_str().is_some_and(|it| it.starts_with("turn")));
    if person.is_private && !is_confined {
        broken("In privacy mode a client is shown relays alone (contract, 6)", || {
            format!("{}: {rtc_config}", person.user)
        });
    }
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
            slots::in_doubt(&call.session);
            kept.call = Some(call);
            return Ok(Over::Broke);
        }
    }
}
