//! Configuration: who wins, and what a mistake is answered.

use railgun_media::Config;
use railgun_settings::{SettingsError, Sources};
use std::collections::BTreeMap;
use std::net::IpAddr;

fn load(file: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, SettingsError> {
    let env: BTreeMap<_, _> = env.iter().copied().collect();
    Config::default().with(&Sources {
        file: file.parse().unwrap(),
        env: &|name| env.get(name).map(|value| (*value).to_owned()),
        flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = "workers = 1";
    let env = [("RAILGUN_WORKERS", "2")];
    assert_eq!(load(file, &[], &[]).unwrap().workers, 1);
    assert_eq!(load(file, &env, &[]).unwrap().workers, 2);
    assert_eq!(load(file, &env, &[("workers", "3")]).unwrap().workers, 3);
}

#[test]
fn every_setting_is_read_from_the_file() {
    let file = r#"
        node_id = "media-7"
        announced_address = ["192.0.2.1", "2001:db8::1"]
        workers = 3
        dtls_version = "auto"
        rtc = { listen_ip = "::", port_min = 41000, port_max = 41009, relays = ["192.0.2.9", "2001:db8:9::/48"], speech_fec = false, l4s = true }
        rpc = { listen = "10.0.0.1:1" }
        tls = { ca = "ca.pem", cert = "cert.pem", key = "key.pem" }
        health.listen = "127.0.0.1:2"
    "#;
    let config = load(file, &[], &[]).unwrap();
    assert_eq!((config.node_id.as_str(), config.workers), ("media-7", 3));
    assert_eq!(config.announced, [ip("192.0.2.1"), ip("2001:db8::1")]);
    assert_eq!((config.rtc.port_min, config.rtc.port_max), (41_000, 41_009));
    assert_eq!(config.listen_ip(), ip("::"));
    assert!(config.rtc.relays.contains(ip("192.0.2.9")) && config.rtc.relays.contains(ip("2001:db8:9::1")));
    assert!(!config.rtc.relays.contains(ip("192.0.2.8")));
    assert!(!config.rtc.speech_fec && config.rtc.l4s);
    assert_eq!((config.rpc.listen.port(), config.health_listen.port()), (1, 2));
    assert_eq!(config.rpc.tls.unwrap().key.to_str(), Some("key.pem"));
    assert_eq!(format!("{:?}", config.dtls_version), "Auto");
}

#[test]
fn the_announced_address_has_an_alias_and_decides_where_to_listen() {
    assert_eq!(load("", &[], &[]).unwrap().listen_ip(), ip("127.0.0.1"));
    let alias = ("MEDIASOUP_ANNOUNCED_IP", "192.0.2.1");
    let config = load("", &[alias], &[]).unwrap();
    assert_eq!(
        (config.announced.as_slice(), config.listen_ip()),
        ([ip("192.0.2.1")].as_slice(), ip("0.0.0.0"))
    );
    let both = [alias, ("RAILGUN_ANNOUNCED_ADDRESS", "192.0.2.2, 192.0.2.3")];
    assert_eq!(load("", &both, &[]).unwrap().announced, [ip("192.0.2.2"), ip("192.0.2.3")]);
    assert_eq!(load("", &[], &[("announced_address", "2001:db8::1")]).unwrap().listen_ip(), ip("::"));
}

#[test]
fn a_wrong_setting_is_told_with_its_key_and_what_is_allowed() {
    let cases = [
        ("workers = 0", "workers = 0", "1 to 64"),
        ("workers = 65", "workers = 65", "1 to 64"),
        ("workers = 2\nrtc = { port_min = 40000, port_max = 40000 }", "workers = 2", "at most 1"),
        ("rtc.port_min = 0", "rtc.port_min = 0", "1 to 65535"),
        ("rtc.port_min = 70000", "rtc.port_min = 70000", "1 to 65535"),
        ("rtc.port_max = 39999", "rtc.port_max = 39999", "40000 (rtc.port_min) to 65535"),
        ("rtc.listen_ip = \"all\"", "rtc.listen_ip = \"all\"", "0.0.0.0 or ::"),
        ("announced_address = \"0.0.0.0\"", "announced_address = \"0.0.0.0\"", "not 0.0.0.0 or ::"),
        ("announced_address = [\"::\"]", "announced_address = [\"::\"]", "not 0.0.0.0 or ::"),
        ("announced_address = []", "announced_address = []", "1 to 8"),
        ("announced_address = \"example.com\"", "announced_address = \"example.com\"", "IP addresses"),
        (
            "announced_address = \"2001:db8::1\"\nrtc.listen_ip = \"0.0.0.0\"",
            "announced_address = \"2001:db8::1\"",
            "set rtc.listen_ip to ::",
        ),
        ("dtls_version = \"1.1\"", "dtls_version = \"1.1\"", "one of 1.2, 1.3, auto"),
        ("node_id = \"\"", "node_id = \"\"", "a text"),
        ("rpc.listen = \"here\"", "rpc.listen = \"here\"", "127.0.0.1:50051"),
        ("rpc = { insecure = true, listen = \"0.0.0.0:1\" }", "rpc.insecure = true", "loopback"),
        ("tls.ca = \"ca.pem\"", "tls.cert = nothing", "go together"),
        ("health.listen = 80", "health.listen = 80", "an address and port"),
    ];
    for (file, key_and_value, allowed) in cases {
        let told = load(file, &[], &[]).expect_err(file).to_string();
        assert!(told.starts_with(key_and_value) && told.contains(allowed), "{file}: {told}");
    }
    let told = load("", &[("RAILGUN_WORKERS", "many")], &[]).unwrap_err().to_string();
    assert_eq!(told, "workers = \"many\" (from RAILGUN_WORKERS) is not allowed: give a number from 1 to 64");
}

#[test]
fn a_key_that_does_not_exist_is_told() {
    for (file, key) in
        [("worker = 1", "worker"), ("rtc.port = 1", "rtc.port"), ("[tsl]\nca = \"a\"", "tsl.ca")]
    {
        let told = load(file, &[], &[]).unwrap_err().to_string();
        assert!(told.starts_with(&format!("{key} is not a setting")), "{told}");
    }
}
