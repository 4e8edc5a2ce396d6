//! An operator at the replicas' API: puts people out, bans them, takes their tier and tokens, sizes channels, drains
//! nodes; looks at everything; and somebody beside who has no token, or one that may only read.

use crate::addresses::replica_address;
use crate::beside::{ENCRYPTS, MAKES_DM, MAKES_DM_OF_ALL};
use crate::client::Person;
use crate::http::ask;
use crate::kernel::{HostId, is_full, wall_seconds};
use crate::messages;
use crate::tokens::{self, OPERATOR, READER};
use crate::told::{broken, tell};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

pub(crate) const PORT: u16 = 8081;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

const WELL: &str = "An operator's request is answered, or refused for a reason of the request's own";
const ACCESS: &str = "Without a token the API does nothing, and no more with one than its scopes say";
const AUDIT: &str = "What an operator changed is a line of the audit file, unless the disk was full then";

#[derive(Clone, Debug)]
struct Deed {
    method: &'static str,
    path: String,
    body: Option<Value>,
    token: Option<&'static str>,
    /// The only status that it may be answered with, if there is a rule for it.
    wanted: Option<u16>,
    is_undoing: bool,
}

#[derive(Debug, Default)]
struct State {
    deeds: VecDeque<Deed>,
    /// What has to be deleted for everything to be as it was.
    written: BTreeSet<String>,
    /// By replica, changes that were answered with success and that its disk had room for.
    noted: BTreeMap<usize, usize>,
}

/// Shared with the scenario.
#[derive(Debug)]
pub(crate) struct Operator {
    replicas: Vec<HostId>,
    state: Mutex<State>,
}

