#!/usr/bin/env bash
# Makes a Python environment with what a requirements file pins, unless it is there already.
#
#   scripts/venv.sh DIRECTORY REQUIREMENTS
set -euo pipefail
venv=$1
requirements=$2
stamp=$venv/$(basename "$requirements").installed

if ! cmp -s "$requirements" "$stamp"; then
    [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
fi
