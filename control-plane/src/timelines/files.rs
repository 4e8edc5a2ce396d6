//! The files: one an hour and channel, of this run of this replica, a line of JSON each. The oldest go when they are
//! too old, or all of them too large. A crash loses the line that was being written, which is left out when read.

use crate::lines::Lines;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of one file: an hour of 25 people takes some 600 KB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What a file takes of a disk at the least.
const FILE_BYTES_MIN: u64 = 4096;
/// Read for one question.
const READ_BYTES_MAX: u64 = 48 * 1024 * 1024;
const ENDING: &str = ".jsonl";
/// Digits of the hour in a file's name, which sort as the hours do.
const HOUR_DIGITS: usize = 7;

/// Why a line was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error("the file of this hour and channel is full")]
    Full,
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// Names this run of the replica, in hexadecimal.
    run: String,
    /// By name, so that the oldest is first.
    sizes: BTreeMap<String, u64>,
    total: u64,
    hours_max: u64,
    bytes_max: u64,
}

/// Makes the folder, if it is not there, for its owner only; and looks whether it can be written.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    probe(folder)
}

/// Whether the folder can be written, or made where it is to be.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return probe(folder);
    }
    let above = folder.ancestors().skip(1).find(|above| above.exists() && !above.as_os_str().is_empty());
    fs::read_dir(above.unwrap_or_else(|| Path::new("."))).map(drop)
}

fn probe(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".probe-{:x}", rand::random::<u64>()));
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}

/// The hour and key of a file of ours.
fn parts(name: &str) -> Option<(u64, &str)> {
    let (hour, rest) = name.strip_suffix(ENDING)?.split_once('-')?;
    let (key, run) = rest.split_once('-')?;
    (hour.len() == HOUR_DIGITS && !key.is_empty() && !run.is_empty()).then_some((hour.parse().ok()?, key))
}

fn occupied(bytes: u64) -> u64 {
    bytes.max(FILE_BYTES_MIN)
}

