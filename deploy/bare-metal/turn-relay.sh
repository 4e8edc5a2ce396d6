#!/bin/sh
# On a relay with Debian's coturn: its configuration, and copies of certbot's certificate, which coturn's user cannot
# read where it is. Run it again when media nodes, secrets or the certificate change (certbot's --deploy-hook): a
# certificate alone ends no call.
# Usage: turn-relay.sh DNS_NAME SECRETS_FILE NODE,NODE…
set -eu
live=/etc/letsencrypt/live/$1
install -d -o turnserver -m 700 /etc/coturn
install -o turnserver -m 400 "$live/fullchain.pem" "$live/privkey.pem" /etc/coturn/
before=$(cksum </etc/turnserver.conf 2>/dev/null || true)
railgun turn-config --replace --realm "$1" --secrets-file "$2" --nodes "$3" \
    --cert /etc/coturn/fullchain.pem --key /etc/coturn/privkey.pem --out /etc/turnserver.conf
chown turnserver: /etc/turnserver.conf
install -D -m 644 /usr/share/railgun/coturn.service.conf /etc/systemd/system/coturn.service.d/railgun.conf
systemctl daemon-reload
systemctl enable --quiet coturn
if [ "$before" = "$(cksum </etc/turnserver.conf)" ] && systemctl is-active --quiet coturn; then
    systemctl reload coturn
else
    systemctl restart coturn
fi
