//! With `traces.endpoint` set, both programs send OTLP of each join: one trace over replica and node, from the request
//! to ICE, DTLS and the first packet that is forwarded. It holds no user, token or address.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use railgun_client::{MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{System, opus_payload, within};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const MEDIA_WITHIN: Duration = Duration::from_secs(15);
const LISTENER: &str = "benjamin-who-listens";

/// An OTLP receiver: the bodies of what was posted to it.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Vec<u8>>>>);

impl Receiver {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let receiver = Self::default();
        let accepting = receiver.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(connection));
            }
        });
        (receiver, url)
    }

    async fn serve(self, connection: TcpStream) -> std::io::Result<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut line, mut length, mut head) = (String::new(), 0, String::new());
            while connection.read_line(&mut line).await? > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&std::mem::take(&mut line));
            }
            if head.is_empty() {
                return Ok(());
            }
            assert!(head.starts_with("POST /v1/traces "), "{head}");
            let mut body = vec![0; length];
            connection.read_exact(&mut body).await?;
            self.0.lock().unwrap().push(body);
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
        }
    }

    /// The spans so far, each with its program.
    fn spans(&self) -> Vec<(String, Span)> {
        let bodies = self.0.lock().unwrap();
        let mut spans = Vec::new();
        for body in bodies.iter() {
            for of in ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans {
                let resource = of.resource.clone().unwrap_or_default();
                let name = resource.attributes.iter().find(|it| it.key == "service.name").unwrap();
                let name = format!("{:?}", name.value);
                let program = if name.contains("railgun-media") { "media" } else { "control" };
                let all = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(all.map(|span| (program.to_owned(), span)));
            }
        }
        spans
    }

    /// The listener's trace, once it is whole.
    async fn trace_to_the_first_packet(&self) -> BTreeMap<String, Vec<(String, Span)>> {
        loop {
            let spans = self.spans();
            let id =
                spans.iter().find(|(_, span)| span.name == "first packet").map(|(_, it)| it.trace_id.clone());
            let mut trace = BTreeMap::<String, Vec<_>>::new();
            for (program, span) in spans.into_iter().filter(|(_, span)| Some(&span.trace_id) == id.as_ref()) {
                trace.entry(span.name.clone()).or_default().push((program, span));
            }
            if trace.contains_key("join") && trace.contains_key("first packet") {
                return trace;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_join_is_traced_from_its_request_to_the_first_packet_otlp() {
    let (receiver, url) = Receiver::start().await;
    let system = System::two_processes_traced(&url).await.unwrap();
    let ada = system.member("ada-who-speaks", Tier::Pro, "lobby").await.unwrap();
    let ben = system.member(LISTENER, Tier::Pro, "lobby").await.unwrap();
    let microphone = ada.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let mut consumer = ben.receiving.consume(microphone.id()).await.unwrap();
    within(MEDIA_WITHIN, "speech", async {
        let payload = opus_payload("ada", 0);
        for number in 0.. {
            microphone.send(&payload, false, 960 * number).await.unwrap();
            let received = tokio::time::timeout(Duration::from_millis(20), consumer.receive()).await;
            if received.is_ok() {
                break;
            }
        }
    })
    .await;
    let trace = within(MEDIA_WITHIN, "the trace", receiver.trace_to_the_first_packet()).await;

    let one = |name: &str| {
        let spans = trace.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", trace.keys()));
        assert!(
            name.starts_with("voice:rtc") || name.starts_with("media.") || spans.len() == 1,
            "{name} is there {} times",
            spans.len()
        );
        spans[0].clone()
    };
    let all: Vec<_> = trace.values().flatten().collect();
    // Replica and node each have their part, and every span but the first is below another one of the trace.
    let (program, join) = one("join");
    assert_eq!((program.as_str(), join.parent_span_id.is_empty()), ("control", true));
    let is_there = |id: &[u8]| all.iter().any(|(_, span)| span.span_id == id);
    assert!(
        all.iter().all(|(_, span)| span.span_id == join.span_id || is_there(&span.parent_span_id)),
        "{all:#?}"
    );
    for (name, below, of) in [
        ("voice:join", "join", "control"),
        ("media.join", "voice:join", "media"),
        ("voice:rtc:createTransport", "join", "control"),
        ("media.createTransport", "voice:rtc:createTransport", "media"),
        ("voice:rtc:connectTransport", "join", "control"),
        ("media.connectTransport", "voice:rtc:connectTransport", "media"),
        ("ice", "voice:rtc:createTransport", "media"),
        ("dtls", "voice:rtc:createTransport", "media"),
        ("first packet", "voice:rtc:createTransport", "media"),
    ] {
        for (program, span) in trace.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", trace.keys())) {
            let parent = all.iter().find(|(_, it)| it.span_id == span.parent_span_id).unwrap();
            assert_eq!((program.as_str(), parent.1.name.as_str()), (of, below), "{name}");
        }
    }
    // Of the transport that the packet went by: ICE, then DTLS, then the packet.
    let (_, packet) = one("first packet");
    let of_transport = |name: &str| {
        let spans = trace.get(name).unwrap();
        let of = spans.iter().find(|(_, span)| span.parent_span_id == packet.parent_span_id);
        of.unwrap_or_else(|| panic!("no {name} of the receiving transport")).1.clone()
    };
    let (ice, dtls) = (of_transport("ice"), of_transport("dtls"));
    assert!(ice.end_time_unix_nano <= dtls.start_time_unix_nano);
    assert!(dtls.end_time_unix_nano <= packet.start_time_unix_nano);
    assert!(packet.start_time_unix_nano < packet.end_time_unix_nano);
    let outcome =
        join.attributes.iter().find(|it| it.key == "railgun.outcome").map(|it| format!("{:?}", it.value));
    assert!(outcome.as_ref().is_some_and(|it| it.contains("\"connected\"")), "{outcome:?}");

    // What leaves the installation names nobody.
    let sent = receiver.0.lock().unwrap().concat();
    for told in ["ada-who-speaks", LISTENER, "lobby", "127.0.0.1", "::1", "eyJ"] {
        assert!(!sent.windows(told.len()).any(|it| it == told.as_bytes()), "{told} is in what was sent");
    }
}
