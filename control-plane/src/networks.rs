//! The operator's table of networks: from which region and over which kind of network an address comes.
//! For clients whose token names no region and whose browser does not tell its network, which is every one
//! on a desktop but Chromium.

use anyhow::{Context, bail};
use railgun_protocol::signal::NetworkType;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

/// Where an address is. Both absent: the table does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) region: Option<String>,
    pub(crate) network: Option<NetworkType>,
}

/// Written once, at start.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// By length of the prefix, the longest first.
    by_length: Vec<(u8, HashMap<u128, Origin>)>,
}

impl Networks {
    /// A line holds a prefix (RFC 4632, RFC 4291), a region and a kind of network, `-` for one that it does
    /// not say; what follows `#` is a comment.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not like that; the error names the line.
    pub(crate) fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut by_length: HashMap<u8, HashMap<u128, Origin>> = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let said = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = said.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let (prefix, origin) = entry(&words).with_context(|| format!("line {}", index + 1))?;
            let Prefix { length, bits } = prefix;
            if by_length.entry(length).or_default().insert(bits, origin).is_some() {
                bail!("line {}: this prefix stands above already", index + 1);
            }
        }
        let mut by_length: Vec<_> = by_length.into_iter().collect();
        by_length.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        Ok(Self { by_length })
    }

    /// By the longest prefix that the address is in.
    pub(crate) fn origin(&self, address: IpAddr) -> Origin {
        let bits = bits(address);
        let find = |(length, of): &(u8, HashMap<u128, Origin>)| of.get(&masked(bits, *length)).cloned();
        self.by_length.iter().find_map(find).unwrap_or_default()
    }
}

struct Prefix {
    /// Length of the prefix in bits, of the address as IPv6.
    length: u8,
    bits: u128,
}

fn entry(words: &[&str]) -> anyhow::Result<(Prefix, Origin)> {
    let [prefix, region, network] = words else {
        bail!("not a prefix, a region and a kind of network, such as: 203.0.113.0/24 eu-west wifi");
    };
    let region = (*region != "-").then(|| (*region).to_owned());
    let network = match *network {
        "-" => None,
        word => Some(
            serde_json::from_value(word.into())
                .with_context(|| format!("{word} is none of wifi, cellular, ethernet, vpn, other"))?,
        ),
    };
    Ok((prefix_of(prefix)?, Origin { region, network }))
}

fn prefix_of(text: &str) -> anyhow::Result<Prefix> {
    let (address, length) = text.split_once('/').context("a prefix has a length, such as /24")?;
    let address: IpAddr = address.parse().context("the prefix's address")?;
    let length: u8 = length.parse().context("the prefix's length")?;
    let length = match address {
        IpAddr::V4(_) if length <= 32 => length + 96,
        IpAddr::V6(_) if length <= 128 => length,
        _ => bail!("/{length} is longer than the address"),
    };
    let bits = bits(address);
    if masked(bits, length) != bits {
        bail!("{text} has bits behind its prefix");
    }
    Ok(Prefix { length, bits })
}

/// IPv4 as mapped into IPv6 (RFC 4291, section 2.5.5.2), which is what a dual-stack listener shows.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    match length {
        0 => 0,
        length => bits & (u128::MAX << (128 - u32::from(length))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(table: &str, address: &str) -> (Option<String>, Option<NetworkType>) {
        let Origin { region, network } = Networks::parse(table).unwrap().origin(address.parse().unwrap());
        (region, network)
    }

    #[test]
    fn the_longest_prefix_says_where_an_address_is() {
        let table = "
            # the office
            203.0.113.0/24  eu-west  wifi
            203.0.113.64/26 eu-west  vpn   # its VPN
            198.51.100.0/24 us-east  -
            2001:db8::/32   -        cellular
        ";
        let of = |region: &str, network| (Some(region.to_owned()), network);
        assert_eq!(origin(table, "203.0.113.7"), of("eu-west", Some(NetworkType::Wifi)));
        assert_eq!(origin(table, "203.0.113.70"), of("eu-west", Some(NetworkType::Vpn)));
        assert_eq!(origin(table, "::ffff:203.0.113.70"), of("eu-west", Some(NetworkType::Vpn)));
        assert_eq!(origin(table, "198.51.100.1"), of("us-east", None));
        assert_eq!(origin(table, "2001:db8::1"), (None, Some(NetworkType::Cellular)));
        for elsewhere in ["203.0.114.1", "2001:db9::1", "127.0.0.1"] {
            assert_eq!(origin(table, elsewhere), (None, None), "{elsewhere}");
        }
        assert_eq!(origin("0.0.0.0/0 all -", "127.0.0.1"), of("all", None));
        assert_eq!(origin("0.0.0.0/0 all -", "2001:db8::1"), (None, None));
        assert_eq!(origin("::/0 all -", "2001:db8::1"), of("all", None));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for wrong in [
            "203.0.113.0 eu wifi",
            "203.0.113.0/33 eu wifi",
            "203.0.113.1/24 eu wifi",
            "203.0.113.0/24 eu",
            "203.0.113.0/24 eu fibre",
            "eu 203.0.113.0/24 wifi",
            "10.0.0.0/8 a -\n10.0.0.0/8 b -",
        ] {
            let error = format!("{:#}", Networks::parse(&format!("\n{wrong}")).unwrap_err());
            assert!(error.contains("line 2") || error.contains("line 3"), "{wrong}: {error}");
        }
    }
}
