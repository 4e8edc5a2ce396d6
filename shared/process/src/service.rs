//! What systemd is told of this process (sd_notify(3)): that it is ready, that it lives, that it ends. Where there
//! is no systemd nothing is told.

use sd_notify::NotifyState;
use std::time::Duration;

/// It serves. From now on the watchdog is fed, from a task of this runtime: a runtime that stands still is
/// restarted where the unit sets `WatchdogSec=`.
pub fn ready() {
    tell(&[NotifyState::Ready]);
    let mut microseconds = 0;
    if sd_notify::watchdog_enabled(false, &mut microseconds) {
        let interval = Duration::from_micros(microseconds / 2);
        tokio::spawn(async move {
            loop {
                tell(&[NotifyState::Watchdog]);
                tokio::time::sleep(interval).await;
            }
        });
    }
}

/// It has begun to end.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(what: &[NotifyState<'_>]) {
    // An error means that nobody listens.
    _ = sd_notify::notify(false, what);
}
