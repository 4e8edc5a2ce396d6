//! What a hostile client does beside its call.

use super::kept::{Call, Kept};
use super::line::{Line, Refused};
use super::socket::{Came, Socket};
use super::view::text;
use crate::tokens::mint;
use crate::told::{broken, tell};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Concerns nobody but who asks; or somebody of its own room, of whom it was not told yet.
const HARMLESS: [&str; 3] = ["voice:rtc:consume", "voice:video:releaseSlot", "voice:video:requestSlot"];
const OWNERSHIP: &str =
    "An id that is somebody else's is NOT_FOUND, whatever is asked of it (contract, 4 and 5)";

impl Line<'_> {
    /// Asks for what is not this client's to have.
    pub(super) async fn try_hostile(
        &mut self,
        call: &mut Call,
        event: &'static str,
        payload: Value,
    ) -> Result<(), Refused> {
        let person = self.person;
        // A producer of its own room it may consume, again.
        if event == "voice:rtc:consume" {
            let id = text(&payload, "producerId");
            let of = person.has(|has| {
                let (_, other) = has.view.producer(&id)?;
                Some((other.user.clone(), other.producers[&id].0.clone()))
            });
            if let Some((user, source)) = of {
                return match self.consume(call, &id, user, source).await {
                    Err(Refused::Broke) => Err(Refused::Broke),
                    _ => Ok(()),
                };
            }
        }
        match self.ask(Some(call), event, payload.clone()).await {
            Ok(_) => {
                tell(&person.user, || format!("hostile {event} {payload} was done"));
                if !HARMLESS.contains(&event) {
                    broken(OWNERSHIP, || format!("{} did {event} {payload}", person.user));
                }
                Ok(())
            }
            Err(Refused::Broke) => Err(Refused::Broke),
            Err(Refused::Code { code, .. }) => {
                tell(&person.user, || format!("hostile {event}: {code}"));
                Ok(())
            }
        }
    }

    /// A token that was used, and whose successor was used for a request, opens nothing.
    pub(super) async fn show_old_token(
        &mut self,
        call: &mut Call,
        kept: &Kept,
        old: &str,
    ) -> Result<(), Refused> {
        // The old one is good until a request on the new socket came to the node.
        if self.ask(Some(call), "voice:state:update", json!({"deafened": false})).await.is_err() {
            return Ok(());
        }
        let to = self.person.replicas[(kept.replica + 1) % self.person.replicas.len()];
        let token = mint(&self.person.user, self.person.pro, None, self.person.is_private);
        let auth = json!({"token": token, "deviceId": self.person.device, "resume": old});
        let Ok(mut socket) = Socket::connect(to, self.person.carriage, &auth).await else { return Ok(()) };
        let until = Instant::now() + Duration::from_secs(5);
        while let Ok(Ok(came)) = tokio::time::timeout_at(until, socket.next()).await {
            match came {
                Came::Event(name, payload) if name == "voice:resumed" => {
                    broken(
                        "A resume token is replaced at each use: the old one is void (contract, 3)",
                        || format!("{} took up {} with one: {payload}", self.person.user, call.session),
                    );
                    break;
                }
                Came::Event(name, _) if name == "voice:error" => break,
                _ => {}
            }
        }
        tell(&self.person.user, || "showed its old resume token".into());
        socket.close().await;
        Ok(())
    }
}
