"""What the documents show works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from store_plugin.config.reading import read_directory
from store_plugin.store import served_kinds
from tests.docs.pages import DOCS, ROOT, blocks, pages
from tests.support.manifests import GROUP_VERSION

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


def test_the_example_of_a_store_passes_its_tests(tmp_path: Path) -> None:
    files = [block for block in blocks(DOCS / "stores-authoring.md", "python") if block.startswith("# ")]
    names = [re.match(r"# (\S+\.py)\n", block) for block in files]
    for name, block in zip(names, files, strict=True):
        assert name
        (tmp_path / name[1]).write_text(block)
    assert {path.name for path in tmp_path.iterdir()} == {"folder_store.py", "test_folder_store.py"}
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed
    assert int(passed[1]) > 30
    assert "skipped" not in ended.stdout
