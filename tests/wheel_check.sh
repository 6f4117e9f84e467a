#!/bin/bash
# Builds the wheel, installs it with the locked dependencies in a new virtual environment and uses it
# from another directory: what is missing in the wheel is found here and not by a user.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip_flags=(--quiet --disable-pip-version-check --no-input)

.venv/bin/python -m pip wheel "${pip_flags[@]}" --no-deps --no-build-isolation --wheel-dir "$work/wheels" .
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install "${pip_flags[@]}" --require-hashes -r requirements.lock
"$work/venv/bin/python" -m pip install "${pip_flags[@]}" --no-deps --no-index "$work"/wheels/*.whl

mkdir "$work/elsewhere" && cd "$work/elsewhere"
unset REDIS_URL DATABASE_URL PYTHONPATH
export PORT
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
crawlyard="$work/venv/bin/crawlyard"
"$crawlyard" --help >help.txt
"$crawlyard" doctor
timeout 180 "$crawlyard" demo --json --csv pages.csv >demo.json
"$work/venv/bin/python" - <<'PYTHON'
import json

from api.cli.demo_site import BROKEN, PAGES

report = json.load(open("demo.json"))
codes = report["summary"]["by_status_code"]
assert report["job"]["status"] == "completed", report["job"]
assert codes.get("404") == BROKEN, codes
# the page behind the redirect is one of them; the redirect itself may count as what it led to
assert codes.get("200") in (PAGES, PAGES + 1), codes
PYTHON
echo "the wheel works from another directory"
