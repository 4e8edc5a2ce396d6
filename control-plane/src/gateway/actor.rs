//! The loop of a session's task: it takes the session's requests one at a time from a bounded queue, and
//! hands on what the node says in the node's order.

use super::engine_io::EngineSocket;
use crate::clock::unix_millis;
use crate::ending::{EndReason, over};
use crate::media_client::Delivery;
use crate::metrics::Outcome;
use crate::refusal::Refusal;
use crate::requests::{self, NotResumed};
use crate::resume_token::ResumeToken;
use crate::session::{Ack, RequestMeta, Session};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::Command;
use railgun_protocol::signal::{ChannelPerson, ClientEvent, KickReason, ServerEvent};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// A request as it left the socket.
pub(super) struct Incoming {
    pub(super) asked: RequestMeta,
    pub(super) event: Result<ClientEvent, Refusal>,
    pub(super) ack: Ack,
    pub(super) arrived_at: Instant,
}

/// What happens next.
enum Next {
    Over(EndReason),
    Delivery(Box<Delivery>),
    Request(Box<Incoming>),
    RecordsChanged,
    Ring(ServerEvent),
    PeopleChanged(ChannelId, Arc<[ChannelPerson]>),
    MediaIsDue,
}

/// Until the socket is gone, or does not keep up. What is seldom or large has a future of its own,
/// so that a socket that only waits takes little memory.
pub(super) async fn run(
    mut session: Session,
    resume: Option<Option<ResumeToken>>,
    mut queue: mpsc::Receiver<Box<Incoming>>,
    engine: EngineSocket,
) {
    if let Some(shown) = resume {
        let resumed = Box::pin(requests::resume(&mut session, shown)).await;
        session.services.metrics.resumed(NotResumed::outcome(&resumed));
        match resumed {
            Ok(events) => {
                for event in events {
                    session.outbox.tell(&event).await;
                }
            }
            Err(NotResumed::Over(error)) => session.outbox.refuse_to_resume(error).await,
            Err(NotResumed::Unreachable) => session.route.ending.set(EndReason::Elsewhere),
        }
    }
    let end = loop {
        // A call that rings ends with the seat of who called.
        let seat = session.seat.as_ref().map(|seat| &seat.channel);
        session.ringing.calling.take_if(|calling| Some(&calling.channel) != seat);
        if std::mem::take(&mut session.node_is_back) {
            Box::pin(requests::reclaim(&mut session)).await;
        }
        match next(&mut session, &mut queue).await {
            Next::Over(end) => break end,
            Next::Delivery(delivery) => session.deliver(*delivery).await,
            Next::Request(request) => Box::pin(answer(&mut session, *request)).await,
            Next::RecordsChanged => Box::pin(requests::records_changed(&mut session)).await,
            Next::Ring(event) => session.tell(&event).await,
            Next::PeopleChanged(channel_id, people) => {
                let now = unix_millis(SystemTime::now());
                if session.services.joins.is_barred_here(&session.identity.user, now) {
                    Box::pin(session.watch_nothing()).await;
                } else {
                    let people = session.people_as_shown(&people);
                    session.tell(&ServerEvent::ChannelPeople { channel_id, people }).await;
                }
            }
            Next::MediaIsDue => Box::pin(session.look_at_media()).await,
        }
    };
    drop(queue);
    Box::pin(session.say_goodbye(matches!(end, EndReason::Lost | EndReason::Elsewhere | EndReason::Behind)))
        .await;
    if end == EndReason::Replaced {
        session.outbox.tell_at_last(&ServerEvent::Kicked { reason: KickReason::Replaced, until: None });
    }
    // A socket that is told to go does not come back by itself. One whose server stops should, and
    // one that another replica may serve, or that missed something: those just lose their connection.
    if matches!(end, EndReason::Elsewhere | EndReason::Behind) {
        // Without a DISCONNECT, after which a client never comes back.
        Box::pin(engine.close(end, false)).await;
    } else if !*session.stopping.borrow() {
        let is_told = session.outbox.close().await;
        // The place among the user's sessions is taken until the connection is gone.
        Box::pin(engine.close(end, is_told)).await;
    }
}

async fn next(session: &mut Session, queue: &mut mpsc::Receiver<Box<Incoming>>) -> Next {
    let due = session.seat.as_ref().and_then(|seat| seat.due());
    let mut end = session.end();
    tokio::select! {
        biased;
        end = over(&mut end) => Next::Over(end),
        Some(delivery) = session.deliveries.recv() => Next::Delivery(delivery),
        Ok(()) = session.records_changed.changed() => Next::RecordsChanged,
        () = sleep_until(due.unwrap_or_else(std::time::Instant::now).into()), if due.is_some() => {
            Next::MediaIsDue
        }
        event = session.ringing.next() => Next::Ring(event),
        (channel, people) = session.watched.changed() => Next::PeopleChanged(channel, people),
        request = queue.recv() => request.map_or(Next::Over(EndReason::Left), Next::Request),
    }
}

async fn answer(session: &mut Session, request: Incoming) {
    let Incoming { asked, event, ack, arrived_at } = request;
    if let Some(seat) = session.seat.as_mut().filter(|seat| seat.is_unconfirmed && !seat.is_silent) {
        seat.is_unconfirmed = false;
        // Refused or lost, it is said again by the next command.
        _ = session.ask(Command::ConfirmResume { session: session.id }).await;
    }
    let result = match event {
        Ok(event) => {
            session.traced.begin(&session.services.tracer, &event);
            requests::handle(session, event).await
        }
        Err(error) => Err(error),
    };
    session.traced.end(result.as_ref().err());
    session.services.metrics.answered(&asked.event, Outcome::of(&result), arrived_at.elapsed());
    session.outbox.answer(&asked, &ack, result).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    type Run<F> = fn(Session, Option<Option<ResumeToken>>, mpsc::Receiver<Box<Incoming>>, EngineSocket) -> F;

    fn size_of_future<F: Future>(_: Run<F>) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_that_waits_is_a_few_kilobytes() {
        assert!(size_of_future(run) < 6 * 1024);
        // A channel begins with room for 32.
        assert!(size_of::<Box<Incoming>>() + size_of::<Box<Delivery>>() <= 16);
    }
}
