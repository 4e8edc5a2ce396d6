use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use railgun_control::auth::{LocalKey, TokenError, TokenKeys};
use railgun_protocol::plan::Tier;
use rcgen::{KeyPair, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

const NOW: u64 = 2_000_000_000;

struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Jwk,
}

impl Signer {
    fn ed25519(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let key = EncodingKey::from_ed_der(pair.serialized_der());
        let mut jwk: Jwk = serde_json::from_value(json!({
            "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw()),
        }))
        .unwrap();
        jwk.common.key_id = Some(kid.into());
        Self { key, algorithm: Algorithm::EdDSA, jwk }
    }

    fn rsa(kid: &str) -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(kid.into());
        Self { key, algorithm: Algorithm::RS256, jwk }
    }

    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid.clone_from(&self.jwk.common.key_id);
        header
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn keys(signers: &[&Signer]) -> TokenKeys {
    let mut keys = TokenKeys::new(None, None);
    signers.iter().for_each(|signer| keys.add(&signer.jwk).unwrap());
    keys
}

fn claims() -> Value {
    json!({"sub": "ada", "iat": NOW - 10, "exp": NOW + 60, "tier": "pro", "name": "Ada"})
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn code(keys: &TokenKeys, token: &str) -> &'static str {
    keys.verify(token, NOW).map_or_else(|error| error.code(), |_| "taken")
}

#[test]
fn a_good_token_of_either_algorithm_is_taken() {
    let (ed, rsa) = (Signer::ed25519("ed"), Signer::rsa("rsa"));
    let keys = keys(&[&ed, &rsa]);
    for signer in [&ed, &rsa] {
        let identity = keys.verify(&signer.sign(&claims()), NOW).unwrap();
        assert_eq!(
            (identity.user.as_str(), identity.name.as_deref(), identity.tier),
            ("ada", Some("Ada"), Tier::Pro)
        );
    }
    // Claims that nobody here reads do not matter, and an audience nobody asked for neither.
    let more = claims_with("aud", json!(["a", "b"]));
    assert_eq!(code(&keys, &ed.sign(&more)), "taken");
}

#[test]
fn without_a_signature_or_with_one_of_another_algorithm_it_is_refused() {
    let (ed, rsa) = (Signer::ed25519("ed"), Signer::rsa("rsa"));
    let keys = keys(&[&ed, &rsa]);
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE", ""] {
        for signature in ["", "AAAA"] {
            let header = json!({"alg": alg, "typ": "JWT", "kid": "ed"});
            let token = format!("{}.{}.{signature}", part(&header), part(&claims()));
            assert_eq!(code(&keys, &token), "UNAUTHORIZED", "{alg}");
        }
    }
    // The public key, in every form it is published in, as the secret of an HMAC.
    for signer in [&ed, &rsa] {
        let published = serde_json::to_vec(&signer.jwk).unwrap();
        let material = match &signer.jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) => key.x.clone(),
            AlgorithmParameters::RSA(key) => key.n.clone(),
            other => panic!("{other:?}"),
        };
        let raw = BASE64_URL_SAFE_NO_PAD.decode(&material).unwrap();
        for secret in [published, material.into_bytes(), raw] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let mut header = Header::new(algorithm);
                header.kid.clone_from(&signer.jwk.common.key_id);
                let token = encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
                assert_eq!(code(&keys, &token), "UNAUTHORIZED");
            }
        }
    }
    // The right key with an algorithm that is not the key's.
    let mut header = Header::new(Algorithm::PS256);
    header.kid = Some("rsa".into());
    assert_eq!(code(&keys, &encode(&header, &claims(), &rsa.key).unwrap()), "UNAUTHORIZED");
    let mut header = Header::new(Algorithm::RS512);
    header.kid = Some("rsa".into());
    assert_eq!(code(&keys, &encode(&header, &claims(), &rsa.key).unwrap()), "UNAUTHORIZED");
}

#[test]
fn a_key_that_is_not_ours_is_refused_whatever_it_calls_itself() {
    let (ours, theirs) = (Signer::ed25519("ours"), Signer::ed25519("theirs"));
    let keys = keys(&[&ours]);
    assert!(matches!(keys.verify(&theirs.sign(&claims()), NOW), Err(TokenError::UnknownKey)));
    let mut header = ours.header();
    assert_eq!(code(&keys, &encode(&header, &claims(), &theirs.key).unwrap()), "UNAUTHORIZED");
    // A key brought along in the header is not looked at.
    header.jwk = Some(theirs.jwk.clone());
    assert_eq!(code(&keys, &encode(&header, &claims(), &theirs.key).unwrap()), "UNAUTHORIZED");
    let mut no_kid = ours.header();
    no_kid.kid = None;
    assert_eq!(code(&keys, &encode(&no_kid, &claims(), &ours.key).unwrap()), "UNAUTHORIZED");
    let mut critical = ours.header();
    critical.crit = Some(vec!["b64".into()]);
    assert_eq!(code(&keys, &encode(&critical, &claims(), &ours.key).unwrap()), "UNAUTHORIZED");
}

