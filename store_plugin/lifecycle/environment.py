"""What every plugin's process sees, and all it sees unless its registration allows more."""

import sys
from pathlib import Path


def minimal_environment() -> dict[str, str]:
    """All that a plugin's process sees besides what is allowed to it: where to find the interpreter
    of store-plugin, and that text is UTF-8."""
    ours = str(Path(sys.executable).parent)
    return {"PATH": f"{ours}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
