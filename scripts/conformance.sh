#!/usr/bin/env bash
# Runs an executable suite of TimescaleDB's answers, kept outside this repository, against a new server.
#
#   scripts/conformance.sh DIRECTORY [GLOB[,GLOB…]] [ARGUMENT…]
#
# DIRECTORY has `conform.py` and `cases/`; GLOB chooses scripts by name, all of them unless given; further
# arguments go to conform.py. The server is $HIGHWATER, or else the newest of target/{release,debug}/highwater.
# Prints the score, and the statements that failed with what was expected; the report is
# target/conformance.json. The exit code is 0 when the suite ran, whatever its score, unless --min-score asks
# for one; it is not 0 when no script was chosen.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:?which directory has conform.py?}
globs=${2:-*}
shift; (($#)) && shift
venv=$PWD/.venv
target=${CARGO_TARGET_DIR:-$PWD/target}
program=${HIGHWATER:-$(ls -t "$target"/{release,debug}/highwater 2>/dev/null | head -n 1)}
[[ -n $program ]] || { echo "there is no server: cargo build --workspace" >&2; exit 2; }

scripts/venv.sh "$venv" tests/clients/requirements.txt
mkdir -p "$target"
export PYTHONDONTWRITEBYTECODE=1 LLVM_PROFILE_FILE=/dev/null
exec "$venv/bin/python" scripts/conformance.py "$program" "$directory" "$globs" "$target/conformance.json" "$@"
