//! Speech of which every packet is timed where it is sent and where it arrives.

use crate::people::PACKET_INTERVAL;
use railgun_client::{Consumer, Producer};
use railgun_tests::{opus_payload, within};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How much longer a silence may be where it is heard than where it was made.
pub(crate) const GAP_MAX: Duration = Duration::from_millis(60);
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Somebody who talks until this is dropped.
#[derive(Debug)]
pub(crate) struct Talk {
    /// When each frame was sent, by its number.
    sent: Arc<Mutex<Vec<Instant>>>,
    task: AbortHandle,
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Talk {
    pub(crate) fn start(microphone: Arc<Producer>) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let times = sent.clone();
        let task = tokio::spawn(async move {
            let mut tick = interval(PACKET_INTERVAL);
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for number in 0_u32.. {
                tick.tick().await;
                let payload = opus_payload("speech", number);
                locked(&times).push(Instant::now());
                if microphone.send(&payload, number == 0, number.wrapping_mul(960)).await.is_err() {
                    break;
                }
            }
        });
        Self { sent, task: task.abort_handle() }
    }

    /// Hears this talk through that consumer.
    pub(crate) fn heard_by(&self, mut consumer: Consumer) -> Listener {
        let sent = self.sent.clone();
        let (heard, at) = watch::channel(Heard::default());
        let task = tokio::spawn(async move {
            while let Some(packet) = consumer.receive().await {
                let now = Instant::now();
                let digits = packet.payload.len().saturating_sub(6);
                let number =
                    std::str::from_utf8(&packet.payload[digits..]).ok().and_then(|it| it.parse().ok());
                let Some(number) = number else { continue };
                heard.send_modify(|heard| heard.note(number, now, &locked(&sent)));
            }
        });
        Listener { heard: at, task }
    }
}

#[derive(Debug, Default)]
struct Heard {
    last: Option<(usize, Instant)>,
    /// With when it ended.
    gaps: Vec<(Instant, Duration)>,
}

impl Heard {
    fn note(&mut self, number: usize, now: Instant, sent: &[Instant]) {
        if let Some((last, at)) = self.last {
            if number <= last {
                return;
            }
            let frames = sent.get(last..=number).unwrap_or_default();
            let silence = frames.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
            self.gaps.push((now, (now - at).saturating_sub(silence)));
        }
        self.last = Some((number, now));
    }
}

/// Somebody who hears one talk.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: watch::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Waits for the next packet that comes after `since`.
    pub(crate) async fn hears_after(&mut self, since: Instant) {
        let next = self.heard.wait_for(|heard| heard.last.is_some_and(|(_, at)| at > since));
        drop(within(HEARD_WITHIN, "speech", next).await.unwrap());
    }

    /// By how much the longest silence between `since` and the last packet was longer than what was
    /// silence where it was made.
    pub(crate) fn worst_gap(&self, since: Instant) -> Duration {
        let heard = self.heard.borrow();
        heard.gaps.iter().filter(|(at, _)| *at > since).map(|(_, gap)| *gap).max().unwrap_or_default()
    }
}

/// The worst gap of all of them since then, once each has heard what is said now.
pub(crate) async fn worst_gap_of<'a>(
    listeners: impl IntoIterator<Item = &'a mut Listener>,
    since: Instant,
) -> Duration {
    let now = Instant::now();
    let mut worst = Duration::ZERO;
    for listener in listeners {
        listener.hears_after(now).await;
        worst = worst.max(listener.worst_gap(since));
    }
    worst
}
