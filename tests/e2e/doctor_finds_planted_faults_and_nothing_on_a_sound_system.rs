//! `railgun doctor` on a sound system, and then with one thing wrong at a time: it names that one, and how to mend it.
//! Small buffers and few files are planted in unit tests of `doctor/machine.rs`.

use railgun_etcd::testing::{EtcdServer, free_address};
use railgun_tests::{Daemon, Directory, said_by, within};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

const READY_WITHIN: Duration = Duration::from_secs(20);
/// Files of certificates are looked at each 10 s.
const SHOWN_WITHIN: Duration = Duration::from_secs(12);
const QUOTA_BYTES: u64 = 16 * 1024 * 1024;
const HAPROXY: &str = "/usr/sbin/haproxy";

struct Files(Directory);

impl Files {
    /// With certificates for this machine, others, and a key for tokens.
    fn new() -> Self {
        let directory = Self(Directory::create().unwrap());
        for arguments in [
            &["certs", "--out", "certs"][..],
            &["certs", "--out", "other"],
            &["token", "--user", "ada", "--tier", "pro", "--key", "token.key"],
        ] {
            let (good, said) = said_by("railgun", arguments, &[], directory.path()).unwrap();
            assert!(good, "{said}");
        }
        directory
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn token(&self) -> String {
        let made =
            said_by("railgun", &["token", "--user", "ada", "--key", "token.key"], &[], self.path()).unwrap();
        made.1.trim().to_owned()
    }

    fn doctor(&self, arguments: &[&str]) -> (bool, String) {
        let started = Instant::now();
        let said = said_by("railgun", &[&["doctor"], arguments].concat(), &[], self.path()).unwrap();
        assert!(started.elapsed() < Duration::from_secs(31), "{:?}: {}", started.elapsed(), said.1);
        said
    }

    /// A fault with this sentence in it, how to mend it in the next line, and the exit code of one.
    fn finds(&self, arguments: &[&str], check: &str, sentence: &str) {
        let (good, said) = self.doctor(arguments);
        let found = said.lines().zip(said.lines().skip(1)).any(|(line, next)| {
            let is_it = line
                .strip_prefix("FAULT")
                .is_some_and(|rest| rest.trim_start().starts_with(check) && rest.contains(sentence));
            is_it && next.trim_start().strip_prefix("→ ").is_some_and(|mend| !mend.is_empty())
        });
        assert!(!good && found, "{arguments:?}, wanted {check}: {sentence}\n{said}");
    }

    /// `railgun` with this configuration, and two listeners of its own.
    fn railgun(&self, name: &str, rest: &str) -> (Daemon, SocketAddr) {
        let [listen, operators] = [free(), free()];
        let text = format!(
            "[control]\nlisten = \"{listen}\"\nauth.jwks = \"token.jwks.json\"\noperators.listen = \"{operators}\"\n{rest}\n"
        );
        self.write(&format!("{name}.toml"), &text);
        let file = format!("{name}.toml");
        let daemon =
            Daemon::start("railgun", &["--config", &file], self.path(), &format!("{name}.log")).unwrap();
        await_tcp(listen, &self.path().join(format!("{name}.log")));
        (daemon, listen)
    }
}

fn free() -> SocketAddr {
    free_address().unwrap()
}

fn await_tcp(at: SocketAddr, log: &Path) {
    let until = Instant::now() + READY_WITHIN;
    while TcpStream::connect(at).is_err() {
        assert!(Instant::now() < until, "nothing at {at}: {}", fs::read_to_string(log).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn media(ports: u16) -> String {
    format!("[media]\nworkers = 1\nrtc = {{ port_min = {ports}, port_max = {} }}\n", ports + 49)
}

#[test]
fn on_a_sound_system_over_https_it_finds_nothing_and_follows_a_renewed_certificate() {
    let directory = Files::new();
    fs::create_dir(directory.path().join("served")).unwrap();
    let serve = |of: &str| {
        for name in ["media.pem", "media.key"] {
            fs::copy(directory.path().join(of).join(name), directory.path().join("served").join(name))
                .unwrap();
        }
    };
    serve("certs");
    let https = "https = { cert = \"served/media.pem\", key = \"served/media.key\" }\n";
    let (_railgun, at) = directory.railgun("sound", &format!("{https}{}", media(24_300)));
    let url = format!("https://localhost:{}", at.port());
    let token = directory.token();
    let (good, said) = directory.doctor(&["--ca", "certs/ca.pem", "--token", &token, &url]);
    assert!(good && said.ends_with("nothing is wrong\n"), "{said}");
    for sentence in
        ["a WebSocket opens", "4 polling sessions stay", "answers an ICE check", "a media node is reached"]
    {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let (_, json) = directory.doctor(&["--json", "--ca", "certs/ca.pem", &url]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["faults"], 0, "{json}");
    let (good, said) = directory.doctor(&["--config", "sound.toml"]);
    assert!(good && said.contains("is served"), "{said}");

    directory.finds(&[&url], "https", "an authority that nobody knows");
    directory.finds(&["--ca", "other/ca.pem", &url], "https", "an authority that nobody knows");
    directory.finds(
        &["--ca", "certs/ca.pem", "--token", "a.b.c", &url],
        "token",
        "the token is refused: UNAUTHORIZED",
    );

    serve("other");
    let until = Instant::now() + SHOWN_WITHIN;
    loop {
        let asked = Instant::now();
        if directory.doctor(&["--ca", "other/ca.pem", &url]).0 {
            break;
        }
        assert!(asked < until, "the renewed certificate was not shown within {SHOWN_WITHIN:?}");
    }
}

#[test]
fn from_outside_it_finds_what_stands_between_a_browser_and_a_call() {
    let directory = Files::new();
    let token = directory.token();
    // Announces an address where nothing is.
    let wrong =
        media(24_350).replace("{ ", "{ listen_ip = \"127.0.0.1\", ") + "announced_address = \"127.0.0.9\"\n";
    let (_one, one) = directory.railgun("one", &wrong);
    // Has a relay that is away.
    directory.write("turn.secrets", "secret-of-the-control-plane\n");
    let away = free();
    let turn =
        format!("turn = {{ urls = [\"turn:{away}?transport=udp\"], secrets_file = \"turn.secrets\" }}");
    let (_two, two) = directory.railgun("two", &format!("{turn}\n{}", media(24_400)));
    let url = |at: SocketAddr| format!("http://{at}");
    directory.finds(&["--token", &token, &url(one)], "media", "does not answer an ICE check");
    directory.finds(&["--token", &token, &url(two)], "turn", &format!("turn:{away}?transport=udp does not"));

    // No such name, and nothing there.
    directory.finds(&["https://voice.railgun.invalid"], "dns", "voice.railgun.invalid is not known");
    directory.finds(&[&url(free())], "tcp", "nothing answers at TCP");

    // A control-plane whose media node is not there.
    let (lone, operators) = (free(), free());
    directory.write(
        "lone.toml",
        &format!("listen = \"{lone}\"\noperators.listen = \"{operators}\"\nauth.jwks = \"token.jwks.json\"\nmedia = {{ url = \"http://127.0.0.1:1\", insecure = true }}\n"),
    );
    let _lone =
        Daemon::start("railgun-control", &["serve", "--config", "lone.toml"], directory.path(), "lone.log")
            .unwrap();
    await_tcp(lone, &directory.path().join("lone.log"));
    directory.finds(&[&url(lone)], "ready", "the server takes no calls (503");

    // Proxies.
    let [blocked, spread, expired] = [free(), free(), free()];
    let pem = [include_str!("fixtures/expired.pem"), include_str!("fixtures/expired.key")].concat();
    directory.write("expired-with-key.pem", &pem);
    directory.write("expired.pem", include_str!("fixtures/expired.pem"));
    directory.write(
        "haproxy.cfg",
        &format!(
            "defaults\n mode http\n timeout connect 2s\n timeout client 30s\n timeout server 30s\n\
             frontend blocked\n bind {blocked}\n http-request deny if {{ hdr(Upgrade) -i websocket }}\n default_backend two\n\
             frontend spread\n bind {spread}\n default_backend both\n\
             frontend expired\n bind {expired} ssl crt expired-with-key.pem\n default_backend two\n\
             backend two\n server two {two}\n\
             backend both\n balance roundrobin\n server one {one}\n server two {two}\n"
        ),
    );
    let _proxy =
        Daemon::start(HAPROXY, &["-db", "-f", "haproxy.cfg"], directory.path(), "haproxy.log").unwrap();
    await_tcp(blocked, &directory.path().join("haproxy.log"));
    directory.finds(&[&url(blocked)], "websocket", "no WebSocket opens (403 Forbidden)");
    directory.finds(&[&url(spread)], "polling", "polling sessions came to a replica that does not know them");
    directory.finds(
        &["--ca", "expired.pem", &format!("https://localhost:{}", expired.port())],
        "https",
        "its certificate has ended",
    );

    // The clock of whoever looks is five minutes ahead.
    let railgun = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("railgun");
    let url = url(two);
    let said = said_by(
        "/usr/bin/faketime",
        &["-f", "+5m", railgun.to_str().unwrap(), "doctor", &url],
        &[],
        directory.path(),
    );
    let (good, said) = said.unwrap();
    let is_told = (298..=302).any(|seconds| said.contains(&format!("are {seconds} s apart")));
    assert!(!good && is_told, "{said}");
}

#[test]
fn on_a_host_it_finds_wrong_files_taken_ports_and_relays_with_another_secret() {
    let directory = Files::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (listen, relay) = (free(), free());
    directory.write("turn.secrets", "secret-of-the-control-plane\n");
    let file = |operators: SocketAddr, keys: &str, rest: &str| {
        let text = format!(
            "[control]\nlisten = \"{listen}\"\noperators.listen = \"{operators}\"\nauth.jwks = \"{keys}\"\n{rest}\n{}",
            media(24_450)
        );
        directory.write("railgun.toml", &text);
    };
    let config = ["--config", "railgun.toml"];
    file(free(), "token.jwks.json", "");
    assert!(directory.doctor(&config).0);

    file(free(), "none.json", "");
    directory.finds(&config, "configuration", "none.json cannot be read");
    file(free(), "token.jwks.json", "https = { cert = \"certs/media.pem\", key = \"other/media.key\" }");
    directory.finds(&config, "configuration", "https.key is not the key of the certificate in https.cert");
    file(taken.local_addr().unwrap(), "token.jwks.json", "");
    directory.finds(&config, "ports", "cannot be listened on, and no healthy program of ours is there");
    file(free(), "token.jwks.json", "");
    {
        let _taken = TcpListener::bind(listen).unwrap();
        directory.finds(&config, "ports", &format!("listen = {listen} cannot be listened on"));
        // A worker takes the first UDP port that is free, and only the first ones are looked at.
        let _taken: Vec<_> =
            (24_450..24_480).map(|port| UdpSocket::bind(("0.0.0.0", port)).unwrap()).collect();
        directory.finds(&config, "ports", "only 0 of the first UDP ports of 24450-24499 are free");
    }
    let rpc = taken.local_addr().unwrap();
    let node = format!(
        "rpc.listen = \"{rpc}\"\nhealth.listen = \"{}\"\n[tls]\nca = \"certs/ca.pem\"\ncert = \"certs/media.pem\"\nkey = \"certs/media.key\"\n",
        free()
    );
    directory.write("media.toml", &node);
    let rpc = format!("rpc.listen = {rpc} cannot be listened on");
    directory.finds(&["--config", "media.toml"], "ports", &rpc);

    let turn =
        format!("turn = {{ urls = [\"turn:{relay}?transport=udp\"], secrets_file = \"turn.secrets\" }}");
    file(free(), "token.jwks.json", &turn);
    directory.finds(&config, "turn", "does not answer");
    let coturn = |secret: &str| {
        let arguments = [
            "-n",
            "--no-cli",
            "--no-tls",
            "--no-dtls",
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            "--realm=turn.test",
            "--use-auth-secret",
            "--log-file=stdout",
            "--pidfile=turn.pid",
        ];
        let (port, secret) =
            (format!("--listening-port={}", relay.port()), format!("--static-auth-secret={secret}"));
        Daemon::start(
            "turnserver",
            &[&arguments[..], &[&port, &secret]].concat(),
            directory.path(),
            "turn.log",
        )
        .unwrap()
    };
    let another = coturn("secret-of-another");
    let until = Instant::now() + READY_WITHIN;
    while !directory.doctor(&config).1.contains("does not take our credential (401)") {
        assert!(Instant::now() < until, "{}", directory.doctor(&config).1);
    }
    drop(another);
    let _ours = coturn("secret-of-the-control-plane");
    let until = Instant::now() + READY_WITHIN;
    while !directory.doctor(&config).1.contains("gave an allocation") {
        assert!(Instant::now() < until, "{}", directory.doctor(&config).1);
    }
}

#[tokio::test]
async fn it_finds_an_etcd_that_is_away_closed_or_full() {
    let directory = Files::new();
    // Not those it has by default, which Linux may give to an outgoing connection.
    let [rpc, health] = [free(), free()];
    let write = |settings: &railgun_settings::EtcdSettings, prefix: &str| {
        let mut text = format!(
            "rpc.listen = \"{rpc}\"\nhealth.listen = \"{health}\"\n[tls]\nca = \"certs/ca.pem\"\ncert = \"certs/media.pem\"\nkey = \"certs/media.key\"\n\
             [etcd]\nendpoints = {:?}\nprefix = \"{prefix}\"\n",
            settings.endpoints
        );
        if let Some((user, file)) = &settings.user {
            text += &format!("user = {user:?}\npassword_file = {file:?}\n");
        }
        directory.write("media.toml", &text);
    };
    let config = ["--config", "media.toml"];
    let away = railgun_settings::EtcdSettings {
        endpoints: vec![format!("http://{}", free())],
        user: None,
        ca: None,
        identity: None,
        prefix: "/rg/v1".into(),
    };
    write(&away, "/rg/v1");
    directory.finds(&config, "etcd", "does not answer");

    within(Duration::from_secs(60), "an etcd", async {
        let mut etcd = EtcdServer::start().await.unwrap();
        write(&etcd.settings(), "/rg/v1");
        let (good, said) = directory.doctor(&config);
        assert!(good && said.contains("lets us write below /rg/v1"), "{said}");
        etcd.require_password("railgun", "secret").await.unwrap();
        directory.finds(&config, "etcd", "does not let us write below /rg/v1");
        write(&etcd.settings(), "/rg/v1");
        assert!(directory.doctor(&config).0);
        write(&etcd.settings(), "/other");
        directory.finds(&config, "etcd", "does not let us write below /other");
        directory.write("wrong.password", "guess");
        let mut wrong = etcd.settings();
        wrong.user = Some(("railgun".into(), directory.path().join("wrong.password")));
        write(&wrong, "/rg/v1");
        directory.finds(&config, "etcd", "does not let \"railgun\" in");
        let full = EtcdServer::start_with_quota(QUOTA_BYTES).await.unwrap();
        full.fill().await.unwrap();
        write(&full.settings(), "/rg/v1");
        directory.finds(&config, "etcd", "its database is full (NOSPACE)");
    })
    .await;
}
