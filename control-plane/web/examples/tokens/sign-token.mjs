// A token for one user, in Node 20 or later, without a package.
//   node sign-token.mjs keys            makes token.pem (secret) and token.jwks.json (for the server's --jwks), once
//   node sign-token.mjs USER [free|pro] prints a token that is good for an hour
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const KEY_ID = "app-1";

export function tokenFor(userId, { tier = "free", name = userId } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = encode({ alg: "EdDSA", typ: "JWT", kid: KEY_ID });
  const claims = encode({ sub: userId, name, tier, iat: now, exp: now + 3600 });
  const key = createPrivateKey(readFileSync("token.pem"));
  return `${header}.${claims}.${sign(null, Buffer.from(`${header}.${claims}`), key).toString("base64url")}`;
}

const [what, tier] = process.argv.slice(2);
if (what === "keys") {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync("token.pem", pem, { mode: 0o600, flag: "wx" });
  const jwk = createPublicKey(privateKey).export({ format: "jwk" });
  writeFileSync("token.jwks.json", JSON.stringify({ keys: [{ ...jwk, kid: KEY_ID, alg: "EdDSA", use: "sig" }] }));
} else if (what) {
  console.log(tokenFor(what, { tier }));
}
