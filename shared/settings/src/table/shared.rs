//! Settings that the programs of both planes have.

use crate::setting::Setting;
use crate::setting::Unset::{Is, Means};

pub(super) const ETCD: &[Setting] = &[
    Setting::new(
        "etcd.endpoints",
        Means("no cluster: one replica, one media node"),
        "[\"https://etcd-1.example.com:2379\", \"https://etcd-2.example.com:2379\"]",
        "URLs of the etcd cluster that replicas and media nodes find each other through",
    )
    .between_processes(),
    Setting::new("etcd.user", Means("none"), "\"railgun-control\"", "Name to sign in to etcd with")
        .between_processes(),
    Setting::new(
        "etcd.password_file",
        Means("none"),
        "\"/etc/railgun/etcd.password\"",
        "File with that user's password and nothing else",
    )
    .between_processes(),
    Setting::new(
        "etcd.ca",
        Means("the system's authorities"),
        "\"/etc/railgun/etcd-ca.pem\"",
        "PEM file of the authority that signs etcd's certificates",
    )
    .between_processes(),
    Setting::new(
        "etcd.cert",
        Means("none"),
        "\"/etc/railgun/etcd.pem\"",
        "PEM file of our certificate for etcd",
    )
    .between_processes(),
    Setting::new("etcd.key", Means("none"), "\"/etc/railgun/etcd.key\"", "PEM file of its key")
        .between_processes(),
    Setting::new("etcd.prefix", Is("\"/rg/v1\""), "", "What all keys in etcd begin with").between_processes(),
];

pub(super) const LOG: &[Setting] = &[
    Setting::new(
        "log.format",
        Is("\"text\""),
        "\"json\"",
        "How log lines are written to standard error: text, or json, one object a line",
    ),
    Setting::new(
        "traces.endpoint",
        Means("no traces"),
        "\"http://127.0.0.1:4318/v1/traces\"",
        "Where traces of joins go, from the request to the first packet: OTLP over HTTP, protobuf",
    ),
    Setting::new(
        "traces.ratio",
        Is("1.0"),
        "",
        "Part of the joins that are traced, 0.0 to 1.0; a media node follows what the replica decided",
    ),
];
