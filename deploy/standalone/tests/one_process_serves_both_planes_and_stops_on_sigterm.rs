//! The binary, from the line it prints to its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SECRET: &str = "the-secret-of-this-test";

/// Ends the process whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn railgun(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_railgun"));
    command.args(flags);
    command
}

fn http_get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn one_process_serves_both_planes_and_stops_on_sigterm() {
    let operators = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut flags =
        vec!["--dev", "--listen", "127.0.0.1:0", "--rtc-port-min", "24000", "--rtc-port-max", "24099"];
    flags.extend(["--operators-listen", &operators]);
    let mut command = railgun(&flags);
    command.env("RAILGUN_DEV_SECRET", SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let link =
        line.strip_prefix("Open http://").and_then(|rest| rest.strip_suffix(" in Chrome or Chromium\n"));
    let (address, fragment) =
        link.and_then(|link| link.split_once("/#")).unwrap_or_else(|| panic!("printed {line:?}"));
    assert_eq!(fragment, format!("secret={SECRET}&channel=lobby&join"));

    // Ready means that the control-plane has reached the media node over the pipe.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !http_get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(Instant::now() < deadline, "never ready");
        std::thread::sleep(Duration::from_millis(20));
    }

    let well = http_get(&operators, "/healthz").unwrap();
    assert!(well.starts_with("HTTP/1.1 200"), "{well}");
    let scraped = http_get(&operators, "/metrics").unwrap();
    for line in ["railgun_control_node_up 1\n", "railgun_control_sockets 0\n", "railgun_media_rooms 0\n"] {
        assert!(scraped.contains(line), "{line} is not in {scraped}");
    }
    assert!(scraped.trim_end().ends_with("# EOF"), "{scraped}");

    let terminated = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap().success());
    let status = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            break status;
        }
        assert!(terminated.elapsed() < Duration::from_secs(5), "still there");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("listening") && !log.contains(SECRET), "{log}");
}

#[test]
fn development_mode_has_to_be_asked_for_and_stands_alone() {
    let cases: [(&[&str], &str); 4] = [
        (&[], "auth.jwks is not set"),
        (&["--dev", "--listen", "0.0.0.0:0"], "--dev is for one machine: listen = 0.0.0.0:0"),
        (&["--dev", "--jwks", "keys.json"], "--dev and auth.jwks exclude each other"),
        (&["--dev", "--check-config"], "RAILGUN_DEV_SECRET is no secret"),
    ];
    for (flags, told) in cases {
        let mut command = railgun(flags);
        if told.starts_with("RAILGUN_DEV_SECRET") {
            command.env("RAILGUN_DEV_SECRET", "short");
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(told), "{flags:?}: {stderr}");
    }
}

#[test]
fn a_wrong_flag_is_told_with_its_key_by_the_plane_that_knows_it() {
    let cases = [
        (["--listen", "here"], "listen = \"here\" (from a flag)"),
        (["--operators-listen", "on"], "operators.listen = \"on\" (from a flag)"),
        (["--channel-tier", "gold"], "channels.default_tier = \"gold\""),
        (["--rtc-port-min", "0"], "rtc.port_min = \"0\""),
        (["--announced-address", "0.0.0.0"], "announced_address = \"0.0.0.0\""),
    ];
    for (flags, told) in cases {
        let output = railgun(&flags).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(told), "{flags:?}: {stderr}");
    }
}

/// By HTTP long-polling, which needs no client: shows a token and gives what the socket is told.
fn show_token(address: &str, token: &str) -> String {
    const PATH: &str = "/socket.io/?EIO=4&transport=polling";
    let opened = http_get(address, PATH).unwrap();
    let (_, rest) = opened.split_once("\"sid\":\"").unwrap_or_else(|| panic!("{opened}"));
    let path = format!("{PATH}&sid={}", rest.split('"').next().unwrap());
    let packet = format!("40{{\"token\":\"{token}\"}}");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {}\r\n\r\n{packet}",
        packet.len()
    )
    .unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    // A heartbeat may come in a poll of its own.
    let mut polls = (0..5).map(|_| http_get(address, &path).unwrap());
    polls.find(|told| !told.ends_with("\r\n\r\n2")).expect("something else than heartbeats")
}

