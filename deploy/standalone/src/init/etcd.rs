//! Files of an etcd cluster with TLS and a user for each plane: what its members need, and what our programs are told.

use super::files::{Files, Readable};
use anyhow::ensure;
use railgun_control::certs;

/// Users of etcd, each with a role of its own; `etcd-users.sh` of the package makes them.
const USERS: [&str; 3] = ["root", "control", "media"];

/// Writes, into `etcd`, an authority and a certificate of the members, the environment of each as Debian's unit reads
/// it, and the users' passwords. `endpoints`: what our programs ask, `https://HOST:2379` each.
pub(super) fn write(files: &Files, endpoints: &[String]) -> anyhow::Result<()> {
    let hosts = endpoints.iter().map(|of| host(of)).collect::<anyhow::Result<Vec<_>>>()?;
    let dir = files.at("etcd");
    let names = [hosts.clone(), ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec()].concat();
    certs::write_etcd(&dir, &names)?;
    let members: Vec<String> = hosts.iter().map(|host| format!("{host}=https://{host}:2380")).collect();
    let cluster = format!("railgun-{:08x}", rand::random::<u32>());
    for host in &hosts {
        let environment = format!(
            "# /etc/default/etcd of {host}\n\
             ETCD_NAME={host}\n\
             ETCD_DATA_DIR=/var/lib/etcd/railgun\n\
             ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379\n\
             ETCD_ADVERTISE_CLIENT_URLS=https://{host}:2379\n\
             ETCD_LISTEN_PEER_URLS=https://0.0.0.0:2380\n\
             ETCD_INITIAL_ADVERTISE_PEER_URLS=https://{host}:2380\n\
             ETCD_INITIAL_CLUSTER={}\n\
             ETCD_INITIAL_CLUSTER_TOKEN={cluster}\n\
             ETCD_CERT_FILE=/etc/etcd/server.pem\n\
             ETCD_KEY_FILE=/etc/etcd/server.key\n\
             ETCD_PEER_CERT_FILE=/etc/etcd/server.pem\n\
             ETCD_PEER_KEY_FILE=/etc/etcd/server.key\n\
             ETCD_PEER_TRUSTED_CA_FILE=/etc/etcd/ca.pem\n\
             ETCD_PEER_CLIENT_CERT_AUTH=true\n\
             # Passwords are 128 random bits, which no hash has to protect from guessing, and each sign-in costs one\n\
             # hash: some 70 ms of CPU at etcd's own cost of 10, a 64th of it at this.\n\
             ETCD_BCRYPT_COST=4\n\
             # Every change leaves its history until then: docs/etcd.md.\n\
             ETCD_AUTO_COMPACTION_RETENTION=5m\n",
            members.join(","),
        );
        files.write(&format!("etcd/{host}.env"), &environment, Readable::All)?;
    }
    for user in USERS {
        let password = format!("{:032x}", rand::random::<u128>());
        let readable = if user == "control" { Readable::Service } else { Readable::Owner };
        files.write(&format!("etcd/{user}.password"), &password, readable)?;
    }
    Ok(())
}

/// What the program of a plane is told of it.
pub(super) fn settings(files: &Files, plane: &str) -> [(&'static str, String); 3] {
    [
        ("etcd.ca", files.quoted("etcd/ca.pem")),
        ("etcd.user", format!("\"railgun-{plane}\"")),
        ("etcd.password_file", files.quoted(&format!("etcd/{plane}.password"))),
    ]
}

/// `HOST` of `https://HOST:2379`.
fn host(endpoint: &str) -> anyhow::Result<String> {
    let rest = endpoint.strip_prefix("https://").unwrap_or_default();
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').unwrap_or_default();
    let wrong = || format!("--etcd {endpoint}: give https://HOST:2379 for each member");
    ensure!(port == "2379" && !host.is_empty() && !host.contains('/'), wrong());
    ensure!(
        host.parse::<std::net::Ipv6Addr>().is_err() && !host.starts_with('['),
        "{}: HOST is a name",
        wrong()
    );
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_as_its_endpoint() {
        assert_eq!(host("https://etcd-1:2379").unwrap(), "etcd-1");
        assert_eq!(host("https://10.0.0.41:2379/").unwrap(), "10.0.0.41");
        for wrong in ["http://etcd-1:2379", "https://etcd-1", "https://etcd-1:2380", "https://[::1]:2379"] {
            let error = host(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
