#!/bin/sh
# Resolve pyproject.toml into versions and hashes; nothing younger than a week is taken.
set -eu
cd "$(dirname "$0")/.."
newest=$(python3 -c 'import datetime; print(datetime.date.today() - datetime.timedelta(days=8))')
compile() {
    .venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
        --exclude-newer "$newest" --python-version 3.11 --universal "$@"
}
compile --group build pyproject.toml -o locks/runtime.txt
compile --group build --group dev --group bench -c locks/runtime.txt pyproject.toml -o locks/dev.txt
compile --group pyproject.toml:build -c locks/runtime.txt -o locks/bootstrap.txt
compile --group pyproject.toml:kernel -o locks/kernel.txt
