"""Where everything is below a plugins directory, and who may touch it.

Only the owner may: whoever can write here decides what is run. So a directory that others can
write is refused, and so is one that is a symbolic link.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from store_plugin.errors import ConfigInvalid

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one plugins directory."""

    root: Path

    @property
    def content(self) -> Path:
        """Executables by digest."""
        return self.root / "content"

    @property
    def catalog(self) -> Path:
        """What is registered, and how it runs."""
        return self.root / "catalog.db"

    @property
    def authority(self) -> Path:
        """The CA of the plugins' certificates."""
        return self.root / "ca"

    @property
    def audit(self) -> Path:
        """The record of all events."""
        return self.root / "audit"

    @property
    def trusted_keys(self) -> Path:
        """Public keys that signatures are checked with."""
        return self.root / "trusted-keys"

    @property
    def installed(self) -> Path:
        """Where each executable came from, and its signature."""
        return self.root / "installed"

    @property
    def settings(self) -> Path:
        """What is asked of every plugin in this directory."""
        return self.root / "settings.json"

    @property
    def control_socket(self) -> Path:
        """Where the sidecar that runs on it answers commands, unless it was told another place."""
        return self.root / "control.sock"

    def prepare(self) -> None:
        """Make what is missing, owner-only. ConfigInvalid where others could change it, or it
        cannot be made. Blocking."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owned(self.root)
            for directory in (self.content, self.authority, self.audit, self.trusted_keys, self.installed):
                directory.mkdir(mode=0o700, exist_ok=True)
                _check_owned(directory)
            for file in (self.catalog, self.settings):
                if os.path.lexists(file):
                    _check_owned(file, stat.S_ISREG, "file")
        except OSError as error:
            raise ConfigInvalid(
                f"the plugins directory {self.root} cannot be used: {error.strerror}"
            ) from None


def _check_owned(path: Path, is_kind: Callable[[int], bool] = stat.S_ISDIR, kind: str = "directory") -> None:
    found = os.lstat(path)
    if not is_kind(found.st_mode):
        raise ConfigInvalid(f"{path} is not a {kind}; symbolic links are not followed here")
    if found.st_uid != os.geteuid():
        raise ConfigInvalid(f"{path} belongs to another user: give it to the one that runs store-plugin")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise ConfigInvalid(f"{path} can be written by others: chmod go-w {path}")
