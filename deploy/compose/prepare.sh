#!/usr/bin/env bash
# Makes what compose.yaml reads and nobody may share: passwords, the secret of sessions, and a certificate to begin with, which no
# client believes. What is there is kept; put your own files in their places.
#
#   deploy/compose/prepare.sh [FOLDER]        by default secrets/ beside this script
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
folder=${1:-secrets}

# Nobody else on this machine gets into the folder. In it, files can be read by the numbers that containers run as.
install --directory --mode=0700 "$folder"
umask 022

secret() {
  [[ -s $folder/$1 ]] || { openssl rand -base64 48 | tr -d '\n' >"$folder/$1" && echo "made $folder/$1"; }
}

secret portcullis_jwt
secret database_password
secret grafana_password
if [[ ! -s $folder/fullchain.pem || ! -s $folder/privkey.pem ]]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
  chmod 0444 "$folder/privkey.pem"
  echo "made $folder/fullchain.pem and $folder/privkey.pem: put a certificate that clients believe in their place"
fi
