"""`python -m tools.slim BASE`: BASE becomes the folder of what the image adds to its base."""

import sys
import sysconfig
from pathlib import Path

from tools.slim.compiling import compile_all, used_modules
from tools.slim.native import strip_all
from tools.slim.unused import remove_unused


def main() -> None:
    """Slim the environment of this interpreter."""
    packages, additions = Path(sysconfig.get_path("platlib")), Path(sys.argv[1])
    additions.mkdir(parents=True, exist_ok=True)
    remove_unused(packages)
    strip_all(packages)
    compile_all(used_modules(packages), packages, additions)


if __name__ == "__main__":
    main()
