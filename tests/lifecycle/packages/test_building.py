"""A project becomes one file that runs alone, the same file each time, or a reason why not."""

import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.environment import minimal_environment
from store_plugin.lifecycle.packages.building import build
from store_plugin.lifecycle.packages.pip import Sources
from store_plugin.lifecycle.packages.provided import provided
from store_plugin.trust import digest_of
from tests.support.plugin_project import project, wheel


def run(file: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [file, *arguments], env=minimal_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout


def test_a_project_becomes_one_file_that_runs(tmp_path: Path) -> None:
    built = build(project(tmp_path / "shelves"), tmp_path / "shelves.pyz")
    assert (built.name, built.version, built.bundled) == ("shelves", "1.0", ())
    assert built.digest == digest_of(built.file)
    assert run(built.file) == "running\n"
    assert '"name": "shelves"' in run(built.file, "--describe")


def test_the_same_project_is_the_same_file(tmp_path: Path) -> None:
    first = build(project(tmp_path / "one" / "shelves"), tmp_path / "1.pyz")
    second_project = project(tmp_path / "two" / "shelves")
    os.utime(second_project / "shelves" / "__init__.py", (1, 1_000_000_000))
    assert build(second_project, tmp_path / "2.pyz").digest == first.digest


def test_dependencies_come_inside_and_what_is_provided_stays_out(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "tools", "2.0", {"tools.py": "said = 'from tools'"}, requires=("deeper", "pydantic>=2"))
    wheel(wheels, "deeper", "3.0", {"deeper.py": ""})
    program = "import deeper, pydantic, tools\n\ndef main():\n    print(tools.said)\n"
    source = project(
        tmp_path / "shelves", dependencies=("tools>=1", "store-plugin", "grpcio"), program=program
    )
    built = build(source, tmp_path / "shelves.pyz", Sources(wheels))
    assert built.bundled == ("deeper 3.0", "tools 2.0")
    assert run(built.file) == "from tools\n"
    with ZipFile(built.file) as archive:
        assert not [
            name for name in archive.namelist() if name.startswith(("grpc", "pydantic", "store_plugin"))
        ]


def test_a_wheel_is_built_as_well(tmp_path: Path) -> None:
    made = wheel(
        tmp_path,
        "shelves",
        "1.0",
        {
            "shelves.py": "def main():\n    print('from a wheel')\n",
            "shelves-1.0.dist-info/entry_points.txt": "[console_scripts]\nshelves = shelves:main\n",
        },
    )
    assert run(build(made, tmp_path / "shelves.pyz").file) == "from a wheel\n"


def test_a_dependency_that_is_not_there_is_told_and_nothing_is_fetched(tmp_path: Path) -> None:
    source = project(tmp_path / "shelves", dependencies=("surely-not-there",))
    with pytest.raises(InvalidRequest, match="--wheels DIR") as refused:
        build(source, tmp_path / "shelves.pyz")
    assert "surely-not-there" in refused.value.message
    assert not (tmp_path / "shelves.pyz").exists()


def test_a_version_that_will_not_be_there_is_told(tmp_path: Path) -> None:
    source = project(tmp_path / "shelves", dependencies=("pydantic<2",))
    with pytest.raises(InvalidRequest, match="pydantic<2"):
        build(source, tmp_path / "shelves.pyz")


def test_native_code_is_refused_with_what_to_do(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "fast", "1.0", {"fast/core.cpython-311-x86_64-linux-gnu.so": "ELF"})
    source = project(tmp_path / "shelves", dependencies=("fast",))
    with pytest.raises(InvalidRequest, match=r"fast/core.*pure-Python release.*native executable"):
        build(source, tmp_path / "shelves.pyz", Sources(tmp_path / "wheels"))


NO_PROGRAM = {
    "none": ("", "does not say what is run"),
    "two": ("[console_scripts]\na = shelves:main\nb = shelves:main\n", "2 entry points"),
}


@pytest.mark.parametrize(("entry_points", "told"), NO_PROGRAM.values(), ids=NO_PROGRAM.keys())
def test_what_does_not_say_what_is_run_is_refused(tmp_path: Path, entry_points: str, told: str) -> None:
    files = {"shelves.py": "", "shelves-1.0.dist-info/entry_points.txt": entry_points}
    with pytest.raises(InvalidRequest, match=told):
        build(wheel(tmp_path, "shelves", "1.0", files), tmp_path / "shelves.pyz")


def test_a_wheel_that_climbs_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    made = wheel(tmp_path, "shelves", "1.0", {"../../evil.py": "x"})
    with pytest.raises(InvalidRequest, match="leaves its directory"):
        build(made, tmp_path / "shelves.pyz")


@pytest.mark.parametrize("source", ["nowhere", "nowhere.whl", "empty"])
def test_what_cannot_be_built_is_told(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match=r"pyproject\.toml|neither"):
        build(tmp_path / source, tmp_path / "shelves.pyz")


def test_what_is_provided_is_store_plugin_and_what_came_with_it() -> None:
    found = provided()
    assert {"store-plugin", "grpcio", "protobuf", "pydantic", "pydantic-core", "cryptography"} <= found.keys()
    assert "moto" not in found
