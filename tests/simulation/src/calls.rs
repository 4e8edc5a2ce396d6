//! The calls that operators read after everybody has left. All replicas have to list the same calls with the same
//! participants, and each session that was in a call while nothing was wrong has to be among them.

use crate::addresses::replica_address;
use crate::http::ask;
use crate::kernel::below;
use crate::operator;
use crate::tokens::{self, READER};
use crate::told::broken;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;

const TOLD: &str = "A call that is over is told by any replica, from its own files and the others' (http/operators/calls.rs)";
const SAME: &str = "Each replica tells the same calls with the same participants";
const KEPT: &str = "Who was in a call while nothing was wrong is in what replicas tell of it";
/// What a disk without power has lost of a file at the most, in bytes.
const LOST_MAX: u64 = 600;

thread_local! {
    static IS_DONE: Cell<bool> = const { Cell::new(false) };
}

/// Whether [`look`] has come to its end.
pub(crate) fn is_done() -> bool {
    IS_DONE.get()
}

/// A replica's machine loses its power: the last bytes of its files never reached the disk.
pub(crate) fn tear(replica: usize) {
    let entries = fs::read_dir(tokens::calls(replica)).into_iter().flatten();
    let paths: BTreeSet<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    for path in paths {
        let Ok(file) = OpenOptions::new().write(true).open(path) else { continue };
        let len = file.metadata().map_or(0, |data| data.len());
        _ = file.set_len(len - below(len.min(LOST_MAX) + 1));
    }
}

/// Asks every replica for every call of these channels. `sessions`: each has to be in one of the calls.
pub(crate) async fn look(replicas: usize, channels: Vec<String>, sessions: Vec<String>) {
    IS_DONE.set(false);
    let mut seen = BTreeSet::new();
    for channel in channels {
        let path = format!("/v1/calls?channel={channel}&limit=1000");
        let Some(calls) = of_all(replicas, &path, |told| ids(&told["calls"], "call")).await else { return };
        for call in calls {
            let path = format!("/v1/calls/{call}");
            let people = |told: &Value| ids(&told["participants"], "sessionId");
            let Some(people) = of_all(replicas, &path, people).await else { return };
            seen.extend(people);
        }
    }
    let missing: Vec<_> = sessions.iter().filter(|session| !seen.contains(*session)).collect();
    if !missing.is_empty() {
        broken(KEPT, || format!("nothing is told of {missing:?}"));
    }
    IS_DONE.set(true);
}

fn ids(list: &Value, key: &str) -> Vec<String> {
    let of = |entry: &Value| entry[key].as_str().map(ToOwned::to_owned);
    list.as_array().into_iter().flatten().filter_map(of).collect()
}

/// What each replica says, which has to be the same of all. None: it is not, or one did not say it.
async fn of_all<T: PartialEq + std::fmt::Debug>(
    replicas: usize,
    path: &str,
    what: impl Fn(&Value) -> T,
) -> Option<T> {
    let mut said: Option<T> = None;
    for replica in 0..replicas {
        let to = SocketAddr::from((replica_address(replica), operator::PORT));
        let answer = ask(to, ("GET", path), Some(READER), None).await;
        let told: Option<Value> = answer
            .as_ref()
            .ok()
            .filter(|(status, _)| *status == 200)
            .and_then(|(_, body)| serde_json::from_str(body).ok());
        let is_whole = |told: &&Value| told["unreached"].as_array().is_some_and(Vec::is_empty);
        let Some(told) = told.as_ref().filter(is_whole) else {
            broken(TOLD, || format!("replica {replica}: {path}: {answer:?}"));
            return None;
        };
        let told = what(told);
        if let Some(before) = said.as_ref().filter(|before| **before != told) {
            broken(SAME, || format!("{path}: replica {replica} tells {told:?}, one before it {before:?}"));
            return None;
        }
        said = Some(told);
    }
    said
}
