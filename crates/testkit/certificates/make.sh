#!/usr/bin/env bash
# Writes the certificates of the tests anew: two authorities, and for each one certificate for localhost and
# 127.0.0.1. Valid from 2000 to 9999, so that no test depends on the date. Needs openssl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
touch "$scratch/index"
cat > "$scratch/config" <<END
[ca]
default_ca = tests
[tests]
database = $scratch/index
new_certs_dir = $scratch
rand_serial = yes
unique_subject = no
default_md = sha256
default_startdate = 20000101000000Z
default_enddate = 99991231235959Z
policy = name
[name]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
END
request() { # KEY REQUEST NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1" -out "$2" -subj "/CN=$3"
}
sign() { # REQUEST CERTIFICATE EXTENSIONS, and who signs
    openssl ca -config "$scratch/config" -batch -notext -in "$1" -out "$2" -extensions "$3" "${@:4}"
}
for name in one another; do
    mkdir -p "$name"
    request "$scratch/key" "$scratch/request" "authority of the tests"
    sign "$scratch/request" "$name/authority.pem" authority -selfsign -keyfile "$scratch/key"
    # Another name, because OpenSSL takes a certificate with the name of its issuer for the issuer.
    request "$name/server.key" "$scratch/request" "server of the tests"
    sign "$scratch/request" "$name/server.pem" server -cert "$name/authority.pem" -keyfile "$scratch/key"
done
