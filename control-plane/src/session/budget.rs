//! A socket's budget of events, which what it is told adds to.

use crate::policy::event_budget::{BudgetDecision, EventBudget};
use railgun_protocol::limits::{FOLLOW_UPS_PER_PRODUCER, FOLLOW_UPS_PER_RESUME};
use railgun_protocol::signal::{Participant, ServerEvent};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Shared by who takes requests off the socket and who writes to it.
#[derive(Clone)]
pub(crate) struct Budget(Arc<(Mutex<EventBudget>, Instant)>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Mutex::new(EventBudget::new()), Instant::now())))
    }

    /// A request of this name came.
    pub(crate) fn spend(&self, event: &str) -> BudgetDecision {
        let (budget, since) = &*self.0;
        let now = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        budget.lock().unwrap_or_else(PoisonError::into_inner).spend(now, is_follow_up(event))
    }

    /// The client is about to be told this.
    pub(super) fn tell(&self, event: &ServerEvent) {
        let requests = requests_after(event);
        if requests > 0 {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).provoke(requests);
        }
    }
}

/// What clients ask because of what others do.
fn is_follow_up(event: &str) -> bool {
    matches!(
        event,
        "voice:rtc:consume"
            | "voice:rtc:pauseConsumer"
            | "voice:rtc:resumeConsumer"
            | "voice:rtc:setPreferredLayers"
            | "voice:rtc:setPriority"
            | "voice:rtc:requestKeyFrame"
    )
}

/// With how many of those a client answers an event, at most.
fn requests_after(event: &ServerEvent) -> u32 {
    let of_producers = |participants: &[Participant]| {
        let producers = participants.iter().map(|participant| participant.producers.len()).sum::<usize>();
        u32::try_from(producers).unwrap_or(u32::MAX).saturating_mul(FOLLOW_UPS_PER_PRODUCER)
    };
    match event {
        ServerEvent::NewProducer { .. } => FOLLOW_UPS_PER_PRODUCER,
        ServerEvent::ParticipantJoined { participant, .. } => of_producers(std::slice::from_ref(participant)),
        ServerEvent::Joined { participants, .. } | ServerEvent::Resumed { participants, .. } => {
            of_producers(participants)
        }
        // It was paused as well.
        ServerEvent::ProducerResumed { room_seq: Some(_), .. } => FOLLOW_UPS_PER_RESUME,
        _ => 0,
    }
}
