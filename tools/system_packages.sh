#!/bin/sh
# Chromium and PostgreSQL for the tests, with apt, where we are root and they are missing. Says what it can't do.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "orrery: missing:$missing; the tests that need them will skip. Install them: sudo apt-get install -y$missing" >&2
  exit 0
fi
echo "orrery: installing$missing …" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
