//! Has the drawn calls simulated, hands what node and clients said to the control-plane's code, and reads the call as
//! `GET /v1/calls/{call}` tells it.

use crate::drawn::{Drawn, draw};
use railgun_control::CallRecord;
use railgun_peer::simulator::people::{Heard, Said, Suffered, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// A minute before anything was wrong, on a minute's border, in Unix seconds.
const BEGIN: u64 = 1_800_000_000;

/// Side, cause and whose it was, by place.
pub type Named = (String, String, Option<usize>);

/// Delay of one way, the mean, from which on a fault counts: what an ear begins to miss in a dialogue, of a budget of
/// 150 ms (ITU-T G.114) for the whole path.
const DELAY_FELT: Duration = Duration::from_millis(100);
/// Loss from which on a fault counts, and datagrams: a link without anything on it loses nothing.
const LOSS_FELT: f64 = 0.05;
const LOST_FELT: u64 = 50;

/// What was told of the sound minute and of the bad one, and what was expected of that.
#[derive(Debug)]
pub struct Judged {
    pub faults: Vec<&'static str>,
    pub expected: BTreeSet<Named>,
    /// Faults that were drawn and had too little effect on the link to be told.
    pub without_effect: BTreeSet<Named>,
    pub told: BTreeSet<Named>,
    pub told_of_sound: BTreeSet<Named>,
    /// The call's minutes as they are told, in JSON, to look into.
    pub minutes: String,
}

/// Two minutes of the call of this seed: the second has the faults.
pub fn judge(seed: u64) -> Judged {
    let Drawn { rooms, changes, faults, expected } = draw(seed);
    let mut record = CallRecord::new("n1");
    for (room, people) in rooms.iter().enumerate() {
        for _ in people {
            join(&mut record, room);
        }
    }
    let Heard { said, suffered } = run(&rooms, changes, Duration::from_millis(119_900), seed);
    for (at, said) in said {
        let now = BEGIN + at.as_secs();
        match said {
            Said::Sampled(seat, stats) => record.sampled(seat, &stats, now),
            Said::Reported(seat, report) => record.reported(seat, &report, now),
            Said::Told(seat, event) => record.told(seat, &event, now),
            Said::Worked(work) => record.worked(work, now),
        }
    }
    let document = record.document("call-0");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let minutes = document["minutes"].as_array().cloned().unwrap_or_default();
    let told_of =
        |minute: usize| minutes.get(minute).map_or_else(BTreeSet::new, |it| findings(&document, it));
    let (told_of_sound, told) = (told_of(0), told_of(1));
    let (expected, without_effect) = expected.into_iter().partition(|of| has_effect(of, &suffered));
    Judged {
        faults,
        expected,
        without_effect,
        told,
        told_of_sound,
        minutes: Value::from(minutes).to_string(),
    }
}

/// Whether packets of the link suffered by the fault. Faults of nodes, relays and devices always count, and links that
/// are too narrow for what they are to carry.
fn has_effect((side, cause, whose): &Named, suffered: &[[Suffered; 2]]) -> bool {
    let Some([up, down]) = whose.and_then(|place| suffered.get(place)) else { return true };
    let link = if side == "senderUplink" { up } else { down };
    match cause.as_str() {
        "loss" => link.loss >= LOSS_FELT && link.lost >= LOST_FELT,
        "delay" => link.delay >= DELAY_FELT,
        _ => true,
    }
}

fn join(record: &mut CallRecord, room: usize) {
    let name = record.count().to_string();
    record.join(&format!("call-{room}"), &name, BEGIN);
}

fn findings(document: &Value, minute: &Value) -> BTreeSet<Named> {
    let place = |name: &Value| {
        let people = document["participants"].as_array()?;
        let who = people.iter().find(|it| it["participant"] == *name)?;
        who["sessionId"].as_str()?.parse().ok()
    };
    let findings = minute["findings"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|it| (word(&it["side"]), word(&it["cause"]), place(&it["participant"]))).collect()
}
