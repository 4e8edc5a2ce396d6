//! A page from outside, as a browser comes to it: name, certificate, page, readiness, clock, WebSocket, polling.

use super::call;
use super::finding::{ANSWER_WITHIN, Findings};
use reqwest::header::{
    CONNECTION, COOKIE, DATE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SET_COOKIE, UPGRADE,
};
use reqwest::{Certificate, Client, StatusCode, Url};
use std::path::Path;
use std::time::SystemTime;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Sessions of which each has to stay at one replica.
const POLLING_SESSIONS: usize = 4;
/// More than the 30 s that tokens are given is refused; a second is what a header cannot tell.
const CLOCK_FAULT_SECONDS: u64 = 30;
const CLOCK_DOUBT_SECONDS: u64 = 3;
const CERTIFICATE_DAYS_MIN: u64 = 14;

pub(super) async fn look(url: &Url, ca: Option<&Path>, token: Option<&str>, findings: &mut Findings) {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<_> = match lookup_host((host.trim_matches(['[', ']']), port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            return findings.fault(
                "dns",
                format!("{host} is not known: {error}"),
                "Add an A or AAAA record for it",
            );
        }
    };
    let listed: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.good("dns", format!("{host} is {}", listed.join(", ")));
    let Some(first) = addresses.first() else { return };
    match timeout(ANSWER_WITHIN, TcpStream::connect(first)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return closed(port, &error.to_string(), findings),
        Err(_) => return closed(port, "no answer", findings),
    }
    let client = match client(ca) {
        Ok(client) => client,
        Err(error) => {
            return findings.fault("https", format!("--ca cannot be used: {error:#}"), "Give a PEM file");
        }
    };
    let is_loopback = first.ip().is_loopback();
    if url.scheme() != "https" && !is_loopback {
        findings.fault(
            "https",
            format!("{url} is plain HTTP: browsers give its page no microphone"),
            "Set https.cert and https.key, or put a proxy with a certificate in front",
        );
    }
    let Some(page) = page(&client, url, findings).await else { return };
    clock(page, findings);
    ready(&client, url, findings).await;
    if websocket(&client, url, findings).await {
        findings.good("websocket", "a WebSocket opens");
    }
    polling(&client, url, findings).await;
    match token {
        Some(token) => call::look(&client, url, token, is_loopback, findings).await,
        None => findings.good(
            "media",
            "not tried: with --token (`railgun token` makes one) UDP and relays are tried too",
        ),
    }
}

fn client(ca: Option<&Path>) -> anyhow::Result<Client> {
    // Each request is a connection of its own, as those of many browsers are to a balancer.
    let mut builder = Client::builder()
        .timeout(ANSWER_WITHIN)
        .no_proxy()
        .http1_only()
        .tls_info(true)
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(ca) = ca {
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&std::fs::read(ca)?)?);
    }
    Ok(builder.build()?)
}

fn closed(port: u16, why: &str, findings: &mut Findings) {
    findings.fault(
        "tcp",
        format!("nothing answers at TCP {port}: {why}"),
        format!("Is the proxy running (ss -lntp 'sport = :{port}'), and the port open in every firewall?"),
    );
}

fn at(url: &Url, path: &str) -> Url {
    url.join(path).unwrap_or_else(|_| url.clone())
}

/// The server's time, if the page is there at all.
async fn page(client: &Client, url: &Url, findings: &mut Findings) -> Option<(SystemTime, Option<String>)> {
    let answer = match client.get(at(url, "/")).send().await {
        Ok(answer) => answer,
        Err(error) => {
            certificate_error(&error, findings);
            return None;
        }
    };
    if url.scheme() == "https" {
        let der = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate());
        match der.and_then(railgun_tls::Shown::of) {
            Some(shown) if shown.days_left(SystemTime::now()) < CERTIFICATE_DAYS_MIN => findings.doubt(
                "https",
                format!("the certificate {shown} ends in {} days", shown.days_left(SystemTime::now())),
                "Renew it: its automatic renewal has not run, or has not reloaded the proxy",
            ),
            Some(shown) => findings.good("https", format!("a certificate {shown}")),
            None => findings.good("https", "a certificate that is believed"),
        }
    }
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    let now = SystemTime::now();
    match answer.status() {
        StatusCode::OK => findings.good("page", format!("{url} has the page")),
        StatusCode::SERVICE_UNAVAILABLE => {
            let text = answer.text().await.unwrap_or_default();
            let is_proxy = !text.contains("page has not been built");
            let (what, mend) = match is_proxy {
                true => (
                    "the proxy has no server to send to (503)",
                    "See which replicas its health check passes: /healthz of each",
                ),
                false => (
                    "this server was built without the page (503)",
                    "Build it with `make build`, which builds the page first",
                ),
            };
            findings.fault("page", what, mend);
        }
        status if status.is_redirection() => findings.doubt(
            "page",
            format!("{url} leads elsewhere ({status})"),
            "Look at the URL that it leads to",
        ),
        status => {
            findings.fault("page", format!("{url} answers {status}"), "Does the proxy send / to railgun?")
        }
    }
    Some((now, date))
}

