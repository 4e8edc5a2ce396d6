//! The events that a group is told of, by one socket after the other: a resumed session goes on by another one.

use crate::error::ClientError;
use crate::socket_io::{Event, EventStream};
use railgun_protocol::limits::RESUME_WINDOW_MAX;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What the group is told of, and what ends it.
const EVENTS: [&str; 7] = [
    "voice:e2ee:message",
    "voice:participant:joined",
    "voice:participant:left",
    "voice:participant:state",
    "voice:resumed",
    "voice:rejoin",
    "voice:kicked",
];

#[derive(Debug)]
pub(super) struct Sockets {
    events: EventStream,
    /// Those of the sockets that the session is resumed by.
    resumes: mpsc::UnboundedReceiver<EventStream>,
    lost_at: Option<Instant>,
}

impl Sockets {
    pub(super) fn new(events: EventStream, resumes: mpsc::UnboundedReceiver<EventStream>) -> Self {
        Self { events, resumes, lost_at: None }
    }

    /// The next event; `None`: the last socket ended, and nobody resumes the session any more. May be dropped before
    /// it is done without losing an event.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if events came faster than they were taken.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            let given_up = self.lost_at.unwrap_or_else(Instant::now) + RESUME_WINDOW_MAX;
            tokio::select! {
                biased;
                Some(events) = self.resumes.recv() => {
                    self.events = events;
                    self.lost_at = None;
                }
                event = self.events.next(), if self.lost_at.is_none() => match event? {
                    Some(event) if EVENTS.contains(&event.name.as_str()) => return Ok(Some(event)),
                    Some(_) => {}
                    None => self.lost_at = Some(Instant::now()),
                },
                () = sleep_until(given_up), if self.lost_at.is_some() => return Ok(None),
            }
        }
    }
}
