//! Traces of what happens to a request, across processes: OpenTelemetry's, sent by OTLP over HTTP. Off unless an
//! endpoint is configured. A span holds what is given to it here and nothing else: no user, no address, no secret.

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use railgun_settings::TraceSettings;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long an export may take, and the last one when the process ends.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// Field of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";
/// Of its version 00, which is what [`Span::traceparent`] writes.
const TRACEPARENT_LEN: usize = 55;

/// Makes spans; clones are one. The default makes none.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracer").field(&self.is_on()).finish()
    }
}

impl Tracer {
    /// Sends to the endpoint from a thread of its own, by this Tokio runtime. What cannot be sent in time is dropped.
    /// No `settings`: no spans. `service`: the program's name; `instance`: of this run of it.
    ///
    /// # Errors
    /// If the endpoint is no URL.
    pub fn start(
        settings: Option<&TraceSettings>,
        service: &'static str,
        instance: String,
    ) -> Result<Self, String> {
        let Some(TraceSettings { endpoint, ratio }) = settings else { return Ok(Self::default()) };
        let wrong = |error: &dyn fmt::Display| format!("traces.endpoint = {endpoint:?}: {error}");
        let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).no_proxy().build();
        let client = Http { client: client.map_err(|error| wrong(&error))?, runtime: Handle::current() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| wrong(&error))?;
        let attributes = [
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance),
        ];
        let resource = Resource::builder_empty().with_service_name(service).with_attributes(attributes);
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(*ratio)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer(service);
        Ok(Self(Some(Arc::new(Inner { provider, tracer }))))
    }

    /// Whether any span is made.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a trace.
    pub fn begin(&self, name: &'static str) -> Option<Span> {
        self.span(name, SpanKind::Server, &Context::new())
    }

    /// Begins a span below one of another process, which is told as [`Span::traceparent`] gives it. None for what is
    /// no such text, and for a trace that is not kept.
    pub fn below(&self, traceparent: &str, name: &'static str) -> Option<Span> {
        if traceparent.len() != TRACEPARENT_LEN || !self.is_on() {
            return None;
        }
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
        let is_kept = context.span().span_context().is_sampled();
        if is_kept { self.span(name, SpanKind::Internal, &context) } else { None }
    }

    fn span(&self, name: &'static str, kind: SpanKind, parent: &Context) -> Option<Span> {
        let inner = self.0.as_ref()?;
        let span = inner.tracer.span_builder(name).with_kind(kind).start_with_context(&inner.tracer, parent);
        Some(Span(Box::new(span)))
    }

    /// Sends what is left.
    pub async fn stop(&self) {
        let Some(inner) = self.0.clone() else { return };
        let stop = move || inner.provider.shutdown_with_timeout(EXPORT_TIMEOUT);
        if !matches!(tokio::task::spawn_blocking(stop).await, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Something that takes time. Dropping it ends it. One pointer: what may hold a span is there for each session, and few
/// have one.
pub struct Span(Box<opentelemetry_sdk::trace::Span>);

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(self.context()).finish()
    }
}

impl Span {
    fn context(&self) -> &SpanContext {
        self.0.span_context()
    }

    /// As another process is told of it (W3C Trace Context).
    pub fn traceparent(&self) -> String {
        let context = self.context();
        let flags = context.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    }

    /// Adds what may be known outside: a region, a kind, a number.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(key, value));
    }

    /// What it stands for failed.
    pub fn fail(&mut self, why: &'static str) {
        self.0.set_status(Status::error(why));
    }
}

/// The exporter's thread has no runtime of its own.
#[derive(Debug)]
struct Http {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Http {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(reqwest::Request::try_from(request)?).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        });
        let (status, headers, body) = sent.await??;
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(ratio: f64) -> Tracer {
        let settings = TraceSettings { endpoint: "http://127.0.0.1:9/v1/traces".into(), ratio };
        Tracer::start(Some(&settings), "test", "one".into()).unwrap()
    }

    #[tokio::test]
    async fn a_span_below_another_ones_traceparent_is_of_its_trace() {
        let tracer = started(1.0);
        let root = tracer.begin("root").unwrap();
        let below = tracer.below(&root.traceparent(), "below").unwrap();
        assert_eq!(below.context().trace_id(), root.context().trace_id());
        // A later version may be longer (W3C Trace Context, section 3.2.4); no program of ours writes one.
        let later = format!("01{}-more", &root.traceparent()[2..]);
        for wrong in ["", "00-0-0-01", "garbage", &"0".repeat(55), &later] {
            assert!(tracer.below(wrong, "x").is_none(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_not_kept_where_it_began_is_not_kept_below() {
        let tracer = started(0.0);
        let root = tracer.begin("root").unwrap();
        assert!(root.traceparent().ends_with("-00"), "{}", root.traceparent());
        assert!(tracer.below(&root.traceparent(), "below").is_none());
        assert!(Tracer::start(None, "test", "one".into()).unwrap().begin("none").is_none());
    }
}
