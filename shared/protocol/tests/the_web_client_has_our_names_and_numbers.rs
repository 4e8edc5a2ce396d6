//! The web client's names and numbers are written from the tables here, never by hand. With
//! `RAILGUN_UPDATE=1` this writes them anew.

use railgun_protocol::limits;
use railgun_protocol::signal::{ClientEvent, ErrorCode, Source};
use serde::Serialize;
use std::fmt::Write as _;
use std::{env, fs};

const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../control-plane/web/sdk/src/generated.ts");

#[test]
fn the_web_client_has_our_names_and_numbers() {
    let wanted = generate();
    if env::var_os("RAILGUN_UPDATE").is_some() {
        fs::write(GENERATED, &wanted).expect("the file can be written");
    }
    let present = fs::read_to_string(GENERATED).expect("the file is there");
    assert_eq!(present, wanted, "write it anew with RAILGUN_UPDATE=1");
}

fn generate() -> String {
    let mut text = String::from(
        "/** Written by `shared/protocol/tests/the_web_client_has_our_names_and_numbers.rs`; RAILGUN_UPDATE=1 writes it anew. */\n",
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
    ] {
        writeln!(text, "  {name}: {value},").expect("a string takes everything");
    }
    text.push_str("} as const;\n");
    text
}

fn list(text: &mut String, name: &str, values: impl IntoIterator<Item = impl Serialize>) {
    writeln!(text, "\nexport const {name} = [").expect("a string takes everything");
    for value in values {
        let value = serde_json::to_string(&value).expect("a name");
        writeln!(text, "  {value},").expect("a string takes everything");
    }
    text.push_str("] as const;\n");
}
