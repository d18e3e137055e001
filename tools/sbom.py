"""Say what is in the wheel and in the image, as CycloneDX.

Run by `make sbom`. Each is installed into an environment of its own, from the wheels that the
image is built of, and cyclonedx-py writes down what is there: names, versions, licences, and who
needs whom. Nothing in it depends on when or where it was made. What the image's base brings is
not in it: the base's own publisher says that.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.hashes import REQUIREMENTS, ROOT, VARIANTS
from tools.image import WHEELS, gather

SBOMS = ROOT / "build" / "sbom"
WHEEL = "wheel"
VARIANTS_OF = {WHEEL: "vault", **{variant: variant for variant in VARIANTS}}
"""What has to be gathered for each: the wheel alone needs little, which any variant has."""


def document(what: str) -> Path:
    """Where the document of the wheel, or of a variant of the image, is written."""
    return SBOMS / (f"{what}.cdx.json" if what == WHEEL else f"image-{what}.cdx.json")


def describe(what: str, directory: Path) -> Path:
    """Write it; `directory` is for the environment."""
    wheel = gather(VARIANTS_OF[what], platform.machine())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    python = directory / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        f"--python={python}",
        "install",
        "--quiet",
        "--no-index",
        "--no-compile",
    ]
    pip += ["--disable-pip-version-check", "--find-links", str(WHEELS)]
    if what == WHEEL:
        subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    else:
        locked = ["--no-deps", "--require-hashes", "--requirement", str(REQUIREMENTS / f"{what}.txt")]
        subprocess.run([*pip, *locked], check=True)
        subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    SBOMS.mkdir(parents=True, exist_ok=True)
    make = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--validate"]
    make += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(document(what)), str(python)]
    subprocess.run(make, check=True)
    return document(what)


def main() -> None:
    """Write what was asked for; all of it where nothing was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(VARIANTS_OF)}; none: all")
    wanted = parser.parse_args().what or list(VARIANTS_OF)
    if unknown := sorted(set(wanted) - set(VARIANTS_OF)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(VARIANTS_OF)}")
    for what in wanted:
        with tempfile.TemporaryDirectory() as directory:
            print(f"sbom: {describe(what, Path(directory)).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
