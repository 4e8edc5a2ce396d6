//! Wrong settings, files and environments, as people write them: each is told by `check-config` in a sentence that
//! names what is wrong, and a start with it is refused. What only may be wrong is a warning.

use railgun_etcd::testing::free_address;
use railgun_tests::{Daemon, said_by};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// In it: a good JWKS and certificates, and files that are wrong in one way each.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

impl Directory {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("railgun-wrong-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let directory = Self(path);
        let make = |arguments: &[&str]| {
            let (good, said) = said_by("railgun", arguments, &[], &directory.0).unwrap();
            assert!(good, "{said}");
        };
        make(&["certs", "--out", "certs"]);
        make(&["certs", "--out", "other"]);
        make(&["token", "--user", "ada", "--key", "token.key"]);
        for (name, text) in [
            ("empty.json", "{\"keys\": []}"),
            ("garbage", "garbage\n"),
            ("not.toml", "listen = \n"),
            ("whsec", "whsec_c2hvcnQ=\n"),
            ("turn.secrets", "short\n"),
            ("password", "\n"),
            ("networks", "203.0.113.0/24 eu-west carrier-pigeon\n"),
            ("tokens.toml", "[[token]]\nname = \"a\"\nsha256 = \"12\"\nscopes = []\n"),
            ("expired.pem", include_str!("fixtures/expired.pem")),
            ("expired.key", include_str!("fixtures/expired.key")),
        ] {
            fs::write(directory.0.join(name), text).unwrap();
        }
        directory
    }

    /// Whether a start with this file is refused within 20 s, and what it says.
    fn refuses(&self, program: &str, file: &str, variables: &[(&str, &str)]) -> (bool, String) {
        fs::write(self.0.join("tried.toml"), file).unwrap();
        let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join(program);
        let serve = if program.ends_with("railgun-control") { "serve" } else { "" };
        // `timeout` says 124 of a start that goes on.
        let script = "timeout 20 \"$0\" $1 --config tried.toml; [ $? = 1 ]";
        let arguments = ["-c", script, program.to_str().unwrap(), serve];
        said_by("sh", &arguments, variables, &self.0).unwrap()
    }

    /// What `check-config` says of this file.
    fn check(&self, program: &str, file: &str, variables: &[(&str, &str)]) -> (bool, String) {
        fs::write(self.0.join("tried.toml"), file).unwrap();
        said_by(program, &["check-config", "--config", "tried.toml"], variables, &self.0).unwrap()
    }
}

/// Everything that a control-plane needs, but for `without`.
fn control(without: &str, with: &str) -> String {
    let good = [
        "auth.jwks = \"token.jwks.json\"",
        "media.ca = \"certs/ca.pem\"",
        "media.cert = \"certs/control.pem\"",
        "media.key = \"certs/control.key\"",
    ];
    let kept = good.iter().filter(|line| without.is_empty() || !line.starts_with(without));
    kept.copied().chain([with]).collect::<Vec<_>>().join("\n")
}

fn media(without: &str, with: &str) -> String {
    let good =
        ["tls.ca = \"certs/ca.pem\"", "tls.cert = \"certs/media.pem\"", "tls.key = \"certs/media.key\""];
    let kept = good.iter().filter(|line| without.is_empty() || !line.starts_with(without));
    kept.copied().chain([with]).collect::<Vec<_>>().join("\n")
}

