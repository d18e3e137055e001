"""A project to begin a plugin with: files from templates, with names put in."""

import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from store_plugin import __version__
from store_plugin.errors import AlreadyRegistered, InvalidRequest, StoreUnavailable
from store_plugin.stream.frames import is_plugin_name

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "Makefile": "Makefile",
    "gitignore": ".gitignore",
    "store.yaml": "store.yaml",
    "store.py": "{module}/__init__.py",
    "test_store.py": "tests/test_store.py",
}
_TAKEN = {"tests", "store_plugin", "stores"}
_GROUP = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z]+\Z")


@dataclass(frozen=True, slots=True)
class Names:
    """What the templates are filled with."""

    name: str
    group: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def kind(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("-")) + "Config"

    def fill(self, text: str) -> str:
        words = {"name": self.name, "module": self.module, "kind": self.kind, "group": self.group}
        words["store_plugin"] = __version__
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        return text


def write_project(directory: Path, names: Names) -> list[Path]:
    """Write it into a new directory; returns the files. InvalidRequest, AlreadyRegistered where
    something is there, StoreUnavailable. Blocking."""
    _check(names)
    if directory.exists() and any(directory.iterdir()):
        raise AlreadyRegistered(f"{directory} is not empty: name another directory with --directory")
    written = []
    template = files("store_plugin.authoring") / "template"
    try:
        for source, target in _FILES.items():
            file = directory / target.format(module=names.module)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(names.fill((template / f"{source}.in").read_text()))
            written.append(file)
    except OSError as error:
        raise StoreUnavailable(f"{directory} cannot be written: {error.strerror}") from None
    return written


def _check(names: Names) -> None:
    if not is_plugin_name(names.name) or not names.module.isidentifier():
        raise InvalidRequest(
            f"{names.name!r} is no name for a plugin: a letter, then lower-case letters, digits and hyphens"
        )
    if names.module in _TAKEN | sys.stdlib_module_names:
        raise InvalidRequest(
            f"a plugin named {names.name} would hide a module of that name: take another one"
        )
    if not _GROUP.match(names.group):
        raise InvalidRequest(f"{names.group!r} is no API group: write a domain, such as backends.example.org")
