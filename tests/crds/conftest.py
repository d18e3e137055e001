"""The CRDs as they are committed."""

from pathlib import Path

from tests.docs.pages import ROOT

CRDS = ROOT / "crds"


def committed() -> list[Path]:
    return sorted(CRDS.glob("*.yaml"))
