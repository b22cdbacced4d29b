#!/usr/bin/env bash
# Makes a virtual environment. On Debian and Ubuntu it first installs what is missing for that: the
# venv module, which Debian packs apart from Python, a C compiler for the smoothing kernel and the JPEG
# library, and libjpeg-turbo with its headers for the latter. Without compiler or headers the
# installation still goes through, with a slower kernel and a JPEG codec that takes no quantiser map.
# TensorRT, where JetPack has installed it, is linked into the environment.
# usage: [PYTHON=python3.12] deploy/prepare.sh DIRECTORY
set -euo pipefail

venv=${1:?usage: deploy/prepare.sh DIRECTORY}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "edge-daemon needs Python 3.10 or later; name one, for example: make PYTHON=python3.12" >&2
    exit 1
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
needed=()
wanted=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || needed+=("python$version-venv")
command -v gcc >/dev/null || command -v cc >/dev/null || wanted+=(gcc libc6-dev)
printf '#include <stdio.h>\n#include <jpeglib.h>\n' | cc -E - >/dev/null 2>&1 || wanted+=(libjpeg-dev)

missing=("${needed[@]}" "${wanted[@]}")
if [ ${#missing[@]} -gt 0 ]; then
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo --non-interactive)
    if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
        "${root[@]}" apt-get update -qq
        "${root[@]}" apt-get install -qq --yes --no-install-recommends "${missing[@]}"
    elif [ ${#needed[@]} -gt 0 ]; then
        echo "missing on this machine: run 'sudo apt-get install ${missing[*]}', then this again" >&2
        exit 1
    else
        echo "not all C libraries will be built: slower ones serve (${missing[*]} would mend it)" >&2
    fi
fi

"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --upgrade 'pip>=24'

# JetPack packs TensorRT for the system's Python, and an environment does not look there.
tensorrt=$("$python" -c 'import importlib.util as util
found = util.find_spec("tensorrt")
print(*(found.submodule_search_locations or [] if found else []))')
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
if [ -d "$tensorrt" ] && [ ! -e "$packages/tensorrt" ]; then
    ln -s "$tensorrt" "$packages/tensorrt"
fi
