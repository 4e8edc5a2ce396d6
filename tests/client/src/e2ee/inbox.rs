//! What waits for the member of `tests/mls-peer`, as its requests, and which is next. The others say where they are again and
//! again to a session that seems to be elsewhere: one that takes longer to read than they take to say it must still come to
//! the commit that leads there.

use railgun_protocol::ids::SessionId;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};

/// Requests that may wait.
const WAITING_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// In the order in which they came.
    requests: VecDeque<Value>,
    /// The last one of each session, which stands for those before.
    infos: VecDeque<(SessionId, Value)>,
    proposals: VecDeque<(SessionId, Value)>,
    missing: HashSet<SessionId>,
    is_woken: bool,
}

impl Inbox {
    pub(super) fn push(&mut self, request: Value) {
        self.requests.push_back(request);
    }

    /// A `voice:e2ee:message`. One that is too much is dropped, as if it had been lost.
    pub(super) fn message(&mut self, from: SessionId, message: &Value) {
        let mut request = json!({ "do": "message" });
        for field in ["sessionId", "kind", "epoch", "data"] {
            request[field] = message[field].clone();
        }
        let is_full = self.requests.len() + self.infos.len() + self.proposals.len() >= WAITING_MAX;
        let last = match message["kind"].as_str() {
            Some("groupInfo") => &mut self.infos,
            Some("proposal") => &mut self.proposals,
            _ if is_full => return,
            _ => return self.push(request),
        };
        match last.iter_mut().find(|(session, _)| *session == from) {
            Some((_, before)) => *before = request,
            None if is_full => {}
            None => last.push_back((from, request)),
        }
    }

    /// Frames of a session cannot be opened.
    pub(super) fn missing(&mut self, session: SessionId) {
        self.missing.insert(session);
    }

    /// The time that was asked for has come.
    pub(super) fn wake(&mut self) {
        self.is_woken = true;
    }

    /// Commits come before what asks for another one, and all that was said before an answer to it.
    pub(super) fn next(&mut self) -> Option<Value> {
        let waiting = self.requests.pop_front();
        let waiting = waiting.or_else(|| self.infos.pop_front().map(|(_, it)| it));
        let waiting = waiting.or_else(|| self.proposals.pop_front().map(|(_, it)| it));
        if waiting.is_some() {
            return waiting;
        }
        if let Some(session) = self.missing.iter().next().copied() {
            self.missing.remove(&session);
            return Some(json!({ "do": "missing", "sessionId": session }));
        }
        std::mem::take(&mut self.is_woken).then(|| json!({ "do": "tick" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSIONS: [SessionId; 2] = [SessionId::from_bits(1), SessionId::from_bits(2)];

    fn message(from: usize, kind: &str, epoch: u64) -> (SessionId, Value) {
        let session = SESSIONS[from];
        (session, json!({ "sessionId": session, "kind": kind, "epoch": epoch, "data": "" }))
    }

    fn rest(inbox: &mut Inbox) -> Vec<String> {
        let name = |it: &Value| match it["do"].as_str() {
            Some("message") => format!("{} {}", it["kind"].as_str().unwrap_or_default(), it["epoch"]),
            other => other.unwrap_or_default().to_owned(),
        };
        std::iter::from_fn(|| inbox.next()).map(|it| name(&it)).collect()
    }

    #[test]
    fn commits_come_first_and_of_each_session_the_last_group_info_and_proposal() {
        let mut inbox = Inbox::default();
        inbox.wake();
        inbox.missing(SESSIONS[0]);
        inbox.missing(SESSIONS[0]);
        let kinds = [(0, "proposal", 1), (0, "groupInfo", 1), (1, "groupInfo", 2), (0, "groupInfo", 3)];
        for (from, kind, epoch) in kinds.into_iter().chain([(0, "proposal", 4), (1, "commit", 5)]) {
            let (session, it) = message(from, kind, epoch);
            inbox.message(session, &it);
        }
        inbox.push(json!({ "do": "sent" }));
        let expected = ["commit 5", "sent", "groupInfo 3", "groupInfo 2", "proposal 4", "missing", "tick"];
        assert_eq!(rest(&mut inbox), expected);
    }

    #[test]
    fn of_more_than_256_messages_the_last_are_dropped() {
        let mut inbox = Inbox::default();
        for epoch in 0..300 {
            let (session, it) = message(0, "commit", epoch);
            inbox.message(session, &it);
        }
        assert_eq!(rest(&mut inbox).len(), WAITING_MAX);
    }
}