#[test]
fn a_refused_token_is_explained_in_a_log_without_escapes_and_without_the_token() {
    let ports = ["--rtc-port-min", "24100", "--rtc-port-max", "24199"];
    let flags = ["--dev", "--listen", "127.0.0.1:0", "--operators-listen", "off"];
    let mut command = railgun(&[&flags[..], &ports].concat());
    command.env_remove("NO_COLOR").env("RUST_LOG", "info").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("Open http://").unwrap().split('/').next().unwrap();
    // {"alg":"EdDSA","kid":"somebody-elses"} and {"sub":"a-user-to-hide"}
    let token =
        "eyJhbGciOiJFZERTQSIsImtpZCI6InNvbWVib2R5LWVsc2VzIn0.eyJzdWIiOiJhLXVzZXItdG8taGlkZSJ9.c2lnbmF0dXJl";
    for _ in 0..3 {
        let told = show_token(address, token);
        assert!(told.contains("UNAUTHORIZED"), "{told}");
    }
    show_token(address, "no-token-at-all");
    let id = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("no key of auth.jwks has its kid"), 1, "said once in ten seconds: {log}");
    assert_eq!(lines("it is no JWT"), 1, "{log}");
    for hidden in ["eyJ", "a-user-to-hide", "somebody-elses", "no-token-at-all", "\u{1b}"] {
        assert!(!log.contains(hidden), "{hidden:?}: {log}");
    }
}

/// Its first two lines in development mode, once they are printed.
fn dev(flags: &[&str]) -> (Running, String, String) {
    let own = ["dev", "--listen", "127.0.0.1:0", "--operators-listen", "off"];
    let mut command = railgun(&[&own[..], flags].concat());
    command.env("RAILGUN_DEV_SECRET", SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    (server, first, second)
}

#[test]
fn dev_prints_a_link_for_a_friend_with_a_token_that_works_and_not_the_secret() {
    let (_server, first, second) = dev(&["--rtc-port-min", "24200", "--rtc-port-max", "24249"]);
    assert!(first.contains(&format!("/#secret={SECRET}")), "{first}");
    assert!(!second.contains(SECRET), "{second}");
    let address = first.strip_prefix("Open http://").unwrap().split('/').next().unwrap();
    let token = second.split_once("/#token=").unwrap().1;
    let told = show_token(address, token);
    assert!(told.contains("40{\"sid\":"), "{told}");
}

#[test]
fn a_log_in_json_is_an_object_a_line() {
    let flags = ["--log-format", "json", "--rtc-port-min", "24250", "--rtc-port-max", "24299"];
    let (mut server, ..) = dev(&flags);
    let id = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let says = |message: &str| lines.iter().any(|line| line["fields"]["message"] == message);
    assert!(says("listening") && says("stopped"), "{log}");
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()), "{log}");
}

#[test]
fn what_init_writes_is_a_good_configuration_and_nothing_is_written_over() {
    let directory = std::env::temp_dir().join(format!("railgun-init-{}", std::process::id()));
    let dir = directory.to_str().unwrap();
    let run = |flags: &[&str]| {
        let output = railgun(flags).output().unwrap();
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.success(), said)
    };
    let init =
        ["init", "standalone", "--dir", dir, "--domain", "voice.example.net", "--address", "127.0.0.1"];
    let (good, said) = run(&init);
    assert!(good && said.contains("https://voice.example.net"), "{said}");
    let file = directory.join("railgun.toml");
    let (good, said) = run(&["check-config", "--config", file.to_str().unwrap()]);
    assert!(good, "{said}");
    let proxy = std::fs::read_to_string(directory.join("Caddyfile")).unwrap();
    assert!(proxy.contains("voice.example.net {\n\treverse_proxy 127.0.0.1:8080"), "{proxy}");
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| directory.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("token.key"), mode("operators.toml"), mode("railgun.toml")), (0o600, 0o640, 0o640));

    let before = std::fs::read(&file).unwrap();
    let (good, said) = run(&init);
    assert!(!good && said.contains("cannot be written"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let (good, said) = run(&["init", "media", "--dir", dir]);
    // A machine that has a public address announces it; another one has to be told.
    let announces = || {
        let media = std::fs::read_to_string(directory.join("media.toml")).unwrap();
        media.lines().any(|line| line.starts_with("announced_address = [\""))
    };
    assert!(if good { announces() } else { said.contains("--address is missing") }, "{said}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn completions_know_the_commands_of_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = railgun(&["completions", shell]).output().unwrap();
        let script = String::from_utf8_lossy(&output.stdout);
        for word in ["doctor", "turn-config", "announced-address"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
