"""Where the tools are that `make tools` built, and what happens to a test without them."""

import os
from pathlib import Path

import pytest

from tools.build import TOOLS


def tool(name: str) -> Path:
    """The executable. Skips the test where it was not built; in CI that is an error."""
    wanted = TOOLS[name]
    if wanted.path().exists():
        return wanted.path()
    missing = f"{name} {wanted.version} is not built: run 'make tools', which says what it needs"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
