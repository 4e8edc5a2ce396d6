//! How often the machine below takes a core away, found by a loop that does nothing but look at the
//! clock. On a virtual machine that is latency no program can avoid.

use super::pace::Pace;
use crate::system::{go_first, pin_to};
use anyhow::{Result, anyhow};
use std::thread;
use std::time::{Duration, Instant};

const LASTING: Duration = Duration::from_secs(3);
/// A core that is never let go is held back by the kernel itself; this is 70 % of one.
const BUSY: Duration = Duration::from_micros(700);
const IDLE: Duration = Duration::from_micros(300);

/// Which part of its time `core` stood still, while the calling thread kept its own core as busy as
/// clients do.
pub(super) fn pauses(core: usize) -> Result<f64> {
    let look = move || {
        pin_to(core)?;
        go_first(true);
        let start = Instant::now();
        let (mut busy, mut paused) = (Duration::ZERO, Duration::ZERO);
        while start.elapsed() < LASTING {
            let since = Instant::now();
            let mut pace = Pace::new(since);
            while since.elapsed() < BUSY {
                pace.look(Instant::now());
            }
            busy += since.elapsed();
            paused += pace.paused();
            thread::sleep(IDLE);
        }
        anyhow::Ok(paused.as_secs_f64() / busy.as_secs_f64())
    };
    let looking = thread::Builder::new().name("host".into()).spawn(look)?;
    while !looking.is_finished() {
        std::hint::spin_loop();
    }
    looking.join().map_err(|_| anyhow!("the look at the host panicked"))?
}
