"""What is taken out of the image's environment, tried on a copy of a few packages."""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tools.slim.compiling import compile_all
from tools.slim.native import stripped
from tools.slim.unused import AWS_SERVICES, remove_unused

INSTALLED = Path(sysconfig.get_path("platlib"))
ROOT = Path(__file__).resolve().parents[2]


def native(package: str) -> Path:
    return next((INSTALLED / package).rglob("*.so"))


@pytest.mark.parametrize("package", ["uvloop", "pydantic_core", "cryptography"])
def test_a_stripped_module_works_as_before(tmp_path: Path, package: str) -> None:
    shutil.copytree(INSTALLED / package, tmp_path / package)
    copied = tmp_path / native(package).relative_to(INSTALLED)
    before = copied.read_bytes()
    copied.write_bytes(stripped(before))
    assert copied.stat().st_size < len(before)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {package}; print({package}.__file__)"
    )
    program += "; from cryptography.hazmat.bindings import _rust" if package == "cryptography" else ""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr


def test_stripping_twice_is_stripping_once() -> None:
    once = stripped(native("uvloop").read_bytes())
    assert stripped(once) == once


def test_what_is_no_native_module_stays_as_it_is() -> None:
    assert stripped(b"GROUP ( libc.so.6 )") == b"GROUP ( libc.so.6 )"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubernetes' client and botocore, with our own code beside them."""
    tmp_path = tmp_path_factory.mktemp("packages")
    shutil.copytree(INSTALLED / "kubernetes", tmp_path / "kubernetes")
    for service in (*AWS_SERVICES, "ec2", "s3"):
        (tmp_path / "botocore" / "data" / service).mkdir(parents=True)
    (tmp_path / "botocore" / "data" / "endpoints.json").touch()
    for ours in ("store_plugin", "stores"):
        shutil.copytree(ROOT / ours, tmp_path / ours)
    remove_unused(tmp_path)
    return tmp_path


def test_only_services_that_are_called_stay(packages: Path) -> None:
    kept = {path.name for path in (packages / "botocore" / "data").iterdir()}
    assert kept == {*AWS_SERVICES, "endpoints.json"}


def test_of_kubernetes_stays_what_our_code_imports(packages: Path) -> None:
    program = f"""
import sys; sys.path.insert(0, {str(packages)!r})
from kubernetes.aio.client import AuthenticationV1Api, CustomObjectsApi, V1TokenReview
from kubernetes.aio.config import load_incluster_config
print(V1TokenReview.from_dict({{"spec": {{"token": "x"}}}}).spec.token)
from kubernetes.aio.client import AppsV1Api
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "x\n"
    assert "No module named 'kubernetes.aio.client.api.apps_v1_api'" in done.stderr


def test_ours_keep_their_source_and_libraries_become_compiled(tmp_path: Path) -> None:
    packages, base, additions = (tmp_path / name for name in ("packages", "base", "additions"))
    sources = [packages / "stores/a.py", packages / "library/b.py", base / "c.py", base / "d.py"]
    for source in sources:
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("x = 1\n")
    there = Path(importlib.util.cache_from_source(str(sources[3])))
    there.parent.mkdir()
    there.touch()
    compile_all(sources, packages, additions)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.py*") if path.is_file()}
    tag = sys.implementation.cache_tag
    assert made == {
        Path("packages/stores/a.py"),
        Path(f"packages/stores/__pycache__/a.{tag}.pyc"),
        Path("packages/library/b.pyc"),
        Path("base/c.py"),
        Path("base/d.py"),
        Path(f"base/__pycache__/d.{tag}.pyc"),
        (additions / base.relative_to("/") / f"__pycache__/c.{tag}.pyc").relative_to(tmp_path),
    }
