"""What the image installs is what pyproject.toml asks for, in the versions that are tested."""

import re
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.hashes import MACHINES, REQUIREMENTS, VARIANTS

ROOT = Path(__file__).resolve().parents[2]
_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(path: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in _PIN.findall(path.read_text())}


def needed(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """Names of all that a requirement brings along, as what is installed here says."""
    key = f"{canonicalize_name(requirement.name)}[{','.join(sorted(requirement.extras))}]"
    if key in seen:
        return
    seen.add(key)
    yield canonicalize_name(requirement.name)
    for line in requires(requirement.name) or []:
        one = Requirement(line)
        if one.marker is None or any(
            one.marker.evaluate({"extra": extra}) for extra in requirement.extras | {""}
        ):
            yield from needed(one, seen)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_what_its_extras_bring(variant: str) -> None:
    wanted = set(needed(Requirement(f"store-plugin[{VARIANTS[variant]}]"), set())) - {"store-plugin"}
    assert pins(REQUIREMENTS / f"{variant}.txt").keys() == wanted, "make lock renews requirements/"


@pytest.mark.parametrize("variant", VARIANTS)
def test_versions_are_those_that_are_tested(variant: str) -> None:
    tested = pins(ROOT / "constraints.txt")
    assert pins(REQUIREMENTS / f"{variant}.txt").items() <= tested.items(), "make lock renews requirements/"


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_has_a_digest_and_none_an_address(variant: str) -> None:
    text = (REQUIREMENTS / f"{variant}.txt").read_text()
    for entry in re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]:
        assert 1 <= len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)) <= len(MACHINES), entry
    assert "//" not in text
