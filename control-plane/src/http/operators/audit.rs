//! Who changed what: kept in memory for a while, and in a file if one is configured. It holds user
//! ids, so it goes to no other log.

use super::error::ApiError;
use crate::lines::Lines;
use serde::Serialize;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::ToSchema;

const ENTRIES_MAX: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEntry {
    /// RFC 3339.
    at: String,
    /// The name of the token that was used.
    operator: String,
    /// Method and path of the request.
    action: String,
    /// `ok`, or the code of the refusal.
    outcome: String,
}

#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    entries: Mutex<VecDeque<AuditEntry>>,
    file: Option<Mutex<Lines<File>>>,
}

impl AuditLog {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| Lines::open(path, &mut OpenOptions::new()).map(Mutex::new);
        Ok(Self { entries: Mutex::default(), file: path.map(open).transpose()? })
    }

    pub(crate) fn note(&self, operator: &Arc<str>, action: String, refused: Option<&ApiError>) {
        let entry = AuditEntry {
            at: crate::clock::rfc3339(std::time::SystemTime::now()),
            operator: operator.to_string(),
            action,
            outcome: refused.map_or("ok", ApiError::code).into(),
        };
        if let (Some(file), Ok(line)) = (&self.file, serde_json::to_string(&entry)) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.add(&line) {
                tracing::error!(%error, "the audit file cannot be written");
            }
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The last of them, newest first.
    pub(crate) fn entries(&self, limit: usize) -> Vec<AuditEntry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().rev().take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_file_that_ends_within_a_line_goes_on_with_a_new_one() {
        let path = std::env::temp_dir().join(format!("railgun-audit-{:x}", rand::random::<u64>()));
        let note = || AuditLog::open(Some(&path)).unwrap().note(&"ada".into(), "PUT x".into(), None);
        std::fs::write(&path, "{\"at\":").unwrap();
        (0..2).for_each(|_| note());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let whole = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert_eq!((text.lines().count(), text.lines().filter(whole).count()), (3, 2), "{text}");
    }
}
