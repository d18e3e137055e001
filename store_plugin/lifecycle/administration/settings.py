"""What one plugins directory asks of every plugin, whoever uses it: kept in the directory itself."""

from pydantic import ValidationError

from store_plugin.errors import Tampered
from store_plugin.lifecycle.files import replace_file
from store_plugin.lifecycle.layout import Layout
from store_plugin.spec import Manifest


class DirectorySettings(Manifest):
    """The file `settings.json`."""

    require_signature: bool = False
    """Only what a trusted key has signed is installed and registered."""


def read_settings(layout: Layout) -> DirectorySettings:
    """The settings, or their defaults. Tampered where they cannot be read: nothing is assumed then."""
    try:
        return DirectorySettings.model_validate_json(layout.settings.read_bytes())
    except FileNotFoundError:
        return DirectorySettings()
    except (OSError, ValidationError):
        raise Tampered(f"{layout.settings} cannot be read: restore it, or write {{}} into it") from None


def write_settings(layout: Layout, settings: DirectorySettings) -> None:
    """Replace them as a whole. StoreUnavailable. Blocking."""
    replace_file(layout.settings, settings.model_dump_json(by_alias=True).encode() + b"\n")
