"""What a plugin finds where it runs: store-plugin and all that came with it.

These hold native code, which cannot be loaded out of a zipapp, so a built plugin leaves them out.
pip is shown a stand-in for each, of the version that is here: so it resolves what a plugin needs
against what it will find, and says where that does not fit.
"""

import re
import zipfile
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_OURS = "store-plugin"
_MARK = "+provided"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_AN_EXTRA = re.compile(r";.*\bextra\s*==")


@dataclass(frozen=True, slots=True)
class StandIns:
    """A directory of stand-ins, and the file that keeps pip to them."""

    wheels: Path
    constraints: Path


def provided() -> dict[str, str]:
    """Version by name, of store-plugin and of what it brings into this environment."""
    found: dict[str, str] = {}
    waiting = [_OURS]
    while waiting:
        name = waiting.pop()
        if name not in found and (dist := _installed(name)) is not None:
            found[name] = dist.version.partition("+")[0]
            waiting += _needed(dist, every_extra=name == _OURS)
    return found


def write_stand_ins(directory: Path) -> StandIns:
    """Empty wheels under the names of what is provided. Blocking."""
    wheels = directory / "provided"
    wheels.mkdir()
    pins = []
    for name, version in provided().items():
        _write_empty_wheel(wheels, name, version + _MARK)
        pins.append(f"{name}=={version}{_MARK}\n")
    constraints = directory / "constraints.txt"
    constraints.write_text("".join(pins))
    return StandIns(wheels, constraints)


def is_stand_in(version: str) -> bool:
    """Whether a distribution of this version is one of ours."""
    return version.endswith(_MARK)


def normal(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _needed(dist: Distribution, *, every_extra: bool) -> list[str]:
    requirements = [text for text in dist.requires or () if every_extra or not _OF_AN_EXTRA.search(text)]
    return [normal(match[0]) for match in map(_NAME.match, requirements) if match]


def _write_empty_wheel(directory: Path, name: str, version: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: store-plugin\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", wheel)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
