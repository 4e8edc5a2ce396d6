//! A line about the load while it runs.

use super::plan::Plan;
use super::tally::Tally;
use railgun_client::MediaKind;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::interval;

/// On a terminal the line is renewed each second; elsewhere there is one each five.
const PERIOD: Duration = Duration::from_secs(1);
const LINES_EVERY: u32 = 5;

/// Ends with the value.
pub(super) struct Progress(JoinHandle<()>);

impl Progress {
    pub(super) fn start(plan: Arc<Plan>, tally: Arc<Tally>) -> Self {
        Self(tokio::spawn(async move {
            let is_terminal = stderr().is_terminal();
            let mut ticks = interval(PERIOD);
            let mut packets = 0;
            ticks.tick().await;
            for second in 1u32.. {
                ticks.tick().await;
                let now = tally.packets.load(Ordering::Relaxed);
                let line = line(&plan, &tally, now - packets);
                packets = now;
                if is_terminal {
                    _ = write!(stderr(), "\r\x1b[K{line}");
                } else if second.is_multiple_of(LINES_EVERY) {
                    _ = writeln!(stderr(), "{line}");
                }
            }
        }))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abort();
        if stderr().is_terminal() {
            _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(plan: &Plan, tally: &Tally, packets: u64) -> String {
    let [p50, _, p99, ..] = tally.latency(MediaKind::Audio);
    let failed = tally.failed.load(Ordering::Relaxed);
    format!(
        "{:>4} s  joined {} of {}{}  streams {} of {}  {packets} packets/s  speech p50 {p50} us p99 {p99} us",
        tally.origin.elapsed().as_secs(),
        tally.joined.load(Ordering::Relaxed),
        plan.people(),
        if failed > 0 { format!(", {failed} failed") } else { String::new() },
        tally.heard.load(Ordering::Relaxed),
        plan.streams(),
    )
}
