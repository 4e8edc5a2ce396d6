// A token for one user, in Go 1.21 or later, with the standard library.
//
//	go run sign_token.go USER [free|pro]
//
// prints a token that is good for an hour. `node sign-token.mjs keys` makes token.pem, as does
// openssl genpkey -algorithm ed25519.
package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

const keyID = "app-1"

func tokenFor(userID, tier string) (string, error) {
	file, err := os.ReadFile("token.pem")
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(file)
	if block == nil {
		return "", errors.New("token.pem is no PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return "", errors.New("token.pem holds no Ed25519 key")
	}
	now := time.Now().Unix()
	signed := ""
	for _, part := range []map[string]any{
		{"alg": "EdDSA", "typ": "JWT", "kid": keyID},
		{"sub": userID, "name": userID, "tier": tier, "iat": now, "exp": now + 3600},
	} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		if signed != "" {
			signed += "."
		}
		signed += base64.RawURLEncoding.EncodeToString(text)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed))), nil
}

func main() {
	tier := "free"
	if len(os.Args) > 2 {
		tier = os.Args[2]
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: sign_token USER [free|pro]")
		os.Exit(2)
	}
	token, err := tokenFor(os.Args[1], tier)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(token)
}
