/** The cipher suite of groups, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, of what browsers have. */
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import { makeHashImpl } from "ts-mls/crypto/implementation/default/makeHashImpl.js";
import { makeKdfImpl } from "ts-mls/crypto/implementation/default/makeKdfImpl.js";
import { defaultRng } from "ts-mls/crypto/implementation/default/rng.js";
import { makeGenericHpke } from "ts-mls/crypto/implementation/hpke.js";
import type { Bytes } from "../bytes";

export const SUITE = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";

/** Of the library only what this suite needs: its provider would bring curves for browsers that have none. */
export async function cipherSuite(): Promise<CiphersuiteImpl> {
  const aead = {
    encrypt: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array) => aes("encrypt", key, nonce, aad, plain),
    decrypt: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => aes("decrypt", key, nonce, aad, sealed),
  };
  const hpke = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
  const names = { kem: "DHKEM-X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES128GCM" } as const;
  return {
    name: SUITE,
    rng: defaultRng,
    hash: makeHashImpl(crypto.subtle, "SHA-256"),
    kdf: makeKdfImpl(new HkdfSha256()),
    hpke: await makeGenericHpke(names, aead, hpke),
    signature: { keygen, sign, verify },
  };
}

export interface SigningKey {
  /** PKCS #8. */
  signKey: Bytes;
  publicKey: Bytes;
}

export async function keygen(): Promise<SigningKey> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const signKey = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return { signKey, publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)) };
}

export async function sign(signKey: Uint8Array, message: Uint8Array): Promise<Bytes> {
  const key = await crypto.subtle.importKey("pkcs8", own(signKey), "Ed25519", false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("Ed25519", key, own(message)));
}

export async function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", own(publicKey), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, own(signature), own(message));
}

async function aes(
  use: "encrypt" | "decrypt",
  key: Uint8Array,
  iv: Uint8Array,
  additionalData: Uint8Array,
  data: Uint8Array,
): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", own(key), "AES-GCM", false, [use]);
  const parameters = { name: "AES-GCM", iv: own(iv), additionalData: own(additionalData) };
  return new Uint8Array(await crypto.subtle[use](parameters, imported, own(data)));
}

/** As WebCrypto's types have it. */
const own = (bytes: Uint8Array): Bytes => bytes as Bytes;
