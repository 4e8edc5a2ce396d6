//! Sockets that have not yet shown a token. There are only so many, so that strangers cannot take
//! the memory of those who are known.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At once, over all addresses. Each has ten seconds to show its token.
const ANONYMOUS_MAX: usize = 1000;

#[derive(Clone, Debug)]
pub(crate) struct Anonymous(Arc<Semaphore>);

/// Lives with the socket's first request, and with it ends when the socket does.
#[derive(Clone, Debug)]
pub(super) struct Permit(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Permit {
    pub(super) fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Anonymous {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ANONYMOUS_MAX)))
    }

    fn admit(&self, request: &mut Request) -> bool {
        let Ok(permit) = self.0.clone().try_acquire_owned() else { return false };
        request.extensions_mut().insert(Permit(Arc::new(Mutex::new(Some(permit)))));
        true
    }
}

/// A request of engine.io without a `sid` opens a socket.
fn opens_socket(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().starts_with("/socket.io") && !query.split('&').any(|pair| pair.starts_with("sid="))
}

pub(crate) async fn bound(State(anonymous): State<Anonymous>, mut request: Request, next: Next) -> Response {
    if opens_socket(&request) && !anonymous.admit(&mut request) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(uri: &str) -> Request {
        Request::builder().uri(uri).body(Body::empty()).unwrap()
    }

    #[test]
    fn a_place_is_taken_until_its_socket_is_known_or_gone() {
        let anonymous = Anonymous::new();
        let mut held: Vec<_> = (0..ANONYMOUS_MAX).map(|_| request("/socket.io/?EIO=4")).collect();
        assert!(held.iter_mut().all(|request| anonymous.admit(request)));
        let mut late = request("/socket.io/?EIO=4");
        assert!(!anonymous.admit(&mut late));
        held[0].extensions().get::<Permit>().unwrap().give_back();
        assert!(anonymous.admit(&mut late));
        assert!(!anonymous.admit(&mut request("/socket.io/")));
        held.clear();
        assert!(anonymous.admit(&mut request("/socket.io/")));
    }

    #[test]
    fn only_what_opens_a_socket_counts() {
        assert!(opens_socket(&request("/socket.io/?EIO=4&transport=websocket")));
        assert!(!opens_socket(&request("/socket.io/?EIO=4&transport=polling&sid=AAAA")));
        assert!(!opens_socket(&request("/healthz")));
    }
}
