"""Small Python projects, and wheels made by hand."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
dependencies = {dependencies}

[project.entry-points."store_plugin.plugins"]
{plugin} = "{module}:main"
"""
DESCRIBING = """\
import json
import sys


def main():
    if "--describe" in sys.argv:
        print(json.dumps({{"name": "{name}", "version": "{version}", "kinds": []}}))
        return 0
    print("running", flush=True)
"""


def project(
    directory: Path,
    name: str = "shelves",
    version: str = "1.0",
    *,
    plugin: str | None = None,
    dependencies: tuple[str, ...] = (),
    program: str = DESCRIBING,
) -> Path:
    """A project whose plugin answers `--describe`; it is called as the project is, or `plugin`."""
    plugin = plugin or name
    module = name.replace("-", "_")
    (directory / module).mkdir(parents=True)
    needed = list(dependencies)
    (directory / "pyproject.toml").write_text(
        PROJECT.format(name=name, version=version, plugin=plugin, module=module, dependencies=needed)
    )
    (directory / module / "__init__.py").write_text(program.format(name=plugin, version=version))
    return directory


def wheel(
    directory: Path, name: str, version: str, files: Mapping[str, str], *, requires: tuple[str, ...] = ()
) -> Path:
    """A wheel with these files."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def offering(site: Path, package: str, version: str, plugin: str) -> Path:
    """A directory of packages that has one, which offers a plugin that nobody can import."""
    info = site / f"{package}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[store_plugin.plugins]\n{plugin} = nowhere:main\n")
    return site
