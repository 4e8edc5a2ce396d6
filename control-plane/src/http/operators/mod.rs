//! The operators' listener: whether we are well and what we do, and an API to decide who may do what.
//! It belongs on an address that only operators reach.

mod access;
mod api;
mod audit;
mod avatars;
mod bans;
mod body;
mod calls;
mod channels;
mod error;
mod health;
mod nodes;
mod path;
mod rooms;
mod scope;
mod users;

pub(crate) use access::Tokens;
pub use access::entry;
pub(crate) use api::Api;
pub(crate) use audit::AuditLog;
pub(crate) use health::{Scraped, health};
pub use scope::Scope;

use access::Operator;
use audit::AuditEntry;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::{Json, Router};
use error::{ApiError, Refused};
use path::Limit;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const BODY_BYTES_MAX: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(title = "Rail Gun operators' API", description = "Channels, bans, entitlements, avatars, rooms and media nodes. Writes are idempotent: the same request again changes nothing and succeeds."),
    components(schemas(error::ErrorDocument)),
    servers((url = "/", description = "The operators' listener (operators.listen) that this was read from")),
    tags(
        (name = "channels", description = "Which channels there are, how large their rooms are, and who may join"),
        (name = "bans", description = "Who may join one channel, or any, no more"),
        (name = "entitlements", description = "What counts instead of a user's token, and which tokens count no more"),
        (name = "avatars", description = "Pictures of people, whatever their tokens say"),
        (name = "rooms", description = "What is open now, who is there, and putting somebody out"),
        (name = "nodes", description = "Media nodes, and whether they take rooms"),
        (name = "calls", description = "How calls went, and why their bad minutes were bad"),
        (name = "audit", description = "Who changed what"),
    ),
    modifiers(&Bearer)
)]
struct Described;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    }
}

fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(channels::list))
        .routes(routes!(channels::get, channels::put, channels::delete))
        .routes(routes!(bans::get_in_channel, bans::put_in_channel, bans::delete_in_channel))
        .routes(routes!(bans::get, bans::put, bans::delete))
        .routes(routes!(users::entitlement, users::put_entitlement, users::delete_entitlement))
        .routes(routes!(users::revocation, users::put_revocation, users::delete_revocation))
        .routes(routes!(avatars::get, avatars::put, avatars::delete))
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::get))
        .routes(routes!(rooms::participants))
        .routes(routes!(rooms::kick))
        .routes(routes!(rooms::mute))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::drain, nodes::undrain))
        .routes(routes!(calls::list))
        .routes(routes!(calls::get))
        .routes(routes!(calls::records))
        .routes(routes!(audit_log))
}

/// The API, with its description at `/v1/openapi.json`, which needs no token.
pub(crate) fn api(api: Arc<Api>) -> Router {
    let (router, document) = routes().split_for_parts();
    router
        .route("/calls", axum::routing::get(calls::page))
        .route("/v1/openapi.json", axum::routing::get(async move || Json(document)))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

/// Who changed what on this replica since it started, newest first.
#[utoipa::path(get, operation_id = "listAudit", path = "/v1/audit", tag = "audit", params(Limit),
    responses((status = 200, body = Vec<AuditEntry>, description = "Changes"), Refused))]
async fn audit_log(
    operator: Operator,
    State(api): State<Arc<Api>>,
    limit: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Vec<AuditEntry>>, ApiError> {
    operator.may(Scope::ReadAudit)?;
    let Query(limit) = limit?;
    Ok(Json(api.audit.entries(limit.get()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_openapi_document_has_unique_operation_ids_and_a_body_for_each_error() {
        let (_, document) = routes().split_for_parts();
        let document: Value = serde_json::to_value(document).unwrap();
        let (mut ids, mut count) = (BTreeSet::new(), 0);
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                count += 1;
                ids.insert(operation["operationId"].as_str().unwrap().to_owned());
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                let responses = operation["responses"].as_object().unwrap();
                for status in ["400", "401", "403"] {
                    assert!(responses.contains_key(status), "{method} {path} says nothing of {status}");
                }
                for (status, response) in responses {
                    let is_said = |of: &Value| of.as_str().is_some_and(|text| !text.is_empty());
                    assert!(is_said(&response["description"]), "{method} {path} {status} has no description");
                    let is_error = status.starts_with(['4', '5']);
                    let schema = &response["content"]["application/json"]["schema"]["$ref"];
                    assert!(
                        !is_error || schema == "#/components/schemas/ErrorDocument",
                        "{method} {path} {status}"
                    );
                }
            }
        }
        assert_eq!((ids.len(), count), (count, 31));
        assert!(document["servers"][0]["url"].is_string());
    }
}
