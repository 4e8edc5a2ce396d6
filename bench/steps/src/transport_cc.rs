//! When a sender's packets arrived: noted for each packet, and told to it now and then.

use crate::step::Step;
use railgun_media_core::steps::Arrivals;
use std::time::{Duration, Instant};

/// Packets of a report: a tenth of a second of video.
const PACKETS: u16 = 48;
const GAP: Duration = Duration::from_millis(2);

struct TransportCc {
    arrivals: Arrivals,
    next: u16,
    now: Instant,
    /// The reports are measured, not the arrivals.
    reports: bool,
}

pub(crate) fn arrival() -> Box<dyn Step> {
    new(false)
}

pub(crate) fn report() -> Box<dyn Step> {
    new(true)
}

fn new(reports: bool) -> Box<dyn Step> {
    Box::new(TransportCc { arrivals: Arrivals::default(), next: 0, now: Instant::now(), reports })
}

impl TransportCc {
    fn note(&mut self) {
        for _ in 0..PACKETS {
            self.now += GAP;
            self.arrivals.on_packet(self.next, self.now);
            self.next = self.next.wrapping_add(1);
        }
    }

    fn tell(&mut self) -> usize {
        let (mut out, mut len) = ([0; 1500], 0);
        // More than the interval of reports.
        self.now += Duration::from_millis(200);
        while let written @ 1.. = self.arrivals.report(self.now, &mut out) {
            len += written;
        }
        len
    }
}

impl Step for TransportCc {
    fn prepare(&mut self) {
        if self.reports {
            self.note();
        } else {
            self.tell();
        }
    }

    fn run(&mut self) -> usize {
        if self.reports {
            assert!(self.tell() > 0, "a report is due");
        } else {
            self.note();
        }
        usize::from(PACKETS)
    }
}