fn certificate_error(error: &reqwest::Error, findings: &mut Findings) {
    let mut said = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(of) = cause {
        said = of.to_string();
        cause = of.source();
    }
    let lower = said.to_lowercase();
    let (what, mend) = if lower.contains("expired") {
        (
            "its certificate has ended",
            "Renew it, and have the proxy read it again; see whether its automatic renewal runs",
        )
    } else if lower.contains("notvalidforname") || lower.contains("not valid for name") {
        ("its certificate is for another name", "Get one for this name, or open the name that it is for")
    } else if lower.contains("unknownissuer")
        || lower.contains("self")
        || lower.contains("unknown issuer")
        || lower.contains("caused by")
        || lower.contains("certificate")
    {
        (
            "its certificate is of an authority that nobody knows, or its chain is not complete",
            "Serve the full chain (fullchain.pem), or name a private authority with --ca",
        )
    } else {
        ("it cannot be asked", "Does the port speak HTTPS?")
    };
    findings.fault("https", format!("{what}: {said}"), mend);
}

fn clock((now, date): (SystemTime, Option<String>), findings: &mut Findings) {
    let Some(there) = date.and_then(|date| httpdate::parse_http_date(&date).ok()) else {
        return findings.doubt(
            "clock",
            "the server does not say its time",
            "Let the proxy pass the Date header",
        );
    };
    let apart = now.duration_since(there).unwrap_or_else(|error| error.duration()).as_secs();
    let mend =
        "Run chrony or systemd-timesyncd on both: timedatectl says which of the clocks is synchronised";
    match apart {
        CLOCK_FAULT_SECONDS.. => findings.fault(
            "clock",
            format!("this machine's clock and the server's are {apart} s apart: tokens of such an issuer are refused"),
            mend,
        ),
        CLOCK_DOUBT_SECONDS.. => findings.doubt("clock", format!("this machine's clock and the server's are {apart} s apart"), mend),
        _ => findings.good("clock", "the same time as here, within 3 s"),
    }
}

async fn ready(client: &Client, url: &Url, findings: &mut Findings) {
    match client.get(at(url, "/readyz")).send().await {
        Ok(answer) if answer.status().is_success() => findings.good("ready", "a media node is reached"),
        Ok(answer) => {
            let status = answer.status();
            let why: String = answer.text().await.unwrap_or_default().chars().take(200).collect();
            findings.fault(
                "ready",
                format!("the server takes no calls ({status}): {}", why.trim()),
                "Does a media node run, and does the control-plane reach its rpc.listen? See its log for why not",
            );
        }
        Err(error) => {
            findings.fault("ready", format!("/readyz is not answered: {error}"), "Let the proxy pass it")
        }
    }
}

const SOCKET: &str = "/socket.io/?EIO=4&transport=";

/// Whether one opens.
async fn websocket(client: &Client, url: &Url, findings: &mut Findings) -> bool {
    let asked = client
        .get(at(url, &format!("{SOCKET}websocket")))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, "cmFpbGd1biBkb2N0b3IhIQ==");
    let said = match asked.send().await {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => return true,
        Ok(answer) => answer.status().to_string(),
        Err(error) => error.to_string(),
    };
    findings.fault(
        "websocket",
        format!("no WebSocket opens ({said}): sockets fall back to polling, which is slower and needs stickiness"),
        "Have the proxy pass Upgrade and Connection on /socket.io/: nginx: proxy_http_version 1.1 and proxy_set_header \
         Upgrade $http_upgrade; HAProxy and Caddy do by themselves unless told otherwise",
    );
    false
}

/// Whether polling works, and each session stays where it began.
async fn polling(client: &Client, url: &Url, findings: &mut Findings) {
    let mut strayed = 0;
    for _ in 0..POLLING_SESSIONS {
        let Ok(answer) = client.get(at(url, &format!("{SOCKET}polling"))).send().await else {
            return no_polling("it is not answered", findings);
        };
        if !answer.status().is_success() {
            return no_polling(&answer.status().to_string(), findings);
        }
        let cookie = call::cookie(answer.headers().get_all(SET_COOKIE));
        let text = answer.text().await.unwrap_or_default();
        let Some(session) = call::session(&text) else {
            return no_polling("the answer is not engine.io's", findings);
        };
        // An empty token ends it again; the session was known if the packet was taken.
        for packet in ["40{\"token\":\"\"}", "1"] {
            let posted = client
                .post(at(url, &format!("{SOCKET}polling&sid={session}")))
                .header(COOKIE, cookie.clone())
                .body(packet)
                .send();
            match posted.await {
                Ok(answer) if answer.status().is_success() => {}
                _ if packet == "1" => {}
                _ => strayed += 1,
            }
        }
    }
    match strayed {
        0 => findings.good("polling", format!("{POLLING_SESSIONS} polling sessions stay at their replica")),
        _ => findings.fault(
            "polling",
            format!(
                "{strayed} of {POLLING_SESSIONS} polling sessions came to a replica that does not know them"
            ),
            "Have the balancer keep a session at one replica by a cookie: HAProxy's `cookie NAME insert`; \
             deploy/bare-metal/haproxy.cfg has it",
        ),
    }
}

fn no_polling(why: &str, findings: &mut Findings) {
    findings.fault(
        "polling",
        format!("socket.io's polling does not work: {why}"),
        "Have the proxy pass GET and POST on /socket.io/, with their query",
    );
}
