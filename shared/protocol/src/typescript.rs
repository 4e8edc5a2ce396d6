//! The contract in TypeScript, `control-plane/web/sdk/src/generated.ts`: names, numbers, and the shape of
//! every payload, written from the types that the servers read and write. The test below fails when the file
//! differs from them; with `RAILGUN_UPDATE=1` it writes the file anew.

use crate::limits;
use crate::rtp_parameters::{RtpCapabilities, RtpParameters};
use crate::signal::{ClientEvent, ErrorCode, Source, client_request, server_event};
use crate::transport_parameters::{DtlsParameters, IceCandidate, IceParameters};
use serde::Serialize;
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::{env, fs};
use ts_rs::{Config, TS, TypeVisitor};

const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../control-plane/web/sdk/src/generated.ts");

/// Declares the payload of an event as a struct of its own, in a module named after the event.
macro_rules! payload {
    ($(#[$attribute:meta])* $variant:ident { $($fields:tt)* }) => {
        #[allow(non_snake_case, dead_code)]
        pub(crate) mod $variant {
            #[allow(unused_imports)]
            use super::super::*;

            #[derive(Serialize, ts_rs::TS)]
            #[serde(rename_all = "camelCase")]
            #[ts(optional_fields)]
            pub(crate) struct Payload { $($fields)* }
        }
    };
    ($(#[$attribute:meta])* $variant:ident ($inner:ty)) => {
        #[allow(non_snake_case, dead_code)]
        pub(crate) mod $variant {
            #[allow(unused_imports)]
            use super::super::*;

            pub(crate) type Payload = $inner;
        }
    };
}
pub(crate) use payload;

/// What mediasoup-client has types for: those are named, so that its functions take our payloads.
macro_rules! of_mediasoup_client {
    ($($name:ident),*) => {$(
        impl TS for $name {
            type WithoutGenerics = Self;
            type OptionInnerType = Self;

            fn name(_: &Config) -> String {
                concat!("types.", stringify!($name)).into()
            }

            fn inline(config: &Config) -> String {
                Self::name(config)
            }
        }
    )*};
}
of_mediasoup_client!(RtpCapabilities, RtpParameters, IceParameters, IceCandidate, DtlsParameters);

/// The named types that payloads hold, with their declarations.
pub(crate) struct Types {
    config: Config,
    seen: BTreeSet<TypeId>,
    declarations: BTreeMap<String, String>,
}

impl Types {
    fn new() -> Self {
        let config = Config::new().with_large_int("number");
        Self { config, seen: BTreeSet::new(), declarations: BTreeMap::new() }
    }

    /// The type `T` written out, after the types that it names were declared.
    pub(crate) fn inline<T: TS + 'static>(&mut self) -> String {
        T::visit_dependencies(self);
        T::visit_generics(self);
        T::inline(&self.config)
    }

    /// The name of `T`, after it and the types that it names were declared.
    pub(crate) fn name<T: TS + 'static>(&mut self) -> String {
        self.visit::<T>();
        T::name(&self.config)
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            let declaration = format!("{docs}export {}", T::decl(&self.config));
            self.declarations.insert(T::name(&self.config), declaration);
        }
    }
}

#[test]
fn the_web_client_has_our_names_numbers_and_shapes() {
    let wanted = generate();
    if env::var_os("RAILGUN_UPDATE").is_some() {
        fs::write(GENERATED, &wanted).expect("the file can be written");
    }
    let present = fs::read_to_string(GENERATED).expect("the file is there");
    assert_eq!(present, wanted, "write it anew with RAILGUN_UPDATE=1");
}

#[test]
fn every_request_has_a_payload_and_a_reply() {
    let described: Vec<&str> =
        client_request::payloads::describe(&mut Types::new()).iter().map(|of| of.0).collect();
    assert_eq!(described, ClientEvent::NAMES);
}

fn generate() -> String {
    let mut text = String::from(
        "/**\n * The signaling contract. Written by `shared/protocol/src/typescript.rs` from the types of the servers;\n \
         * RAILGUN_UPDATE=1 writes it anew.\n */\nimport type { types } from \"mediasoup-client\";\n",
    );
    list(&mut text, "REQUEST_NAMES", ClientEvent::NAMES);
    list(&mut text, "ERROR_CODES", ErrorCode::ALL);
    list(&mut text, "SOURCES", Source::ALL);
    text.push_str("\nexport const LIMITS = {\n");
    for (name, value) in [
        ("audioBitrateFree", limits::AUDIO_BITRATE_FREE),
        ("audioBitratePro", limits::AUDIO_BITRATE_PRO),
        ("videoBitrate", limits::VIDEO_BITRATE),
        ("screenBitrate", limits::SCREEN_BITRATE),
        ("dataPerSecond", limits::DATA_PER_SECOND),
    ] {
        line(&mut text, format_args!("  {name}: {value},"));
    }
    for (name, value) in [
        ("dataKindBytes", limits::DATA_KIND_BYTES_MAX),
        ("dataPayloadBytes", limits::DATA_PAYLOAD_BYTES_MAX),
        ("e2eeMessageBytes", limits::E2EE_MESSAGE_BYTES_MAX),
    ] {
        line(&mut text, format_args!("  {name}: {value},"));
    }
    text.push_str("} as const;\n");

    let mut types = Types::new();
    let events = server_event::payloads::describe(&mut types);
    let requests = client_request::payloads::describe(&mut types);
    for declaration in types.declarations.values() {
        line(&mut text, format_args!("\n{}", declaration.trim_end()));
    }
    text.push_str("\n/** What the server says: replies to requests, and events that nobody asked for. */\n");
    text.push_str("export interface ServerEvents {\n");
    for (name, payload) in &events {
        line(&mut text, format_args!("  \"{name}\": {payload};"));
    }
    text.push_str(
        "}\n\n/** Each request's payload, and the acknowledgement of one that was not refused. */\n",
    );
    text.push_str("export interface Requests {\n");
    for (name, payload, reply) in &requests {
        line(&mut text, format_args!("  \"{name}\": {{ payload: {payload}; reply: {reply} }};"));
    }
    text.push_str("}\n");
    text
}

fn list(text: &mut String, name: &str, values: impl IntoIterator<Item = impl Serialize>) {
    line(text, format_args!("\nexport const {name} = ["));
    for value in values {
        let value = serde_json::to_string(&value).expect("a name");
        line(text, format_args!("  {value},"));
    }
    text.push_str("] as const;\n");
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}
