"""A token for one user, in Python 3.9 or later: pip install cryptography

python sign_token.py USER [free|pro] prints a token that is good for an hour. `node sign-token.mjs keys` makes token.pem, as does
openssl genpkey -algorithm ed25519.
"""

import base64
import json
import sys
import time

from cryptography.hazmat.primitives.serialization import load_pem_private_key

KEY_ID = "app-1"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_for(user_id: str, tier: str = "free", name: str = "") -> str:
    now = int(time.time())
    header = {"alg": "EdDSA", "typ": "JWT", "kid": KEY_ID}
    claims = {"sub": user_id, "name": name or user_id, "tier": tier, "iat": now, "exp": now + 3600}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    with open("token.pem", "rb") as file:
        key = load_pem_private_key(file.read(), password=None)
    return f"{signed}.{encode(key.sign(signed.encode()))}"


if __name__ == "__main__":
    print(token_for(*sys.argv[1:]))
