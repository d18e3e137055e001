"""What a person names to be brought into the plugins directory: a file, a project that is built first,
or a release of a repository."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store_plugin.cli.plugin._shared import build_options, note, signature_option, sources
from store_plugin.errors import InvalidRequest

if TYPE_CHECKING:
    from store_plugin.lifecycle.administration.installing import Incoming
    from store_plugin.lifecycle.packages.pip import Sources


@dataclass(frozen=True, slots=True)
class Named:
    """What was said of it."""

    repository: str | None
    signature: Path | None
    key: Path | None
    wheels: Path | None
    from_index: bool

    @contextmanager
    def incoming(self, what: str) -> Iterator["Incoming"]:
        """Fetched or built, for as long as the block lasts. InvalidRequest, PluginUntrusted,
        StoreUnavailable."""
        from store_plugin.lifecycle.packages.building import is_buildable
        from store_plugin.lifecycle.scratch import scratch

        if self.repository is not None:
            with scratch("install") as directory:
                yield _fetched(self.repository, what, self.key, directory)
        elif is_buildable(path := Path(what)):
            with scratch("install") as directory:
                given = sources(self.wheels, self.from_index)
                yield _built(path, self.signature, self.key, given, directory)
        else:
            _check_there(what)
            yield _local(path, self.signature, self.key)


def incoming_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as `named`, a Named."""

    def run(
        repository: str | None,
        signature: Path | None,
        key: Path | None,
        wheels: Path | None,
        from_index: bool,
        **others: Any,
    ) -> None:
        command(named=Named(repository, signature, key, wheels, from_index), **others)

    shown: Callable[..., None] = update_wrapper(run, command)
    for option in (build_options, _KEY, signature_option, _REPOSITORY):
        shown = option(shown)
    return shown


_REPOSITORY = click.option(
    "--repository", metavar="DIR|URL", help="Take NAME from there: a directory, or https://."
)
_KEY = click.option(
    "--key",
    metavar="PUB",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key that must have signed it; left out: any of the trusted ones.",
)


def _fetched(repository: str, what: str, key: Path | None, directory: Path) -> "Incoming":
    from store_plugin.lifecycle.administration.installing import Incoming
    from store_plugin.lifecycle.repository.fetching import fetch

    name, _, version = what.partition("==")
    fetched = fetch(repository, name, version or None, directory)
    release = fetched.release
    return Incoming(
        fetched.file,
        f"{fetched.where}#{release.file}",
        name=release.name,
        version=release.version,
        digest=release.digest,
        signature=release.signature,
        key=key,
    )


def _built(
    path: Path, signature: Path | None, key: Path | None, given: "Sources", directory: Path
) -> "Incoming":
    from store_plugin.lifecycle.administration.installing import Incoming
    from store_plugin.lifecycle.packages.building import build

    text = _signature_in(signature)
    note(f"building {path} with pip")
    built = build(path, directory / "plugin.pyz", given)
    return Incoming(built.file, str(path.absolute()), built.plugin, built.version, signature=text, key=key)


def _local(path: Path, signature: Path | None, key: Path | None) -> "Incoming":
    from store_plugin.lifecycle.administration.installing import Incoming

    return Incoming(path, str(path.absolute()), signature=_signature_in(signature), key=key)


def _check_there(what: str) -> None:
    """InvalidRequest for a name of which there is no file: files are not looked for elsewhere."""
    if "/" in what or Path(what).exists():
        return
    from store_plugin.lifecycle.administration.discovering import package_with

    if package := package_with(what.partition("==")[0]):
        raise InvalidRequest(
            f"there is no file {what}; the Python package {package} offers it: install its project or its "
            "wheel"
        )
    raise InvalidRequest(
        f"there is no file {what}: name an executable, a project or a wheel, or the --repository that has it"
    )


def _signature_in(file: Path | None) -> str | None:
    from store_plugin.lifecycle.administration.trust import read_signature

    return read_signature(file) if file else None
