"""A process as its users have it: without the packages that only tests need. Libraries import
some of those where they find them (structlog Twisted, botocore pyOpenSSL, requests chardet),
which takes memory that no installation takes."""

import re
from importlib.metadata import packages_distributions
from pathlib import Path

LOCKED = Path(__file__).parents[2] / "requirements" / "all.txt"
_NAME = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def _normal(name: str) -> str:
    """As PEP 503 compares names of distributions."""
    return re.sub(r"[-_.]+", "-", name).lower()


def only_for_tests() -> list[str]:
    """Top-level packages of this environment that the image with everything does without."""
    installed = {_normal(name) for name in _NAME.findall(LOCKED.read_text())} | {"store-plugin"}
    return sorted(
        package
        for package, distributions in packages_distributions().items()
        if package.isidentifier() and installed.isdisjoint(map(_normal, distributions))
    )


def environ_as_installed(directory: Path) -> dict[str, str]:
    """Variables with which Python finds none of those; what does it is written into `directory`."""
    hidden = directory / "as-installed"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        f"import sys\n\nfor name in {only_for_tests()!r}:\n    sys.modules[name] = None\n"
    )
    return {"PYTHONPATH": str(hidden)}