#[test]
fn a_changed_token_is_refused() {
    let ed = Signer::ed25519("ed");
    let keys = keys(&[&ed]);
    let free = ed.sign(&claims_with("tier", json!("free")));
    let pro = ed.sign(&claims());
    let parts = |token: &str| token.split('.').map(String::from).collect::<Vec<_>>();
    let (free, pro) = (parts(&free), parts(&pro));
    assert_eq!(code(&keys, &format!("{}.{}.{}", free[0], pro[1], free[2])), "UNAUTHORIZED");
    for broken in [
        "",
        ".",
        "..",
        "a.b.c",
        &pro[0],
        &format!("{}.{}", pro[0], pro[1]),
        &format!("{}.{}.", pro[0], pro[1]),
    ] {
        assert_eq!(code(&keys, broken), "UNAUTHORIZED", "{broken}");
    }
}

#[test]
fn times_are_held_to_with_half_a_minute_of_leeway() {
    let ed = Signer::ed25519("ed");
    let keys = keys(&[&ed]);
    for (name, value, expected) in [
        ("exp", NOW - 30, "taken"),
        ("exp", NOW - 31, "TOKEN_EXPIRED"),
        ("exp", 0, "TOKEN_EXPIRED"),
        ("exp", u64::MAX, "taken"),
        ("nbf", NOW + 30, "taken"),
        ("nbf", NOW + 31, "UNAUTHORIZED"),
        ("iat", NOW + 30, "taken"),
        ("iat", NOW + 31, "UNAUTHORIZED"),
        ("iat", u64::MAX, "UNAUTHORIZED"),
    ] {
        assert_eq!(code(&keys, &ed.sign(&claims_with(name, json!(value)))), expected, "{name} = {value}");
    }
}

#[test]
fn a_claim_that_is_missing_or_wrong_is_refused() {
    let ed = Signer::ed25519("ed");
    let keys = keys(&[&ed]);
    for name in ["sub", "exp", "iat", "tier"] {
        assert_eq!(code(&keys, &ed.sign(&claims_without(name))), "UNAUTHORIZED", "{name}");
    }
    for (name, value) in [
        ("sub", json!("")),
        ("sub", json!("x".repeat(129))),
        ("sub", json!(["ada"])),
        ("exp", json!("2100-01-01")),
        ("exp", json!(-1)),
        ("exp", Value::Null),
        ("tier", json!("gold")),
    ] {
        assert_eq!(
            code(&keys, &ed.sign(&claims_with(name, value.clone()))),
            "UNAUTHORIZED",
            "{name} = {value}"
        );
    }
}

#[test]
fn audience_and_issuer_are_compared_when_they_are_configured() {
    let ed = Signer::ed25519("ed");
    let mut keys = TokenKeys::new(Some("voice".into()), Some("app".into()));
    keys.add(&ed.jwk).unwrap();
    let with = |aud: Value, iss: Value| {
        let mut claims = claims_with("aud", aud);
        claims["iss"] = iss;
        ed.sign(&claims)
    };
    assert_eq!(code(&keys, &with(json!("voice"), json!("app"))), "taken");
    assert_eq!(code(&keys, &with(json!(["mail", "voice"]), json!("app"))), "taken");
    assert_eq!(code(&keys, &with(json!("mail"), json!("app"))), "UNAUTHORIZED");
    assert_eq!(code(&keys, &with(json!("voice"), json!("else"))), "UNAUTHORIZED");
    assert_eq!(code(&keys, &ed.sign(&claims_with("iss", json!("app")))), "UNAUTHORIZED");
    assert_eq!(code(&keys, &ed.sign(&claims_with("aud", json!("voice")))), "UNAUTHORIZED");
}

#[test]
fn a_token_of_more_than_8_kib_is_refused_before_it_is_read() {
    let ed = Signer::ed25519("ed");
    let keys = keys(&[&ed]);
    let long = ed.sign(&claims_with("name", json!("x".repeat(8 * 1024))));
    assert!(matches!(keys.verify(&long, NOW), Err(TokenError::TooLong)));
    let huge = "e".repeat(10_000_000);
    assert!(matches!(keys.verify(&huge, NOW), Err(TokenError::TooLong)));
}

#[test]
fn a_set_with_a_key_of_another_kind_or_without_a_kid_is_not_taken() {
    let mut keys = TokenKeys::new(None, None);
    let secret: Jwk = serde_json::from_value(json!({"kty": "oct", "kid": "s", "k": "AAAA"})).unwrap();
    assert!(keys.add(&secret).unwrap_err().to_string().contains("neither Ed25519 nor RSA"));
    let ed = Signer::ed25519("ed");
    let mut nameless = ed.jwk.clone();
    nameless.common.key_id = None;
    assert!(keys.add(&nameless).unwrap_err().to_string().contains("no kid"));
    keys.add(&ed.jwk).unwrap();
    assert!(keys.add(&ed.jwk).unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_local_key_is_made_once_with_its_jwks_and_only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir =
        std::env::temp_dir().join(format!("railgun-key-{}-{:x}", std::process::id(), rand::random::<u64>()));
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("token.key");
    let first = LocalKey::open_or_create(&path).unwrap();
    let second = LocalKey::open_or_create(&path).unwrap();
    assert_eq!(first.jwk(), second.jwk());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let jwks = LocalKey::jwks_path(&path);
    let set: JwkSet = serde_json::from_str(&std::fs::read_to_string(&jwks).unwrap()).unwrap();
    assert_eq!(set.keys, [first.jwk().clone()]);
    let mut keys = TokenKeys::new(None, None);
    keys.add_set(&set).unwrap();
    let claims = serde_json::from_value(claims()).unwrap();
    assert_eq!(code(&keys, &second.mint(&claims).unwrap()), "taken");
    std::fs::remove_dir_all(&dir).unwrap();
}
