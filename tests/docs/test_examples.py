"""What the documents show works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from store_plugin.config.reading import read_directory
from store_plugin.store import served_kinds
from tests.docs.pages import DOCS, ROOT, blocks, pages
from tests.docs.walks import take_walk
from tests.support.manifests import GROUP_VERSION
from tests.support.ports import free_port

MANIFESTS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in pages()
    for number, block in enumerate(blocks(page, "yaml"))
    if f"apiVersion: {GROUP_VERSION}" in block
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_is_valid(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(manifest)
    reading = read_directory(tmp_path, served_kinds())
    assert reading.problems == ()
    assert len(reading.configs) == manifest.count(f"apiVersion: {GROUP_VERSION}")
    assert all(config.spec is not None for config in reading.configs)


def test_there_are_manifests_for_every_kind_and_login() -> None:
    text = "\n".join(str(parameter.values[0]) for parameter in MANIFESTS)
    kinds = ("LocalConfig", "VaultConfig", "AWSConfig")
    for shown in (*kinds, "Token", "Kubernetes", "AppRole", "JWT", "Default", "Static", "WebIdentity"):
        assert re.search(rf"(kind|method): {shown}\b", text)


AUTHORING = DOCS / "stores-authoring.md"


def write_files(language: str, directory: Path) -> set[str]:
    """The blocks of that page which begin with the name of a file, and these names."""
    found = {
        name[1]: block
        for block in blocks(AUTHORING, language)
        if (name := re.match(r"# (\S+\.\w+)\n", block))
    }
    for name, block in found.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(block)
    return set(found)


@pytest.mark.timeout(240)
def test_the_example_of_a_store_is_installed_and_used_as_it_is_shown(tmp_path: Path) -> None:
    """Beside the packages of these tests, not among them."""
    assert write_files("python", tmp_path) == {"folder_store.py", "test_folder_store.py"}
    assert write_files("toml", tmp_path) == {"pyproject.toml"}
    assert write_files("yaml", tmp_path) == {"configs/trial.yaml"}
    site, place, here = tmp_path / "site", tmp_path / "trial", f"unix://{tmp_path}/ess.sock"
    config = tmp_path / "configs" / "trial.yaml"
    config.write_text(config.read_text().replace("/tmp/trial", str(place)))

    def as_here(text: str) -> str:
        beside = f"pip install --quiet --no-deps --no-build-isolation --no-index --target {site} ."
        return text.replace("pip install .", beside).replace("/tmp/trial", str(place))

    apart = {
        "PYTHONPATH": str(site),
        "STORE_PLUGIN_LISTEN": here,
        "STORE_PLUGIN_ENDPOINT": here,
        "STORE_PLUGIN_ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
        "STORE_PLUGIN_CONNECT_TIMEOUT": "60",
    }
    take_walk(AUTHORING, tmp_path, apart, as_here, seconds=200)
    assert len(list(place.iterdir())) == 1


def test_the_example_of_a_store_passes_its_tests(tmp_path: Path) -> None:
    write_files("python", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed
    assert int(passed[1]) > 30
    assert "skipped" not in ended.stdout