/// What is left out, what is put in, and what is said.
type Case = (&'static str, &'static str, &'static str);

const CONTROL: [Case; 32] = [
    ("auth.jwks", "", "auth.jwks is not set"),
    ("auth.jwks", "auth.jwks = \"none.json\"", "none.json cannot be read: No such file"),
    ("auth.jwks", "auth.jwks = \"empty.json\"", "empty.json holds no key"),
    ("auth.jwks", "auth.jwks = \"garbage\"", "garbage is not a JWKS"),
    ("auth.jwks", "auth.jwks = \"http://issuer.example.com/keys\"", "a file, or an https:// URL"),
    ("", "auth.jwk = \"a\"", "auth.jwk is not a setting: is it auth.jwks?"),
    ("", "lisen = \"127.0.0.1:1\"", "lisen is not a setting: is it listen?"),
    ("", "zzz = 1", "zzz is not a setting; there are listen"),
    ("", "listen = 80", "listen = 80 is not allowed: give an address and port such as 127.0.0.1:8080"),
    ("", "listen = \"localhost\"", "listen = \"localhost\" is not allowed"),
    ("", "operators.listen = \"127.0.0.1:8080\"", "operators.listen = 127.0.0.1:8080 is taken by listen"),
    ("", "operators.tokens = \"none.toml\"", "operators.tokens: none.toml cannot be read"),
    ("", "operators.tokens = \"tokens.toml\"", "the sha256 of \"a\" is not 64 hexadecimal digits"),
    ("", "operators.audit = \"none/audit.log\"", "operators.audit = none/audit.log cannot be written"),
    ("", "webhooks.url = \"https://example.com\"", "webhooks.url needs webhooks.secret_file"),
    ("", "webhooks.url = \"https://e.org\"\nwebhooks.secret_file = \"whsec\"", "not `whsec_` and at least"),
    ("", "https.cert = \"certs/media.pem\"", "https.key = nothing is not allowed"),
    (
        "",
        "https = { cert = \"expired.pem\", key = \"expired.key\" }",
        "https.cert = expired.pem ended on 2020-01-02",
    ),
    (
        "",
        "https = { cert = \"certs/media.pem\", key = \"other/media.key\" }",
        "https.key is not the key of the certificate in https.cert",
    ),
    ("", "turn.urls = [\"turn:relay.example.com\"]", "turn.secrets_file = nothing is not allowed"),
    (
        "",
        "turn = { urls = [\"turn:r.example.com\"], secrets_file = \"turn.secrets\" }",
        "line 1 is no secret",
    ),
    ("", "networks = \"networks\"", "line 1: carrier-pigeon is none of wifi"),
    ("", "trusted_proxies = [\"lb\"]", "a list of addresses and networks such as 10.0.0.7"),
    ("", "cors_origins = [\"*\"]", "a list of origins such as https://app.example.com"),
    ("", "avatar_hosts = [\"*.example.com\"]", "a list of hosts such as cdn.example.com"),
    ("", "channels.preset = { lobby = \"gold\" }", "a table of channels, each \"free\" or \"pro\""),
    ("", "log.format = \"xml\"", "one of text, json"),
    ("media.ca", "", "media.ca is not set: mutual TLS needs it"),
    ("media.key", "media.key = \"none.key\"", "media.key = none.key cannot be read: No such file"),
    (
        "media.key",
        "media.key = \"other/control.key\"",
        "media.key is not the key of the certificate in media.cert",
    ),
    ("media.ca", "media.ca = \"garbage\"", "media.ca = garbage holds no certificate in PEM"),
    (
        "",
        "etcd = { endpoints = [\"http://127.0.0.1:1\"], user = \"c\", password_file = \"password\" }",
        "etcd.password_file = password is empty",
    ),
];

const MEDIA: [Case; 18] = [
    ("tls", "", "tls.ca, tls.cert and tls.key are not set"),
    ("tls.key", "", "tls.key = nothing is not allowed"),
    ("tls.key", "tls.key = \"other/media.key\"", "tls.key is not the key of the certificate in tls.cert"),
    ("tls.cert", "tls.cert = \"none.pem\"", "tls.cert = none.pem cannot be read: No such file"),
    ("tls.ca", "tls.ca = \"garbage\"", "tls.ca = garbage holds no certificate in PEM"),
    (
        "tls.",
        "tls = { ca = \"certs/ca.pem\", cert = \"expired.pem\", key = \"expired.key\" }",
        "ended on 2020-01-02",
    ),
    ("", "rpc.insecure = true", "rpc.insecure and tls.ca, tls.cert, tls.key exclude each other"),
    ("", "rpc = { insecure = true, listen = \"0.0.0.0:1\" }", "a loopback address for rpc.listen"),
    ("", "announced_adress = \"192.0.2.1\"", "announced_adress is not a setting: is it announced_address?"),
    ("", "announced_address = \"media.example.com\"", "1 to 8 IP addresses"),
    ("", "announced_address = \"0.0.0.0\"", "not 0.0.0.0 or ::"),
    ("", "announced_address = \"2001:db8::1\"\nrtc.listen_ip = \"0.0.0.0\"", "set rtc.listen_ip to ::"),
    ("", "rtc.listen_ip = \"198.51.100.77\"", "rtc.listen_ip = 198.51.100.77 is no address of this machine"),
    ("", "workers = 0", "a number from 1 to 64"),
    ("", "rtc = { port_min = 5, port_max = 4 }", "a port from 5 (rtc.port_min) to 65535"),
    ("", "node_id = \"\"", "node_id = \"\" is not allowed"),
    ("", "etcd.endpoints = [\"127.0.0.1:2379\"]", "all http:// or all https://"),
    (
        "",
        "etcd = { endpoints = [\"https://127.0.0.1:1\"], ca = \"garbage\" }",
        "etcd.ca = garbage holds no certificate",
    ),
];

/// With these a program starts all the same: a certificate that has ended is renewed while it runs, and an audit file is for
/// requests with tokens, of which there are none.
const STARTED: [&str; 3] = [
    "operators.audit = \"none/audit.log\"",
    "https = { cert = \"expired.pem\", key = \"expired.key\" }",
    "tls = { ca = \"certs/ca.pem\", cert = \"expired.pem\", key = \"expired.key\" }",
];

const STANDALONE: [Case; 6] = [
    ("", "", "auth.jwks is not set"),
    ("", "listen = \"127.0.0.1:1\"", "listen belongs into [control] or [media]"),
    ("", "control = 1", "control is not a section"),
    ("", "[control]\nmedia.url = \"https://a\"", "control.media.url is not a setting of railgun"),
    ("", "[media]\netcd.endpoints = [\"http://a\"]", "media.etcd.endpoints is not a setting of railgun"),
    ("", "[media]\nworker = 1", "worker is not a setting: is it workers?"),
];

/// Program, variable, what is said.
const VARIABLES: [(&str, (&str, &str), &str); 7] = [
    (
        "railgun-control",
        ("RAILGUN_LISEN", "127.0.0.1:1"),
        "RAILGUN_LISEN is not a setting: is it RAILGUN_LISTEN?",
    ),
    ("railgun-control", ("RAILGUN_JWKS", "keys.json"), "RAILGUN_JWKS is not a setting"),
    ("railgun-control", ("RAILGUN_LISTEN", "here"), "listen = \"here\" (from RAILGUN_LISTEN) is not allowed"),
    ("railgun-media", ("RAILGUN_ANOUNCED_ADDRESS", "8.8.8.8"), "is it RAILGUN_ANNOUNCED_ADDRESS?"),
    ("railgun-media", ("RAILGUN_WORKERS", "many"), "workers = \"many\" (from RAILGUN_WORKERS)"),
    ("railgun", ("RAILGUN_MEDIA_URL", "https://a"), "RAILGUN_MEDIA_URL is not a setting"),
    ("railgun", ("RAILGUN_ETCD_ENDPOINTS", "http://a"), "RAILGUN_ETCD_ENDPOINTS is not a setting"),
];

/// Program, what is put in, what is said all the same.
const DOUBTFUL: [(&str, &str, &str); 8] = [
    ("railgun-media", "", "announced_address = 127.0.0.1 is loopback"),
    ("railgun-media", "announced_address = \"10.9.8.7\"", "announced_address = 10.9.8.7 is private"),
    (
        "railgun-media",
        "announced_address = \"8.8.8.8\"",
        "announced_address = 8.8.8.8 is no address of this machine",
    ),
    (
        "railgun-media",
        "announced_address = \"8.8.8.8\"\nrtc.listen_ip = \"127.0.0.1\"",
        "media is received on 127.0.0.1 only",
    ),
    ("railgun-media", "etcd.endpoints = [\"http://127.0.0.1:1\"]", "which is each machine itself"),
    (
        "railgun-control",
        "listen = \"0.0.0.0:8080\"",
        "is plain HTTP: browsers give a page the microphone only over HTTPS",
    ),
    ("railgun-control", "operators.listen = \"0.0.0.0:8081\"", "/metrics asks for no token"),
    ("railgun-control", "webhooks.secret_file = \"whsec-good\"", "webhooks.url is not: nothing is told"),
];

fn good(program: &str, without: &str, with: &str) -> String {
    match program {
        "railgun-control" => control(without, with),
        "railgun-media" => media(without, with),
        _ => with.to_owned(),
    }
}

#[test]
fn each_wrong_configuration_is_told_by_check_config_and_refused() {
    let directory = Directory::new();
    fs::write(directory.0.join("whsec-good"), "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
        .unwrap();
    for program in ["railgun-control", "railgun-media"] {
        let (is_good, said) = directory.check(program, &good(program, "", ""), &[]);
        assert!(is_good && said.ends_with("the configuration is good\n"), "{program}: {said}");
    }
    let mut wrong = Vec::new();
    for (program, cases) in
        [("railgun-control", &CONTROL[..]), ("railgun-media", &MEDIA[..]), ("railgun", &STANDALONE[..])]
    {
        for (without, with, sentence) in cases {
            let (is_good, said) = directory.check(program, &good(program, without, with), &[]);
            if is_good || !said.contains(sentence) {
                wrong.push(format!("{program}, {with:?} for {without:?}, wanted {sentence:?}: {said}"));
            }
            if STARTED.contains(with) {
                continue;
            }
            let (is_refused, said) = directory.refuses(program, &good(program, without, with), &[]);
            if !is_refused {
                wrong.push(format!("{program}, {with:?} for {without:?}, is started with: {said}"));
            }
        }
    }
    for (program, variable, sentence) in VARIABLES {
        let (is_good, said) = directory.check(program, &good(program, "", ""), &[variable]);
        if is_good || !said.contains(sentence) {
            wrong.push(format!("{program}, {variable:?}, wanted {sentence:?}: {said}"));
        }
        let (is_refused, said) = directory.refuses(program, &good(program, "", ""), &[variable]);
        if !is_refused {
            wrong.push(format!("{program}, {variable:?}, is started with: {said}"));
        }
    }
    for (program, with, sentence) in DOUBTFUL {
        let (is_good, said) = directory.check(program, &good(program, "", with), &[]);
        let is_warned = said.lines().any(|line| line.starts_with("warning") && line.contains(sentence));
        if !is_good || !is_warned {
            wrong.push(format!("{program}, {with:?}, wanted a warning {sentence:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n---\n"));
}

#[test]
fn what_is_wrong_in_several_files_is_told_at_once() {
    let directory = Directory::new();
    let file = media(
        "tls.",
        "tls = { ca = \"garbage\", cert = \"none.pem\", key = \"certs/media.key\" }\nrtc.listen_ip = \"198.51.100.77\"",
    );
    let (is_good, said) = directory.check("railgun-media", &file, &[]);
    let wrong: Vec<&str> = said.lines().filter(|line| line.starts_with("wrong")).collect();
    assert!(!is_good && wrong.len() == 3, "{said}");
    for sentence in
        ["tls.ca = garbage holds no", "tls.cert = none.pem cannot be read", "rtc.listen_ip = 198.51.100.77"]
    {
        assert!(wrong.iter().any(|line| line.contains(sentence)), "{sentence}: {said}");
    }
}

#[test]
fn an_announced_address_that_clients_cannot_reach_is_told_at_the_start() {
    let directory = Directory::new();
    let node = format!(
        "announced_address = \"10.9.8.7\"\nrpc.listen = \"{}\"\nhealth.listen = \"{}\"",
        free_address().unwrap(),
        free_address().unwrap()
    );
    let both = format!(
        "[control]\nauth.jwks = \"token.jwks.json\"\nlisten = \"{}\"\noperators.listen = \"off\"\n\
         [media]\nannounced_address = \"10.9.8.7\"",
        free_address().unwrap()
    );
    for (program, file) in [("railgun-media", media("", &node)), ("railgun", both)] {
        fs::write(directory.0.join("tried.toml"), file).unwrap();
        let _daemon =
            Daemon::start(program, &["--config", "tried.toml"], &directory.0, "started.log").unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let is_told = || {
            let said = fs::read_to_string(directory.0.join("started.log")).unwrap();
            said.lines()
                .any(|line| line.contains("WARN") && line.contains("announced_address = 10.9.8.7 is private"))
        };
        while !is_told() {
            let said = fs::read_to_string(directory.0.join("started.log")).unwrap();
            assert!(Instant::now() < until, "{program}: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn files_that_are_not_there_or_no_toml_are_told_with_their_name() {
    let directory = Directory(std::env::temp_dir().join(format!("railgun-no-file-{}", std::process::id())));
    fs::create_dir_all(&directory.0).unwrap();
    fs::write(directory.0.join("not.toml"), "listen = \n").unwrap();
    let said = |program: &str, file: &str| {
        let (is_good, said) =
            said_by(program, &["check-config", "--config", file], &[], Path::new(&directory.0)).unwrap();
        assert!(!is_good, "{said}");
        said
    };
    for program in ["railgun", "railgun-control", "railgun-media"] {
        assert!(said(program, "none.toml").contains("--config none.toml cannot be read: No such file"));
        assert!(
            said(program, "not.toml").contains("not.toml is not TOML: TOML parse error at line 1, column")
        );
    }
}
