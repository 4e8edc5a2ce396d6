//! Whether rooms can be opened, as both listeners tell it.

use crate::placement::Placement;
use axum::extract::State;
use axum::http::StatusCode;

/// Ready while rooms can be opened. Who is not goes on with those that are open: this is no reason
/// to restart anything.
pub(super) async fn ready(State(placement): State<Placement>) -> (StatusCode, String) {
    let cut_off =
        || placement.is_cut_off().then_some("a media node that others reach cannot be reached from here");
    match placement.hindrance().or_else(cut_off) {
        None => (StatusCode::OK, "ready\n".into()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
