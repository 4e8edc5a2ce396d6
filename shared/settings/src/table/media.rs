//! Settings of a media node.

use crate::setting::Setting;
use crate::setting::Unset::{Is, Means};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "node_id",
        Means("the host's name"),
        "\"media-1\"",
        "The node's name, which no other node of the cluster has",
    ),
    Setting::new(
        "announced_address",
        Is("\"127.0.0.1\""),
        "[\"203.0.113.7\", \"2001:db8::7\"]",
        "IP addresses that clients are told to send media to: the public ones, the best first",
    ),
    Setting::new(
        "workers",
        Means("one per processor, at most 4"),
        "4",
        "Media threads, each with a UDP port and rooms of its own",
    ),
    Setting::new("dtls_version", Is("\"1.2\""), "", "DTLS that clients are offered: 1.2, 1.3 or auto"),
    Setting::new(
        "region",
        Means("none"),
        "\"eu-west\"",
        "Where this node is; channels that people of that region open come to it first",
    )
    .between_processes(),
    Setting::new(
        "capacity",
        Is("2000"),
        "",
        "Sessions from which on other nodes are preferred for new rooms",
    )
    .between_processes(),
    Setting::new(
        "rtc.listen_ip",
        Means("every address; loopback if only that is announced"),
        "\"0.0.0.0\"",
        "Where UDP is received",
    ),
    Setting::new("rtc.port_min", Is("40000"), "", "First UDP port for media; each worker takes one"),
    Setting::new("rtc.port_max", Is("49999"), "", "Last UDP port for media"),
    Setting::new(
        "rtc.relays",
        Means("none: sessions in privacy mode get no media"),
        "[\"203.0.113.20\"]",
        "Addresses and networks of the TURN relays, the only ones that sessions in privacy mode may come from",
    ),
    Setting::new(
        "rtc.speech_fec",
        Is("true"),
        "",
        "Whoever speaks is told what listeners lose, at most 15 %, so that the browser adds Opus in-band FEC; false: not",
    ),
    Setting::new(
        "rtc.l4s",
        Is("false"),
        "",
        "true, an experiment: who reports ECN marks (rtc.ccfb) is sent ECT(1), and its rate follows the marks (RFC 9331); marks on what it sends are told to it",
    ),
    Setting::new("rpc.listen", Is("\"127.0.0.1:50051\""), "", "Where control-planes connect, by gRPC")
        .between_processes(),
    Setting::new(
        "rpc.address",
        Means("rpc.listen"),
        "\"10.0.0.1:50051\"",
        "Host and port at which control-planes reach this node, as etcd tells them",
    )
    .between_processes(),
    Setting::new("rpc.insecure", Is("false"), "", "true: plain text instead of mutual TLS, on loopback only")
        .between_processes(),
    Setting::new(
        "tls.ca",
        Means("not set: rpc.insecure is needed"),
        "\"/etc/railgun/certs/ca.pem\"",
        "PEM file of the authority that signs control-planes' certificates",
    )
    .between_processes(),
    Setting::new(
        "tls.cert",
        Means("not set"),
        "\"/etc/railgun/certs/media.pem\"",
        "PEM file of this node's certificate, which names rpc.address and node_id",
    )
    .between_processes(),
    Setting::new("tls.key", Means("not set"), "\"/etc/railgun/certs/media.key\"", "PEM file of its key")
        .between_processes(),
    Setting::new(
        "health.listen",
        Is("\"127.0.0.1:50052\""),
        "",
        "Where /healthz, /readyz and /metrics are served",
    )
    .between_processes(),
    Setting::new(
        "health.hosts",
        Means("none"),
        "[\"media-1.example.com\"]",
        "Names at which /metrics is asked for, besides addresses and names that only a private network has",
    )
    .between_processes(),
];
