//! Sentences for `check-config`.

use crate::files::{CertificateError, Shown, authority, pair};
use railgun_settings::Report;
use std::path::Path;
use std::time::SystemTime;

/// Whether a certificate and its key can be served; doubtful when it ends within `days_min` days.
pub fn check_pair(cert: (&str, &Path), key: (&str, &Path), now: SystemTime, days_min: u64) -> Report {
    let mut report = Report::default();
    tell(&mut report, cert, pair(cert, key, now).map(|pair| pair.shown), now, days_min);
    report
}

/// The same of an authority's certificate.
pub fn check_authority(of: (&str, &Path), now: SystemTime, days_min: u64) -> Report {
    let mut report = Report::default();
    tell(&mut report, of, authority(of, now), now, days_min);
    report
}

/// Whether the files that etcd is signed in to with can be used.
pub fn check_etcd(password: Option<&Path>, ca: Option<&Path>, identity: Option<(&Path, &Path)>) -> Report {
    const DAYS_MIN: u64 = 14;
    let (mut report, now) = (Report::default(), SystemTime::now());
    if let Some(path) = password {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => {
                report.wrong(format!("etcd.password_file = {} is empty", path.display()));
            }
            Ok(_) => report.holds(format!("etcd.password_file = {} holds a password", path.display())),
            Err(error) => {
                report.wrong(format!("etcd.password_file = {} cannot be read: {error}", path.display()));
            }
        }
    }
    if let Some(path) = ca {
        report.with(check_authority(("etcd.ca", path), now, DAYS_MIN));
    }
    if let Some((cert, key)) = identity {
        report.with(check_pair(("etcd.cert", cert), ("etcd.key", key), now, DAYS_MIN));
    }
    report
}

fn tell(
    report: &mut Report,
    (setting, path): (&str, &Path),
    found: Result<Shown, CertificateError>,
    now: SystemTime,
    days_min: u64,
) {
    match found {
        Err(error) => report.wrong(error.to_string()),
        Ok(shown) if shown.days_left(now) < days_min => report.doubts(format!(
            "{setting} = {} ends in {} days: renew it",
            path.display(),
            shown.days_left(now)
        )),
        Ok(shown) => report.holds(format!("{setting} = {} is a certificate {shown}", path.display())),
    }
}
