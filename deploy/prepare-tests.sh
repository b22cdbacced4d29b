#!/usr/bin/env bash
# Installs what only tests need, on Debian and Ubuntu: nats-server, for the fleet's transport, and
# Tesseract, which reads the signs of `edge-daemon study tasks`. Where it cannot, it says so and goes
# on; those tests are then skipped, with a reason.
# usage: deploy/prepare-tests.sh
set -uo pipefail

PATH=$PATH:/usr/sbin
missing=()
command -v nats-server >/dev/null || missing+=(nats-server)
command -v openssl >/dev/null || missing+=(openssl)
command -v tesseract >/dev/null || missing+=(tesseract-ocr)
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
[ "$(id -u)" = 0 ] || root=(sudo --non-interactive)
if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -qq
    "${root[@]}" apt-get install -qq --yes --no-install-recommends "${missing[@]}" && exit 0
fi
echo "some tests will be skipped: ${missing[*]} could not be installed" >&2
