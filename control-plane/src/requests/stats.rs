//! `voice:rtc:getStats`. Checks: a channel was joined; the transport, if one is named, is this
//! session's own. The node tells of nothing that is not.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Owned, Session};
use railgun_protocol::ids::TransportId;
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::ServerEvent;

pub(super) async fn get_stats(
    session: &mut Session,
    transport: Option<Owned<TransportId>>,
) -> Result<Answer, Refusal> {
    let transport = transport.map(|owned| owned.id());
    match session.ask(Command::GetStats { session: session.id, transport }).await? {
        Reply::Stats(stats) => Ok(ServerEvent::Stats(stats).into()),
        other => Err(unexpected(&other)),
    }
}