impl Operator {
    pub(crate) fn new(replicas: Vec<HostId>) -> Arc<Self> {
        Arc::new(Self { replicas, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses by this number what is done to whom.
    pub(crate) fn plan(&self, nodes: usize, people: &[Arc<Person>], deed: u32, number: u64) {
        let pick = |of: usize, shift: u32| usize::try_from(number >> shift).unwrap_or_default() % of.max(1);
        let person = &people[pick(people.len(), 0)];
        let user = person.user.as_str();
        let (session, channel) = person.has(|has| (has.session.clone(), has.channel.clone()));
        let channel = if channel.is_empty() { "room-0".to_owned() } else { channel };
        let session = session.unwrap_or_else(|| "0".repeat(32));
        let node = pick(nodes, 16);
        let of_session = |verb: &str| format!("/v1/rooms/{channel}/participants/{session}/{verb}");
        let change = |method, path: String, body: Value| Deed {
            method,
            path,
            body: (body != Value::Null).then_some(body),
            token: Some(OPERATOR),
            wanted: None,
            is_undoing: false,
        };
        let pro = json!({"tier": "pro"});
        let deed = match deed {
            0 if number.is_multiple_of(2) => {
                change("POST", of_session("kick"), json!({"reason": "simulated"}))
            }
            0 => change("POST", of_session("kick"), json!({"banSeconds": 1 + number % 20})),
            1 => change("POST", of_session("mute"), Value::Null),
            2 => change("PUT", format!("/v1/channels/{channel}/bans/{user}"), json!({"reason": "simulated"})),
            3 => change("PUT", format!("/v1/users/{user}/ban"), json!({})),
            4 => change("PUT", format!("/v1/users/{user}/entitlement"), json!({"tier": "free"})),
            5 => {
                let before = json!({"before": wall_seconds()});
                change("PUT", format!("/v1/users/{user}/revocation"), before)
            }
            6 => change("PUT", format!("/v1/nodes/media-{node}/drain"), Value::Null),
            7 => change("PUT", format!("/v1/channels/{channel}"), pro),
            8 => return self.undo_one(number),
            9 => {
                let path = READS[pick(READS.len(), 24)].replace("{c}", &channel).replace("{u}", user);
                Deed { token: Some(READER), ..change("GET", path, Value::Null) }
            }
            10 => {
                let path = READS[pick(READS.len(), 24)].replace("{c}", &channel).replace("{u}", user);
                let wanted = path.starts_with("/v1/").then_some(401).filter(|_| !path.ends_with("json"));
                Deed { token: None, wanted, ..change("GET", path, Value::Null) }
            }
            11 => {
                let ban = change("PUT", format!("/v1/users/{user}/ban"), json!({}));
                Deed { token: Some(READER), wanted: Some(403), ..ban }
            }
            12 => Deed { wanted: Some(400), ..change("PUT", format!("/v1/users/{user}/ban"), json!([{}])) },
            ENCRYPTS => {
                let encrypted = json!({"tier": "free", "encryption": "endToEnd"});
                change("PUT", format!("/v1/channels/{channel}"), encrypted)
            }
            MAKES_DM => {
                let members: Vec<&str> = people
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| number >> at & 1 == 0)
                    .map(|(_, it)| it.user.as_str())
                    .collect();
                messages::lists(&channel, &members);
                let dm = json!({"kind": "dm", "tier": "free", "members": members});
                change("PUT", format!("/v1/channels/{channel}"), dm)
            }
            MAKES_DM_OF_ALL => {
                let members: Vec<&str> = people.iter().map(|it| it.user.as_str()).collect();
                messages::lists("dm-0", &members);
                let dm = json!({"kind": "dm", "tier": "free", "members": members});
                change("PUT", "/v1/channels/dm-0".into(), dm)
            }
            _ => Deed { wanted: Some(404), ..change("DELETE", "/v1/nothing".into(), Value::Null) },
        };
        let mut state = self.state();
        if deed.method == "PUT" && deed.wanted.is_none() {
            state.written.insert(deed.path.clone());
        }
        state.deeds.push_back(deed);
    }

    /// Asks for the calls of a channel, and then for the latest of them.
    pub(crate) fn ask_for_calls(&self, channel: &str) {
        self.state().deeds.push_back(reading(format!("/v1/calls?channel={channel}")));
    }

    fn undo_one(&self, number: u64) {
        let mut state = self.state();
        let place = usize::try_from(number >> 8).unwrap_or_default() % state.written.len().max(1);
        if let Some(path) = state.written.iter().nth(place).cloned() {
            state.deeds.push_back(undoing(path));
        }
    }

    /// Has everything be as it was.
    pub(crate) fn undo(&self) {
        let mut state = self.state();
        state.deeds.clear();
        let written = std::mem::take(&mut state.written);
        state.deeds.extend(written.into_iter().map(undoing));
    }

    /// Whether the audit files have what they have to.
    pub(crate) fn look_at_audit(&self) {
        for (replica, noted) in &self.state().noted {
            let text = std::fs::read_to_string(tokens::audit(*replica)).unwrap_or_default();
            let is_done = |line: &&str| {
                serde_json::from_str::<Value>(line)
                    .is_ok_and(|entry| entry["outcome"] == "ok" && entry["operator"] == "all")
            };
            let lines = text.lines().filter(is_done).count();
            if lines < *noted {
                broken(AUDIT, || {
                    format!("replica {replica} did {noted} changes, and has {lines} lines: {text}")
                });
            }
        }
    }

    async fn carry_out(&self, deed: &Deed, replica: usize) -> anyhow::Result<u16> {
        let to = SocketAddr::from((replica_address(replica), PORT));
        let host = self.replicas[replica];
        let was_full = is_full(host.number());
        let (status, body) = ask(to, (deed.method, &deed.path), deed.token, deed.body.as_ref()).await?;
        tell("operator", || format!("{} {}: {status}", deed.method, deed.path));
        if status == 500 || status > 503 {
            broken(WELL, || format!("{deed:?}: {status} {body}"));
        }
        if deed.wanted.is_some_and(|wanted| wanted != status && status != 503) {
            broken(ACCESS, || format!("{deed:?}: {status} {body}"));
        }
        if deed.path.starts_with("/v1/calls?") && status == 200 {
            let told: Value = serde_json::from_str(&body)?;
            let latest = told["calls"][0]["call"].as_str().map(|call| reading(format!("/v1/calls/{call}")));
            self.state().deeds.extend(latest);
        }
        if status == 204 && !was_full && !is_full(host.number()) {
            *self.state().noted.entry(replica).or_default() += 1;
        }
        Ok(status)
    }
}

/// By a token that may only read.
fn reading(path: String) -> Deed {
    Deed { method: "GET", path, body: None, token: Some(READER), wanted: None, is_undoing: false }
}

fn undoing(path: String) -> Deed {
    Deed { method: "DELETE", path, body: None, token: Some(OPERATOR), wanted: None, is_undoing: true }
}

/// With a channel and a user to be put in.
const READS: [&str; 18] = [
    "/v1/rooms",
    "/v1/rooms/{c}",
    "/v1/channels",
    "/v1/channels/{c}",
    "/v1/channels/{c}/participants",
    "/v1/channels/{c}/bans/{u}",
    "/v1/users/{u}/ban",
    "/v1/users/{u}/entitlement",
    "/v1/users/{u}/revocation",
    "/v1/nodes",
    "/v1/audit",
    "/v1/audit?limit=3",
    "/v1/rooms?limit=1",
    "/v1/openapi.json",
    "/metrics",
    "/healthz",
    "/readyz",
    "/joins",
];

/// Lives for ever.
pub(crate) async fn live(operator: Arc<Operator>) {
    let mut replica = 0;
    loop {
        let next = operator.state().deeds.pop_front();
        let Some(deed) = next else {
            sleep(LOOK_INTERVAL).await;
            continue;
        };
        replica = (replica + 1) % operator.replicas.len();
        let done = operator.carry_out(&deed, replica).await;
        if let Err(error) = &done {
            tell("operator", || format!("{} {}: {error:#}", deed.method, deed.path));
        }
        // Nothing that was written may stay.
        if deed.is_undoing && done.unwrap_or_default() != 204 {
            operator.state().deeds.push_back(deed);
            sleep(Duration::from_millis(500)).await;
        }
    }
}
