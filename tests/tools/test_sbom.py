"""The bill of materials is what is installed, and is the same whenever it is made."""

import json
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.tools.test_hashes import pins
from tools import sbom
from tools.hashes import REQUIREMENTS

# pip installs whole images.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "SBOMS", tmp_path / "sbom")


def test_an_image_is_its_locked_packages(tmp_path: Path) -> None:
    written = json.loads(sbom.describe("vault", tmp_path / "environment").read_text())
    assert written["bomFormat"] == "CycloneDX"
    assert written["metadata"]["component"]["name"] == "store-plugin"
    found = {canonicalize_name(one["name"]): one["version"] for one in written["components"]}
    found.pop("store-plugin", None)
    assert found == pins(REQUIREMENTS / "vault.txt")


def test_the_wheel_is_what_a_client_installs(tmp_path: Path) -> None:
    first = sbom.describe("wheel", tmp_path / "environment").read_text()
    written = json.loads(first)
    found = {canonicalize_name(one["name"]) for one in written["components"]} - {"store-plugin"}
    assert found == {
        "googleapis-common-protos",
        "grpcio",
        "grpcio-status",
        "protobuf",
        "typing-extensions",
    }
    assert str(tmp_path) not in first
    assert sbom.describe("wheel", tmp_path / "another").read_text() == first
