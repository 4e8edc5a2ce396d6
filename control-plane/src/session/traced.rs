//! The trace of a join: a span from the request until it is known what became of the media, and below it one for each
//! request of the client that sets the call up. The media node adds its own, to the first packet that is forwarded.

use crate::refusal::Refusal;
use railgun_process::traces::{Span, Tracer};
use railgun_protocol::signal::ClientEvent;

/// Requests of one join that get a span: a client that makes hundreds shows nothing new by them.
const REQUESTS_MAX: u32 = 64;

/// What a session has of its trace: nothing, in one pointer, where none is kept.
#[derive(Debug, Default)]
pub(crate) struct Traced(Option<Box<Trace>>);

#[derive(Debug)]
struct Trace {
    /// Until the seat's call has it.
    join: Option<Span>,
    /// The span of the join, also when it is over.
    parent: String,
    requests_left: u32,
    /// The request that is being handled.
    request: Option<Span>,
}

impl Traced {
    /// A request begins. A join begins a trace.
    pub(crate) fn begin(&mut self, tracer: &Tracer, event: &ClientEvent) {
        let name = match event {
            ClientEvent::Join { .. } => "voice:join",
            ClientEvent::CreateTransport { .. } => "voice:rtc:createTransport",
            ClientEvent::ConnectTransport { .. } => "voice:rtc:connectTransport",
            ClientEvent::Produce { .. } => "voice:rtc:produce",
            ClientEvent::Consume { .. } => "voice:rtc:consume",
            _ => return,
        };
        if matches!(event, ClientEvent::Join { .. }) {
            self.0 = tracer.begin("join").map(|join| {
                let parent = join.traceparent();
                Box::new(Trace { join: Some(join), parent, requests_left: REQUESTS_MAX, request: None })
            });
        }
        if let Some(trace) = &mut self.0
            && let Some(left) = trace.requests_left.checked_sub(1)
        {
            trace.requests_left = left;
            trace.request = tracer.below(&trace.parent, name);
        }
    }

    /// The request is answered.
    pub(crate) fn end(&mut self, refused: Option<&Refusal>) {
        let Some(trace) = &mut self.0 else { return };
        // A join that no seat's call took is over, too.
        for mut span in [trace.request.take(), trace.join.take()].into_iter().flatten() {
            if let Some(refused) = refused {
                span.fail(refused.code().as_str());
            }
        }
    }

    /// For the call of the seat that was just taken.
    pub(crate) fn take_join(&mut self) -> Option<Span> {
        self.0.as_mut()?.join.take()
    }

    /// What the node is told with a command.
    pub(crate) fn of_command(&self) -> String {
        let request = self.0.as_ref().and_then(|trace| trace.request.as_ref());
        request.map(Span::traceparent).unwrap_or_default()
    }
}
