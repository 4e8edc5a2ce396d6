//! Sentences for `check-config`.

use crate::files::{CertificateError, Shown, authority, pair};
use railgun_settings::{EtcdSettings, Report};
use std::path::Path;
use std::time::SystemTime;

/// A certificate that ends within so many days is told of.
const DAYS_LEFT_MIN: u64 = 14;

/// Whether a certificate and its key can be served; doubtful when it ends within 14 days.
pub fn check_pair(cert: (&str, &Path), key: (&str, &Path)) -> Report {
    let (mut report, now) = (Report::default(), SystemTime::now());
    tell(&mut report, cert, pair(cert, key, now).map(|pair| pair.shown), now);
    report
}

/// Whether an authority's certificate can be trusted; doubtful when it ends within 14 days.
pub fn check_authority(of: (&str, &Path)) -> Report {
    let (mut report, now) = (Report::default(), SystemTime::now());
    tell(&mut report, of, authority(of, now), now);
    report
}

/// Whether etcd can be signed in to: by this program at all (`is_built_in`), and with these files.
pub fn check_etcd(settings: &EtcdSettings, is_built_in: bool) -> Report {
    let mut report = Report::default();
    if !is_built_in {
        report.wrong("etcd.endpoints is set, but this program was built without etcd");
    }
    report.holds(format!("etcd at {}", settings.endpoints.join(", ")));
    if let Some((_, path)) = &settings.user {
        match settings.login() {
            Ok(_) => report.holds(format!("etcd.password_file = {} holds a password", path.display())),
            Err(error) => report.wrong(error.to_string()),
        }
    }
    if let Some(path) = &settings.ca {
        report.with(check_authority(("etcd.ca", path)));
    }
    if let Some((cert, key)) = &settings.identity {
        report.with(check_pair(("etcd.cert", cert), ("etcd.key", key)));
    }
    report
}

fn tell(
    report: &mut Report,
    (setting, path): (&str, &Path),
    found: Result<Shown, CertificateError>,
    now: SystemTime,
) {
    match found {
        Err(error) => report.wrong(error.to_string()),
        Ok(shown) if shown.days_left(now) < DAYS_LEFT_MIN => report.doubts(format!(
            "{setting} = {} ends in {} days: renew it",
            path.display(),
            shown.days_left(now)
        )),
        Ok(shown) => report.holds(format!("{setting} = {} is a certificate {shown}", path.display())),
    }
}
