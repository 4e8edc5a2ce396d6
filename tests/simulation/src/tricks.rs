//! What hostile members try.

use crate::client::{Hostile, Person};
use serde_json::json;
use std::sync::Arc;

/// What a member with a token tries on others: their ids, states that it is not in, and nonsense.
pub(crate) fn trick_of(people: &[Arc<Person>], who: usize, trick: u32, number: u64) -> Option<Hostile> {
    let victims: Vec<&Arc<Person>> =
        people.iter().enumerate().filter(|(index, _)| *index != who).map(|(_, person)| person).collect();
    let victim = victims.get(usize::try_from(number).unwrap_or_default() % victims.len().max(1))?;
    let stolen = victim.has(|has| {
        let known = &has.known;
        known.get(usize::try_from(number >> 16).unwrap_or_default() % known.len().max(1)).cloned()
    })?;
    let (event, payload) = match trick {
        0 => ("voice:rtc:closeProducer", json!({"producerId": stolen})),
        1 => ("voice:rtc:pauseProducer", json!({"producerId": stolen})),
        2 => ("voice:rtc:consume", json!({"producerId": stolen})),
        3 => ("voice:rtc:pauseConsumer", json!({"consumerId": stolen})),
        4 => ("voice:rtc:resumeProducer", json!({"producerId": stolen})),
        5 => ("voice:rtc:restartIce", json!({"transportId": stolen})),
        6 => ("voice:rtc:requestKeyFrame", json!({"consumerId": stolen})),
        7 => ("voice:rtc:setPriority", json!({"consumerId": stolen, "priority": 7})),
        8 => ("voice:rtc:getStats", json!({"transportId": stolen})),
        9 => ("voice:video:releaseSlot", json!({"source": "camera"})),
        10 => ("voice:video:requestSlot", json!({"source": "screen"})),
        _ => ("voice:nonsense", json!({"id": stolen, "deep": [[[[number]]]]})),
    };
    Some(Hostile::Ask(event, payload))
}
