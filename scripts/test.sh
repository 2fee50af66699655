#!/usr/bin/env bash
# Everything that has to hold before a change is sent.
#
#   ./scripts/test.sh              all steps, in order; the first that fails stops the run with its name
#   ./scripts/test.sh STEP…        only these: tools format clippy docs dependencies tests clients coverage
#   ./scripts/test.sh advisories   known vulnerabilities of the dependencies. Compiles cargo-deny and fetches
#                                  the list of them, so it is not part of a run without arguments
#
# Needs Rust (rust-version in Cargo.toml) with rustfmt and clippy, and Python 3.11. What else is missing it
# installs: Debian's postgresql-client, postgresql-15, python3-venv and a C compiler, and the Python drivers, in
# .venv. When nothing is missing, it works without a network.
#
# The tests run once, instrumented: the crates of the workspace, and only they, count which lines run. So
# line coverage costs no second run, and the dependencies are those of an ordinary build.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD

COVERED=crates/model,crates/store,crates/engine
COVERAGE_FLOOR=80

VENV=$ROOT/.venv
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
PROFILES=$TARGET/coverage

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

tools() {
    cargo --version
    cargo fmt --version || rustup component add rustfmt
    cargo clippy --version || rustup component add clippy
    local missing=()
    command -v cc >/dev/null || missing+=(build-essential)
    command -v psql >/dev/null || missing+=(postgresql-client)
    command -v openssl >/dev/null || missing+=(openssl)
    # Its programs only: the tests make a cluster of their own.
    [[ -x ${HIGHWATER_POSTGRESQL:-/usr/lib/postgresql/15/bin}/initdb ]] || missing+=(postgresql-15)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    if ((${#missing[@]})); then
        local sudo=()
        ((EUID == 0)) || sudo=(sudo)
        "${sudo[@]}" apt-get update -qq
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    fi
    psql --version
    "$ROOT/scripts/venv.sh" "$VENV" tests/clients/requirements.txt
}

format() {
    cargo fmt --all --check
    cargo fmt --manifest-path scripts/coverage/Cargo.toml --check
}

clippy() {
    cargo clippy --locked --workspace --all-targets -- -D warnings
}

docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
}

# Licences, sources and banned crates are checked from deny.toml by a script that needs nothing, and by
# cargo-deny as well where it is installed.
dependencies() {
    python3 scripts/dependencies.py
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --offline check bans licenses sources
    else
        echo "cargo-deny is not installed: yanked versions and advisories were not looked at"
    fi
}

advisories() {
    cargo install --locked --quiet --root "$TARGET/tools" cargo-deny@0.20.2
    "$TARGET/tools/bin/cargo-deny" check
}

# What the crates of the workspace are compiled and run with to count lines.
instrumented() {
    RUSTC_WORKSPACE_WRAPPER="$ROOT/scripts/coverage-rustc" LLVM_PROFILE_FILE="$PROFILES/%m-%p.profraw" "$@"
}

tests() {
    rm -rf "$PROFILES"
    mkdir -p "$PROFILES"
    instrumented cargo test --locked --workspace
}

clients() {
    instrumented cargo build --locked --workspace --bins
    mkdir -p "$PROFILES"
    LLVM_PROFILE_FILE="$PROFILES/%m-%p.profraw" \
        "$VENV/bin/python" tests/clients/run.py "$TARGET/debug/highwater"
}

coverage() {
    CARGO_TARGET_DIR="$TARGET/coverage-tool" \
        cargo build --locked --release --quiet --manifest-path scripts/coverage/Cargo.toml
    instrumented cargo test --locked --workspace --no-run --message-format json-render-diagnostics \
        >"$PROFILES/messages.json"
    python3 - "$PROFILES/messages.json" >"$PROFILES/objects" <<'PYTHON'
import json, sys
messages = (json.loads(line) for line in open(sys.argv[1]) if line.startswith("{"))
print(*sorted({m["executable"] for m in messages if m.get("executable")}), sep="\n")
PYTHON
    # The server that the clients talked to; built again because a plain build may have taken its place.
    instrumented cargo build --locked --workspace --bins --quiet
    echo "$TARGET/debug/highwater" >>"$PROFILES/objects"
    mapfile -t objects < <(sort -u "$PROFILES/objects")
    "$TARGET/coverage-tool/release/highwater-coverage" \
        "$PROFILES" "$ROOT" "$COVERAGE_FLOOR" "$COVERED" "${objects[@]}"
    echo "lines that did not run: $PROFILES/missed.txt"
}

STEP=
STEP_BEGAN=0
finish() {
    local code=$?
    if ((code)) && [[ -n $STEP ]]; then
        echo "== $STEP FAILED after $((SECONDS - STEP_BEGAN)) s"
    fi
    exit "$code"
}
trap finish EXIT

all=(tools format clippy docs dependencies tests clients coverage)
(($#)) || set -- "${all[@]}"
for name in "$@"; do
    case " ${all[*]} advisories " in
        *" $name "*) ;;
        *) echo "no step is called $name; there are: ${all[*]} advisories" >&2; exit 2 ;;
    esac
done
# Called plainly: inside a condition, bash would not stop at the first command that fails.
for name in "$@"; do
    STEP=$name
    STEP_BEGAN=$SECONDS
    echo "== $STEP"
    "$STEP"
    echo "== $STEP: $((SECONDS - STEP_BEGAN)) s"
done
STEP=
echo "== all of: $* (${SECONDS} s)"