impl Files {
    pub(super) fn open(folder: &Path, keep: Duration, bytes_max: u64) -> io::Result<Self> {
        let mut sizes = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && parts(&name).is_some()
            {
                sizes.insert(name, entry.metadata()?.len());
            }
        }
        let total = sizes.values().copied().map(occupied).sum();
        let run = format!("{:016x}", rand::random::<u64>());
        let hours_max = keep.as_secs().div_ceil(3600);
        Ok(Self { folder: folder.into(), run, sizes, total, hours_max, bytes_max })
    }

    /// Adds a line to the file of the minute's hour.
    pub(super) fn append(&mut self, minute: u64, key: &str, line: &str) -> Result<(), KeepError> {
        let hour = minute / 60;
        let name = format!("{hour:0HOUR_DIGITS$}-{key}-{}{ENDING}", self.run);
        let bytes = line.len() as u64 + 1;
        let before = self.sizes.get(&name).copied();
        if before.unwrap_or_default() + bytes > FILE_BYTES_MAX {
            return Err(KeepError::Full);
        }
        let path = self.folder.join(&name);
        Lines::open(&path, OpenOptions::new().mode(0o600))?.add(line)?;
        let now = before.unwrap_or_default() + bytes;
        self.total += occupied(now) - before.map_or(0, occupied);
        self.sizes.insert(name, now);
        Ok(())
    }

    /// Deletes what is too old at this minute, and the oldest of what is too much.
    pub(super) fn purge(&mut self, minute: u64) {
        let oldest_kept = (minute / 60).saturating_sub(self.hours_max);
        while let Some((name, bytes)) = self.sizes.first_key_value() {
            let is_old = parts(name).is_some_and(|(hour, _)| hour < oldest_kept);
            if !is_old && self.total <= self.bytes_max {
                return;
            }
            let (name, bytes) = (name.clone(), *bytes);
            // Gone already, or not to be deleted: it is not counted on either way.
            if let Err(error) = fs::remove_file(self.folder.join(&name)) {
                tracing::warn!(%error, "a file of timelines cannot be deleted");
            }
            self.sizes.remove(&name);
            self.total = self.total.saturating_sub(occupied(bytes));
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// The lines of a key in these hours, of all runs of replicas whose folder it is, the latest hour first, up to
/// a bound.
pub(super) fn lines(
    folder: &Path,
    key: &str,
    hours: std::ops::RangeInclusive<u64>,
) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| parts(name).is_some_and(|(hour, of)| of == key && hours.contains(&hour)))
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    let (mut lines, mut left) = (Vec::new(), READ_BYTES_MAX);
    for name in names {
        // Purged meanwhile.
        let Ok(file) = fs::File::open(folder.join(name)) else { continue };
        let mut bytes = Vec::new();
        left -= file.take(left).read_to_end(&mut bytes).unwrap_or_default() as u64;
        // A line that was torn within a character is no JSON, and the others are.
        lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        if left == 0 {
            break;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("railgun-calls-{:x}", rand::random::<u64>()));
            make(&folder).unwrap();
            Self(folder)
        }

        fn names(&self) -> Vec<u64> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
            let mut hours: Vec<u64> = names.map(|name| parts(name.to_str().unwrap()).unwrap().0).collect();
            hours.sort_unstable();
            hours
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_follows_a_line_that_a_full_disk_cut_off_is_a_line_of_its_own() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0, Duration::from_secs(3600), 10 * FILE_BYTES_MIN).unwrap();
        files.append(60, "aa", "1").unwrap();
        let path = fs::read_dir(&folder.0).unwrap().next().unwrap().unwrap().path();
        fs::write(&path, "1\n{\"half").unwrap();
        files.append(61, "aa", "2").unwrap();
        files.append(62, "aa", "3").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "1\n{\"half\n2\n3\n");
    }

    #[test]
    fn files_go_by_age_and_the_oldest_when_all_are_too_large() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0, Duration::from_secs(2 * 3600), 3 * FILE_BYTES_MIN).unwrap();
        for hour in 1..=4 {
            files.append(hour * 60, "aa", "{}").unwrap();
        }
        files.purge(4 * 60);
        assert_eq!(folder.names(), [2, 3, 4], "older than two hours");
        files.append(4 * 60 + 1, "bb", "{}").unwrap();
        files.purge(4 * 60 + 1);
        assert_eq!(folder.names(), [3, 4, 4], "four files take more than three may");
        // Another run goes on with what is there.
        let mut files = Files::open(&folder.0, Duration::from_secs(2 * 3600), 3 * FILE_BYTES_MIN).unwrap();
        files.purge(6 * 60);
        assert_eq!(folder.names(), [4, 4]);
        assert_eq!(files.total(), 2 * FILE_BYTES_MIN);
    }

    #[test]
    fn a_line_that_was_torn_within_a_character_takes_no_other_with_it() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0, Duration::from_secs(3600), u64::MAX).unwrap();
        files.append(60, "aa", "\"é\"").unwrap();
        files.append(61, "aa", "\"é\"").unwrap();
        let path = fs::read_dir(&folder.0).unwrap().next().unwrap().unwrap().path();
        OpenOptions::new().write(true).open(path).unwrap().set_len(7).unwrap();
        files.append(62, "aa", "3").unwrap();
        let lines = lines(&folder.0, "aa", 0..=9).unwrap();
        assert_eq!([lines[0].as_str(), lines[2].as_str()], ["\"é\"", "3"]);
    }

    #[test]
    fn a_file_takes_no_more_than_its_bound_and_is_read_without_a_torn_line() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0, Duration::from_secs(3600), u64::MAX).unwrap();
        let line = format!("\"{}\"", "x".repeat(1024 * 1024 - 3));
        let written = (0..8).filter(|_| files.append(60, "aa", &line).is_ok()).count();
        assert_eq!(written, 4);
        assert!(matches!(files.append(60, "aa", &line), Err(KeepError::Full)));
        files.append(60, "bb", "{}").unwrap();
        assert_eq!(lines(&folder.0, "bb", 0..=9).unwrap(), ["{}"]);
        assert_eq!(lines(&folder.0, "aa", 0..=9).unwrap().len(), 4);
        assert!(lines(&folder.0, "aa", 2..=9).unwrap().is_empty());
    }
}
