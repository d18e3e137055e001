"""Hold what the image installs against the known advisories.

Run by `make check`. pip-audit asks PyPI, then OSV, for each pinned package. Where neither can be
reached nothing is known, and a line says so: that is no result, and no reason to fail.
An advisory fails, unless ACCEPTED says why it does not concern us.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tools.hashes import REQUIREMENTS, VARIANTS

ACCEPTED: Mapping[str, str] = {}
"""Advisories by their id, with the reason why they do not concern this project."""
_SERVICES = ("pypi", "osv")
_BUDGET_SECONDS = 120.0


def findings(service: str, variant: str) -> Sequence[Mapping[str, Any]] | None:
    """What a service knows of each package; None where it cannot be asked."""
    audit = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    audit += ["--vulnerability-service", service, "--disable-pip", "--require-hashes", "--timeout", "10"]
    audit += ["--requirement", str(REQUIREMENTS / f"{variant}.txt")]
    try:
        done = subprocess.run(audit, capture_output=True, text=True, check=False, timeout=_BUDGET_SECONDS)
        found: Sequence[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return found if any("vulns" in one for one in found) else None


def advisories(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each advisory that is not accepted."""
    return [
        f"{one['name']} {one['version']}: {known['id']}, fixed in {_versions(known)}"
        for one in found
        for known in one.get("vulns", ())
        if known["id"] not in ACCEPTED
    ]


def _versions(known: Mapping[str, Any]) -> str:
    return ", ".join(known["fix_versions"]) or "no version yet"


def report(found: Sequence[Mapping[str, Any]] | None) -> tuple[str, bool]:
    """What to say of the findings, and whether that is good enough to go on."""
    if found is None:
        return "NOT AUDITED: neither PyPI nor OSV could be asked for advisories from here", True
    unknown = [one["name"] for one in found if "vulns" not in one]
    lines = [f"{len(found) - len(unknown)} packages audited", *advisories(found)]
    if unknown:
        lines.append(f"NOT AUDITED: {', '.join(unknown)}")
    return "\n".join(lines), not advisories(found)


def main() -> None:
    """Audit what every variant installs."""
    (widest,) = (name for name in VARIANTS if name == "all")
    found = next((known for service in _SERVICES if (known := findings(service, widest)) is not None), None)
    text, good = report(found)
    print("\n".join(f"audit: {line}" for line in text.splitlines()), file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
