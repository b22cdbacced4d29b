#!/usr/bin/env bash
# Makes a virtual environment, and on Debian and Ubuntu first installs the packages that it needs:
# the venv module (Debian ships Python without it) and, where a compiler is present, Python's headers.
# usage: [PYTHON=python3.12] deploy/prepare.sh DIRECTORY
set -euo pipefail

venv=${1:?usage: deploy/prepare.sh DIRECTORY}
python=${PYTHON:-python3}

"$python" - <<'PY' || { echo "edge-daemon needs Python 3.10 or later: set PYTHON=python3.12" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 10))
PY

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
missing=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$version-venv")
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -f "$header" ] || missing+=("python$version-dev")
command -v gcc >/dev/null || command -v cc >/dev/null || missing+=(gcc libc6-dev)

if [ ${#missing[@]} -gt 0 ]; then
    install=(apt-get install --yes --no-install-recommends "${missing[@]}")
    if ! command -v apt-get >/dev/null; then
        echo "missing on this machine: ${missing[*]} (Debian's names); install them and run again" >&2
        exit 1
    elif [ "$(id -u)" = 0 ]; then
        apt-get update --quiet && "${install[@]}"
    elif sudo --non-interactive true 2>/dev/null; then
        sudo apt-get update --quiet && sudo "${install[@]}"
    else
        echo "missing on this machine: run 'sudo ${install[*]}', then this again" >&2
        exit 1
    fi
fi

"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --upgrade 'pip>=24'
