//! Certificates for trials: an authority of our own, one certificate for the control-plane and one
//! for media nodes, so that mutual TLS can be on from the first try.

use crate::auth::write_private;
use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const YEARS_VALID: i32 = 2;

/// Names of a media node on this machine: where it listens unless told otherwise, and its default `node_id`.
pub fn names_of_this_host() -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    // What cannot stand in a certificate is no name to look for either.
    names.extend(Some(railgun_process::host_name()).filter(|name| !name.is_empty() && name.is_ascii()));
    names
}

/// Writes `ca.pem`, `control.pem`, `control.key`, `media.pem` and `media.key` into `dir`, and
/// refuses to overwrite any. `node_names`: DNS names and addresses that nodes are reached at, and node ids.
pub fn write(dir: &Path, node_names: &[String]) -> anyhow::Result<()> {
    let issuer = authority(dir, "railgun trial authority")?;
    leaf(dir, "control", &[], &[ExtendedKeyUsagePurpose::ClientAuth], &issuer)?;
    leaf(dir, "media", node_names, &[ExtendedKeyUsagePurpose::ServerAuth], &issuer)
}

/// Writes `ca.pem`, `server.pem` and `server.key` into `dir`, for the members of an etcd cluster, and refuses to
/// overwrite any. `names`: DNS names and addresses that members are reached at. The authority is another one than
/// that of [`write()`]: members show their certificate to each other as clients too, and no member may pass for a
/// control-plane.
pub fn write_etcd(dir: &Path, names: &[String]) -> anyhow::Result<()> {
    let issuer = authority(dir, "railgun etcd authority")?;
    let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    leaf(dir, "server", names, &usages, &issuer)
}

/// Writes `ca.pem`. The authority's key is not kept: what it signs here is all it ever signs.
fn authority(dir: &Path, name: &str) -> anyhow::Result<Issuer<'static, KeyPair>> {
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let mut params = params(name, &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    write_new(&dir.join("ca.pem"), &authority.pem())?;
    Ok(Issuer::new(params, key))
}

fn leaf(
    dir: &Path,
    name: &str,
    names: &[String],
    usages: &[ExtendedKeyUsagePurpose],
    issuer: &Issuer<'_, KeyPair>,
) -> anyhow::Result<()> {
    let mut params = params(&format!("railgun {name}"), names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = usages.to_vec();
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    write_new(&dir.join(format!("{name}.pem")), &certificate.pem())?;
    let path = dir.join(format!("{name}.key"));
    write_private(&path, &key.serialize_pem())
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn params(common_name: &str, names: &[String]) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec()).context("--node-san")?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    let year = this_year();
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + YEARS_VALID, 1, 1);
    Ok(params)
}

/// Near enough for a validity counted in years.
fn this_year() -> i32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i32::try_from(1970 + seconds / 31_556_952).unwrap_or(i32::MAX - YEARS_VALID)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file =
        fs::File::create_new(path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
