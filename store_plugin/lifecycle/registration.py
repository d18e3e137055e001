"""How a registered plugin is run: one version, its arguments, what it may see and use.

The same model is what `plugin register --config` reads, what the catalog holds and what
`plugin export` writes.
"""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from store_plugin.spec import Manifest, Seconds
from store_plugin.stream.frames import is_plugin_name
from store_plugin.trust import is_digest

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_OURS = "STORE_PLUGIN_"
_LOADERS = frozenset(
    {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}\Z")


def _checked_name(name: str) -> str:
    if not is_plugin_name(name):
        raise ValueError("a plugin's name is a DNS label: at most 63 lower-case letters, digits and hyphens")
    return name


def _checked_version(version: str) -> str:
    if not _VERSION.match(version):
        raise ValueError("a version is letters, digits and .+_-, at most 64 of them, and no latest")
    return version


def _checked_digest(digest: str) -> str:
    if not is_digest(digest):
        raise ValueError("a digest is a SHA-256 in lower-case hexadecimal")
    return digest


def _checked_variable(name: str) -> str:
    if not _VARIABLE.match(name) or name.startswith(_OURS) or name in _LOADERS:
        raise ValueError("not the name of a variable that a plugin may be given")
    return name


def _checked_argument(argument: str) -> str:
    if "\0" in argument or len(argument) > 4096:
        raise ValueError("an argument has at most 4096 characters, and no NUL")
    return argument


PluginName = Annotated[str, AfterValidator(_checked_name)]
Version = Annotated[str, AfterValidator(_checked_version)]
Digest = Annotated[str, AfterValidator(_checked_digest)]
Variable = Annotated[str, AfterValidator(_checked_variable)]
Argument = Annotated[str, AfterValidator(_checked_argument)]


class Resources(Manifest):
    """What a plugin's processes may use; the keeper sets it before the plugin begins."""

    memory_bytes: int | None = Field(default=None, ge=16 * 1024 * 1024)
    """Address space of each process."""
    open_files: int = Field(default=1024, ge=16, le=1_048_576)
    processes: int | None = Field(default=None, ge=1)
    """Processes and threads of the user that runs it; left out: no limit."""
    core_bytes: int = Field(default=0, ge=0)


class RunOptions(Manifest):
    """How one version is run."""

    arguments: tuple[Argument, ...] = Field(default=(), max_length=64)
    environment: tuple[Variable, ...] = Field(default=(), max_length=64)
    """Names of the variables that it may see; it sees no other."""
    resources: Resources = Resources()
    start_timeout: Seconds = Field(default=30.0, gt=0, le=600)
    """From the start of the process until it is ready, in seconds."""
    stop_grace: Seconds = Field(default=10.0, ge=0, le=300)
    """From the request to end until it is killed, in seconds."""


class Registration(Manifest):
    """One version of a plugin in the catalog."""

    name: PluginName
    version: Version
    digest: Digest
    signer: str = ""
    """Name of the trusted key that vouches for it; empty: none was asked for."""
    role: Literal["backend"] = "backend"
    run: RunOptions = RunOptions()
    registered_at: datetime
