//! The task of one watched channel: it finds the room's node and looks again whenever the room may have
//! moved. What is known stays while the node cannot be reached, since its calls go on.

use super::people::{InRoom, People};
use crate::ending::EndSignal;
use crate::media_client::{Delivery, NodeCall, NodeLink, Route};
use crate::placement::{Changes, Found, Placement};
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::limits::CHANNEL_PEOPLE_INTERVAL;
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::signal::ChannelPerson;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long after a change of nodes or rooms it is looked for this one: many change at once.
const LOOK_AFTER: Duration = Duration::from_millis(250);
/// Between two tries at a node that refuses.
const RETRY: Duration = Duration::from_secs(2);
/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Events not yet looked at. What does not fit is asked for anew.
const EVENTS_MAX: usize = 256;

/// Until `is_over`, which is asked when nobody watches the channel.
pub(super) async fn follow(
    placement: Placement,
    channel: ChannelId,
    to: watch::Sender<People>,
    is_over: impl Fn(&watch::Sender<People>) -> bool,
) {
    let mut changes = placement.changes();
    let mut watched: Option<Watched> = None;
    while !is_over(&to) {
        tokio::select! {
            () = to.closed() => {}
            () = find_and_hear(&placement, &channel, &to, &mut changes, &mut watched) => {}
        }
        if let Some(watched) = watched.take() {
            watched.end().await;
        }
        if to.receiver_count() == 0 {
            // Whoever comes next waits for what the node says then.
            to.send_replace(None);
        }
    }
}

/// A channel that a node tells us of.
struct Watched {
    link: NodeLink,
    address: Address,
    route: Route,
    from: mpsc::Receiver<Box<Delivery>>,
}

impl Watched {
    fn new(link: NodeLink, address: Address) -> Self {
        let (to, from) = mpsc::channel(EVENTS_MAX);
        // In no room, whatever its number.
        let route = Route { session: SessionId::from_bits(0), to, ending: EndSignal::new() };
        Self { link, address, route, from }
    }

    async fn call(&self, command: Command) -> bool {
        let (address, route) = (self.address.clone(), self.route.clone());
        self.link
            .call(NodeCall { address, command, route, ticket: 0, traceparent: String::new() })
            .await
            .is_ok()
    }

    /// Who is in the room, of whose changes the node tells from then on. None: it refused.
    async fn begin(&mut self) -> Option<InRoom> {
        if !self.call(Command::Watch).await {
            return None;
        }
        let answered = async {
            while let Some(delivery) = self.from.recv().await {
                if let Delivery::Reply { reply, .. } = *delivery {
                    return reply.ok();
                }
            }
            None
        };
        match timeout(ANSWER_TIMEOUT, answered).await.ok()?? {
            Reply::Inspected(room) => Some(InRoom::of(room)),
            _ => None,
        }
    }

    async fn end(self) {
        _ = self.call(Command::Unwatch).await;
    }
}

/// Returns when the room has to be looked for again.
async fn find_and_hear(
    placement: &Placement,
    channel: &ChannelId,
    to: &watch::Sender<People>,
    changes: &mut Changes,
    watched: &mut Option<Watched>,
) {
    match placement.find(channel) {
        Found::Here(link, address) => {
            let watched = watched.insert(Watched::new(link, address));
            match watched.begin().await {
                Some(people) => return hear(placement, channel, to, changes, watched, people).await,
                None => tracing::debug!("a media node does not say who is in a channel"),
            }
        }
        Found::Unbound | Found::Ended => publish(to, &[]),
        Found::Waiting => {}
    }
    tokio::select! {
        () = changes.next() => sleep(LOOK_AFTER).await,
        () = sleep(RETRY) => {}
    }
}

async fn hear(
    placement: &Placement,
    channel: &ChannelId,
    to: &watch::Sender<People>,
    changes: &mut Changes,
    watched: &mut Watched,
    mut people: InRoom,
) {
    publish(to, &people.list());
    let mut ended = watched.route.ending.subscribe();
    let mut published_at = Instant::now();
    let (mut is_new, mut look_at) = (false, None);
    loop {
        let publish_at = published_at + CHANNEL_PEOPLE_INTERVAL;
        tokio::select! {
            delivery = watched.from.recv() => match delivery.map(|delivery| *delivery) {
                Some(Delivery::Event(event)) => is_new |= people.take(event.event),
                Some(Delivery::Reply { .. }) => {}
                // The stream is gone; the node may well be there.
                _ => return,
            },
            () = sleep_until(publish_at), if is_new => {
                publish(to, &people.list());
                (is_new, published_at) = (false, Instant::now());
            }
            () = changes.next(), if look_at.is_none() => look_at = Some(Instant::now() + LOOK_AFTER),
            () = sleep_until(look_at.unwrap_or(publish_at)), if look_at.is_some() => {
                look_at = None;
                match placement.find(channel) {
                    Found::Here(link, _) if link.is(&watched.link) => {}
                    Found::Waiting => {}
                    _ => return,
                }
            }
            // Something was missed.
            _ = ended.changed() => return,
        }
    }
}

fn publish(to: &watch::Sender<People>, people: &[ChannelPerson]) {
    to.send_if_modified(|known| {
        let is_new = known.as_deref() != Some(people);
        if is_new {
            *known = Some(people.into());
        }
        is_new
    });
}
