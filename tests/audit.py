"""`python -m tests.audit`: looks the locked packages up among known vulnerabilities (`make audit`, and CI).

Exit status 1 for a finding. Where the advisory service cannot be reached, or knows not all of the packages, it
says so and ends with 0: that is no finding, and no clean bill either.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass

#: holds all of requirements.lock too (`test_what_runs_is_also_what_is_tested`)
LOCK = "requirements-dev.lock"
#: for all questions together
SECONDS = 60
UNREACHABLE = "advisory service unreachable: nothing was looked up"
#: also a certificate or an answer that is not the service's: a proxy stands between
_AWAY = re.compile(r"^requests\.exceptions\.\w+|Could not connect to PyPI", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit says."""

    ok: bool
    told: str


def judge(code: int, out: str, err: str) -> Verdict:
    """What an exit status, the JSON and the messages of pip-audit mean."""
    try:
        asked = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (err.strip().splitlines() or ["no message"])[-1][:500]
        return Verdict(True, UNREACHABLE) if _AWAY.search(err) else Verdict(False, f"pip-audit broke ({code}): {last}")
    found = [f"{d['name']} {d['version']}: {v['id']}" for d in asked for v in d.get("vulns", ())]
    skipped = [d["skip_reason"] for d in asked if "skip_reason" in d]
    if asked and len(skipped) == len(asked):
        return Verdict(True, f"{UNREACHABLE} ({skipped[0]})")
    if found or code or not asked:
        return Verdict(False, "\n".join(found) or f"pip-audit ended with {code} after {len(asked)} packages")
    told = f"{len(asked) - len(skipped)} packages, no known vulnerability"
    return Verdict(True, "\n".join([told, *(f"not looked up: {reason}" for reason in skipped)]))


def main() -> None:
    """Asks, and says what came of it."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    argv = [sys.executable, "-m", "pip_audit", *options, "--requirement", LOCK]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
        verdict = judge(done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        verdict = Verdict(True, f"{UNREACHABLE} (no end within {SECONDS} s)")
    print(f"audit: {verdict.told}", flush=True)
    sys.exit(0 if verdict.ok else 1)


if __name__ == "__main__":
    main()
