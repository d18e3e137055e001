"""From a Python project to one executable file: a zipapp with its dependencies inside.

The interpreter, its standard library and store-plugin with what that brings are those of the
image that runs it; everything else is in the file, so its digest speaks for all of it.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.files import replace_file
from store_plugin.lifecycle.packages import pip
from store_plugin.lifecycle.packages.archives import check_archive, zipapp
from store_plugin.lifecycle.packages.pip import Sources
from store_plugin.lifecycle.packages.provided import is_stand_in, normal, write_stand_ins
from store_plugin.lifecycle.scratch import scratch
from store_plugin.stream.frames import is_plugin_name
from store_plugin.trust import digest_of

INTERPRETER = "/usr/bin/env python3"
"""Found on the PATH that plugins are started with: the interpreter of store-plugin is first there."""
ENTRY_POINTS = "store_plugin.plugins"
"""Group of the entry points that installed packages offer plugins by."""
_NATIVE = (".so", ".pyd", ".dylib")
_UNREPRODUCIBLE = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


@dataclass(frozen=True, slots=True)
class Built:
    """A plugin in one file."""

    file: Path
    name: str
    version: str
    digest: str
    bundled: tuple[str, ...]
    """Distributions in it besides its own."""
    plugin: str | None
    """Name of the plugin, as its entry point says; None: only the plugin itself can tell."""


def build(
    source: Path, target: Path | None, sources: Sources | None = None, *, interpreter: str = INTERPRETER
) -> Built:
    """Build a project directory (with pyproject.toml) or a wheel; `target` left out: NAME-VERSION.pyz
    in the current directory. Blocking; InvalidRequest says what to change, StoreUnavailable where nothing
    can be written."""
    sources = sources or Sources()
    with scratch("build") as directory:
        wheel = _wheel(source, directory, sources)
        check_archive(wheel)
        app = directory / "app"
        pip.install(wheel, app, write_stand_ins(directory), sources)
        own, others = _contents(app, normal(wheel.name.partition("-")[0]))
        _check_pure(app)
        (app / "__main__.py").write_text(_main(own))
        file = target or Path(f"{own.name}-{own.version}.pyz")
        replace_file(file, zipapp(app, interpreter), 0o755)
        bundled = tuple(sorted(f"{one.name} {one.version}" for one in others))
        return Built(file, own.name, own.version, digest_of(file), bundled, _plugin_name(own))


def is_buildable(source: Path) -> bool:
    """Whether it is built before it can be installed."""
    return source.is_dir() or source.suffix == ".whl"


def _wheel(source: Path, directory: Path, sources: Sources) -> Path:
    if source.is_dir():
        if not (source / "pyproject.toml").is_file():
            raise InvalidRequest(f"{source} has no pyproject.toml: name a project, a wheel or an executable")
        return pip.wheel_of(source, directory, sources)
    if source.suffix != ".whl" or not source.is_file():
        raise InvalidRequest(f"{source} is neither a project directory nor a wheel")
    return source


def _contents(app: Path, name: str) -> tuple[Distribution, list[Distribution]]:
    """The plugin's distribution and the bundled ones; what the zipapp shall not hold is gone then."""
    shutil.rmtree(app / "bin", ignore_errors=True)
    for cache in list(app.rglob("__pycache__")):
        shutil.rmtree(cache)
    found = []
    for directory, dist in _distributions(app):
        if is_stand_in(dist.version):
            shutil.rmtree(directory)
            continue
        for file in _UNREPRODUCIBLE:
            (directory / file).unlink(missing_ok=True)
        found.append(dist)
    own = next(dist for dist in found if normal(dist.name) == name)
    return own, [dist for dist in found if dist is not own]


def _distributions(app: Path) -> Iterator[tuple[Path, Distribution]]:
    for directory in sorted(app.glob("*.dist-info")):
        yield directory, next(iter(distributions(path=[str(app)], name=directory.name.partition("-")[0])))


def _check_pure(app: Path) -> None:
    native = sorted(path.relative_to(app).as_posix() for path in app.rglob("*") if path.suffix in _NATIVE)
    if native:
        raise InvalidRequest(
            f"native code cannot be loaded out of a zipapp: {', '.join(native[:5])}. Take a "
            "pure-Python release of it, put it into the image beside store-plugin, or make the plugin one "
            "native executable"
        )


def _main(dist: Distribution) -> str:
    """The program that starts the plugin."""
    entry = _entry_point(dist)
    return f"import sys\n\nimport {entry.module} as plugin\n\nsys.exit(plugin.{entry.attr}())\n"


def _plugin_name(dist: Distribution) -> str | None:
    entry = _entry_point(dist)
    name = entry.name if entry.group == ENTRY_POINTS else dist.name
    return name if is_plugin_name(name) else None


def _entry_point(dist: Distribution) -> EntryPoint:
    for group in (ENTRY_POINTS, "console_scripts"):
        found = [entry for entry in dist.entry_points if entry.group == group]
        if len(found) == 1 and found[0].attr:
            return found[0]
        if found:
            raise InvalidRequest(
                f"{dist.name} has {len(found)} entry points in {group}: one says what is run"
            )
    raise InvalidRequest(
        f'{dist.name} does not say what is run: add [project.entry-points."{ENTRY_POINTS}"] with '
        'NAME = "module:main" to its pyproject.toml'
    )
