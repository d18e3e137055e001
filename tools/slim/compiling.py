"""Compiled code for each module: an image cannot write it later.

Our own keep their sources beside it, for tracebacks that show lines; of a library the compiled
code takes the source's place, and a traceback shows file and number. The official Python image
has no compiled standard library, Debian has: what is missing there, of what our modules import
wherever in them the import stands, is put into a folder of its own.
"""

import ast
import importlib
import importlib.util
import py_compile
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

OURS = ("store_plugin", "stores")
_NOT_RUN = ("__main__", "store_plugin.testing", "store_plugin.authoring.template")


def used_modules(packages: Path) -> list[Path]:
    """The source files of all that is installed, and of what our modules import of the base.
    Exits where something that is installed cannot be imported any more: too much was taken out."""
    ours = [path for package in OURS for path in (packages / package).rglob("*.py")]
    for name in sorted({name for path in ours for name in _named(path)}):
        if not name.endswith(_NOT_RUN) and not name.startswith(_NOT_RUN):
            _import(name)
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    used = {Path(file) for file in files if file and file.endswith(".py")}
    return sorted(used.union(packages.rglob("*.py")))


def compile_all(sources: Iterable[Path], packages: Path, additions: Path) -> None:
    """Compile into `packages`, and what the base lacks below `additions`, as if that were `/`."""
    for source in sources:
        beside = Path(importlib.util.cache_from_source(str(source)))
        if not source.is_relative_to(packages):
            if not beside.exists():
                _compile(source, additions / beside.relative_to("/"))
        elif source.relative_to(packages).parts[0] in OURS:
            _compile(source, beside)
        else:
            _compile(source, source.with_suffix(".pyc"))
            source.unlink()


def _compile(source: Path, target: Path) -> None:
    # Unchecked: files of an image never change, and what is made says nothing of when.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), cfile=str(target), doraise=True, invalidation_mode=mode)


def _named(path: Path) -> Iterator[str]:
    """Every module that a file imports, and what may be one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _import(name: str) -> None:
    """Import a module, or the module that has this attribute. What a variant does not have is
    passed over."""
    module, _, attribute = name.rpartition(".")
    try:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if not module or missing.name != name:
                raise
            getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        lacking = (getattr(error, "name", None) or name).partition(".")[0]
        if importlib.util.find_spec(lacking) is not None:
            sys.exit(f"slim: {name} cannot be imported any more: {error}")
