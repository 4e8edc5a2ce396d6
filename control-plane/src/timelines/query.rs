//! Questions about calls: answered from this replica's files and from the others'.

use super::assemble::Assembled;
use super::call_id::{CallId, Hours, Question, key_of};
use super::document::{CallDocument, CallSummary, Records};
use super::files;
use super::keeper::FLEET;
use super::service::Timelines;
use crate::clock::unix_seconds;
use crate::policy::call_quality::{NodeMinute, ParticipantMinute};
use railgun_protocol::ids::ChannelId;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Hours before and after a call's first minute that are read for it: a day, and what the minutes at its ends need.
const HOURS_BEFORE: u64 = 24;
const HOURS_AFTER: u64 = 25;
/// Hours that are read for a list.
const HOURS_LISTED: u64 = 24 * 7;

impl Timelines {
    /// Whether this replica or another one may have kept something.
    pub(crate) fn are_kept(&self) -> bool {
        self.keeping.is_some() || !self.peers.is_empty()
    }

    /// Calls in a channel, the latest first, and replicas that did not answer.
    pub(crate) async fn calls(
        &self,
        channel: &ChannelId,
        limit: usize,
        authorization: &str,
    ) -> (Vec<CallSummary>, Vec<String>) {
        let now = unix_seconds(SystemTime::now()) / 3600;
        let question = Question { key: key_of(channel), hours: now.saturating_sub(HOURS_LISTED)..=now + 1 };
        let (records, unreached) = self.gathered(&question, authorization).await;
        let listed = self.read(move || {
            let assembled = Assembled::of(records);
            let calls = assembled.calls().into_iter().take(limit);
            calls.map(|span| assembled.summary(&question.key, span)).collect()
        });
        (listed.await.unwrap_or_default(), unreached)
    }

    /// None: there is no such call.
    pub(crate) async fn call(&self, id: &CallId, authorization: &str) -> Option<CallDocument> {
        let hour = id.minute / 60;
        let hours = hour.saturating_sub(HOURS_BEFORE)..=hour.saturating_add(HOURS_AFTER);
        let question = Question { key: id.key.clone(), hours };
        let (records, unreached) = self.gathered(&question, authorization).await;
        let minute = id.minute;
        let told = self.read(move || {
            let assembled = Assembled::of(records);
            // A replica that was not asked before may have seen it begin earlier.
            let mut calls = assembled.calls().into_iter();
            let span = calls.find(|(first, last)| (*first..=*last).contains(&minute))?;
            Some(assembled.document(&question.key, span, unreached))
        });
        told.await.flatten()
    }

    /// What this replica kept.
    pub(crate) async fn records(&self, question: &Question) -> Records {
        let Some(keeping) = &self.keeping else { return Records::default() };
        let (folder, question) = (keeping.folder.clone(), question.clone());
        let Ok(_turn) = self.questions.acquire().await else { return Records::default() };
        self.read(move || read(folder, &question)).await.unwrap_or_default()
    }

    async fn gathered(&self, question: &Question, authorization: &str) -> (Vec<Records>, Vec<String>) {
        let others = self.peers.ask(&question.key, &question.hours, authorization);
        let (own, (mut records, unreached)) = tokio::join!(self.records(question), others);
        records.push(own);
        (records, unreached)
    }
}

fn read(folder: PathBuf, Question { key, hours }: &Question) -> Records {
    let participants: Vec<ParticipantMinute> = parsed(&folder, key, hours.clone());
    let (Some(first), Some(last)) =
        (participants.iter().map(|of| of.minute).min(), participants.iter().map(|of| of.minute).max())
    else {
        return Records::default();
    };
    // Of the hours that are needed alone: a fleet may be large.
    let mut nodes: Vec<NodeMinute> = parsed(&folder, FLEET, first / 60..=last / 60);
    let mut names: Vec<&str> = participants.iter().map(|of| of.who.node.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    nodes.retain(|of| of.node.is_empty() || names.binary_search(&of.node.as_str()).is_ok());
    Records { participants, nodes }
}

/// Lines that cannot be read, such as the last one before a crash, are left out.
fn parsed<T: DeserializeOwned>(folder: &Path, key: &str, hours: Hours) -> Vec<T> {
    let lines = files::lines(folder, key, hours).unwrap_or_else(|error| {
        tracing::warn!(%error, "timelines cannot be read from calls.dir");
        Vec::new()
    });
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
