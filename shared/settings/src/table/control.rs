//! Settings of the control-plane.

use crate::setting::Setting;
use crate::setting::Unset::{Is, Means};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("listen", Is("\"127.0.0.1:8080\""), "", "Where the page and the signaling are served"),
    Setting::new(
        "https.cert",
        Means("plain HTTP, for a proxy in front"),
        "\"/etc/letsencrypt/live/voice.example.org/fullchain.pem\"",
        "PEM file of the certificate and its chain, to serve HTTPS on listen; read again when it changes",
    ),
    Setting::new(
        "https.key",
        Means("not set"),
        "\"/etc/letsencrypt/live/voice.example.org/privkey.pem\"",
        "PEM file of its key",
    ),
    Setting::new(
        "trusted_proxies",
        Means("none"),
        "[\"10.0.0.7\", \"10.1.0.0/16\"]",
        "Load balancers before us: what they say of a client's address is believed",
    ),
    Setting::new(
        "sockets_per_address",
        Is("200"),
        "",
        "Connections and sockets of one address (IPv6: /64) that have shown no good token",
    ),
    Setting::new(
        "cors_origins",
        Means("none"),
        "[\"https://app.example.com\"]",
        "Origins of other pages that may talk to us",
    ),
    Setting::new(
        "avatar_hosts",
        Means("none: paths on the page's own origin only"),
        "[\"cdn.example.com\"]",
        "Hosts that pictures of people may come from, beside the page's own; over HTTPS, with a port if need be",
    ),
    Setting::new(
        "networks",
        Means("none"),
        "\"/etc/railgun/networks.txt\"",
        "File of networks whose region and kind are known",
    ),
    Setting::new(
        "page.upgrade_url",
        Means("nowhere"),
        "\"https://app.example.com/pro\"",
        "Where \"Get Pro\" on the page leads",
    ),
    Setting::new(
        "auth.jwks",
        Means("not set: a start without it is refused, but for development mode"),
        "\"/etc/railgun/token.jwks.json\"",
        "JWKS of the public keys that users' tokens are signed with: a file, or an https:// URL",
    )
    .with_flag("jwks"),
    Setting::new("auth.audience", Means("not checked"), "\"voice\"", "What a token's aud has to be"),
    Setting::new(
        "auth.issuer",
        Means("not checked"),
        "\"https://app.example.com\"",
        "What a token's iss has to be",
    ),
    Setting::new(
        "channels.create_on_join",
        Means("false; true in railgun"),
        "true",
        "Whether a channel that nobody created is made when it is joined",
    )
    .with_flag("create-on-join"),
    Setting::new(
        "channels.default_tier",
        Is("\"pro\""),
        "",
        "Tier of channels so made: free (8 people, 4 videos) or pro (25 people, 6 videos)",
    )
    .with_flag("channel-tier"),
    Setting::new(
        "channels.default_encryption",
        Is("\"transport\""),
        "",
        "How a channel so made is encrypted: transport or endToEnd",
    ),
    Setting::new(
        "channels.dm_encryption",
        Is("\"endToEnd\""),
        "",
        "How a DM is encrypted that is created without a word of it: transport or endToEnd",
    ),
    Setting::new(
        "channels.preset",
        Means("none"),
        "{ lobby = \"pro\", garden = \"free\" }",
        "Channels that exist from the start, each with its tier",
    ),
    Setting::new("joins.per_minute", Is("10"), "", "Joins of one user a minute, over all replicas"),
    Setting::new(
        "joins.cooldown",
        Is("5000"),
        "",
        "Milliseconds from a user's last successful join to the next one",
    ),
    Setting::new(
        "operators.listen",
        Is("\"127.0.0.1:8081\""),
        "",
        "Where /healthz, /readyz, /metrics and the operators' API are served, or off",
    ),
    Setting::new(
        "operators.hosts",
        Means("none"),
        "[\"metrics.example.com\"]",
        "Names at which /metrics is asked for, besides addresses and names that only a private network has",
    ),
    Setting::new(
        "operators.tokens",
        Means("no API"),
        "\"/etc/railgun/operators.toml\"",
        "File of the operators' tokens, as `operator-token` makes its entries",
    ),
    Setting::new(
        "operators.audit",
        Means("in memory only"),
        "\"/var/lib/railgun/audit.log\"",
        "File that says who changed what, a line of JSON each; it holds user ids",
    ),
    Setting::new(
        "calls.dir",
        Means("no timelines of calls"),
        "\"/var/lib/railgun/calls\"",
        "Folder of this replica's own for the timelines of calls that /v1/calls explains",
    ),
    Setting::new("calls.keep_hours", Is("72"), "", "Hours that timelines are kept for"),
    Setting::new("calls.megabytes_max", Is("512"), "", "Megabytes of timelines; the oldest go first"),
    Setting::new(
        "calls.users",
        Is("false"),
        "",
        "true: timelines hold user ids; false: session ids alone, which are new with each join",
    ),
    Setting::new(
        "calls.peers",
        Means("none"),
        "[\"http://10.0.0.2:8081/\"]",
        "Operators' listeners of the other replicas, which are asked for their part of a call",
    ),
    Setting::new(
        "webhooks.url",
        Means("none"),
        "\"https://app.example.com/hooks\"",
        "Where room events are told to",
    ),
    Setting::new(
        "webhooks.secret_file",
        Means("not set"),
        "\"/etc/railgun/webhook.secret\"",
        "File of the secret that webhooks are signed with: whsec_ and base64",
    ),
    Setting::new(
        "media.url",
        Is("\"https://127.0.0.1:50051\""),
        "",
        "The media node, where there is no etcd",
    )
    .between_processes(),
    Setting::new(
        "media.ca",
        Means("not set: media.insecure is needed"),
        "\"/etc/railgun/certs/ca.pem\"",
        "PEM file of the authority that signs media nodes' certificates",
    )
    .between_processes(),
    Setting::new(
        "media.cert",
        Means("not set"),
        "\"/etc/railgun/certs/control.pem\"",
        "PEM file of our certificate for media nodes",
    )
    .between_processes(),
    Setting::new("media.key", Means("not set"), "\"/etc/railgun/certs/control.key\"", "PEM file of its key")
        .between_processes(),
    Setting::new("media.insecure", Is("false"), "", "true: plain text to media nodes on loopback")
        .between_processes(),
    Setting::new(
        "media.near",
        Means("every other region is as far"),
        "{ eu-west = [\"eu-central\", \"us-east\"] }",
        "By region, where to look, in this order, when it has no healthy node with room",
    )
    .between_processes(),
    Setting::new(
        "rtc.ice_servers",
        Means("none"),
        "[{ urls = [\"stun:stun.example.com\"] }]",
        "ICE servers that clients get as they are; for relays of ours use turn.urls",
    ),
    Setting::new(
        "rtc.ice_transport_policy",
        Is("\"all\""),
        "",
        "all, or relay: every client is told to connect through relays only",
    ),
    Setting::new(
        "rtc.ccfb",
        Is("false"),
        "",
        "true: browsers that have RFC 8888 congestion control feedback are offered it in place of transport-cc",
    ),
    Setting::new(
        "rtc.sfu_endpoint",
        Means("the node's first media address"),
        "\"203.0.113.7:40000\"",
        "What clients are told as sfuEndpoint",
    ),
    Setting::new(
        "turn.urls",
        Means("no relay"),
        "[\"turn:turn.example.com:3478?transport=udp\", \"turns:turn.example.com:443?transport=tcp\"]",
        "TURN relays that clients get credentials for, the best first",
    ),
    Setting::new(
        "turn.secrets_file",
        Means("not set"),
        "\"/etc/railgun/turn.secrets\"",
        "File of the one or two secrets that the relays have",
    ),
    Setting::new("turn.ttl", Is("7200"), "", "Seconds that TURN credentials are good for: 60 to 86400"),
];
