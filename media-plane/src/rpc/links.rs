//! TCP connections of control-planes.

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

/// Each sends at once (`TCP_NODELAY`): with Nagle's algorithm (RFC 896) a reply that follows an event waits until
/// the control-plane acknowledges the event, which it delays by some 40 ms (RFC 1122, section 4.2.3.2).
pub fn control_links(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn a_reply_waits_for_no_acknowledgement_of_what_went_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut links = control_links(listener);
        let (_near, accepted) = tokio::join!(TcpStream::connect(address), links.next());
        assert!(accepted.unwrap().unwrap().nodelay().unwrap());
    }
}
