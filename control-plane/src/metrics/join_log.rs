//! The last joins and what became of them, for operators: a sentence each, and nobody's name.

use crate::clock::rfc3339;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

const RECORDS_MAX: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(crate) struct JoinLog {
    records: Arc<Mutex<VecDeque<JoinRecord>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinRecord {
    /// When it was asked for, RFC 3339.
    pub(crate) at: String,
    pub(crate) region: String,
    pub(crate) network: &'static str,
    /// `connected`, what failed, or the code of the refusal.
    pub(crate) outcome: &'static str,
    /// Why, in a sentence.
    pub(crate) why: String,
}

impl JoinRecord {
    pub(crate) fn of(asked: SystemTime, region: &str, network: &'static str) -> Self {
        Self { at: rfc3339(asked), region: region.into(), network, outcome: "", why: String::new() }
    }
}

impl JoinLog {
    /// The oldest gives way.
    pub(crate) fn add(&self, record: JoinRecord) {
        let JoinRecord { region, network, outcome, why, .. } = &record;
        tracing::debug!(target: "railgun_control::joins", region, network, outcome, why, "a join");
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// The newest first.
    pub(crate) fn recent(&self) -> Vec<JoinRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_are_kept() {
        let log = JoinLog::default();
        for number in 0..RECORDS_MAX + 5 {
            let record = JoinRecord::of(SystemTime::UNIX_EPOCH, "eu", "wifi");
            log.add(JoinRecord { why: number.to_string(), ..record });
        }
        let recent = log.recent();
        assert_eq!((recent.len(), recent[0].why.as_str()), (RECORDS_MAX, "1004"));
        assert_eq!(recent.last().unwrap().why, "5");
    }
}
