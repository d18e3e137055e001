"""The catalog as YAML, to be kept in git and brought to another plugins directory.

Executables are not in it, only their digests: an import says which have to be installed first.
"""

from typing import Literal

import yaml
from pydantic import Field, ValidationError

from store_plugin.errors import InvalidRequest, PluginNotFound
from store_plugin.lifecycle.administration.registering import Registrar, first_problem
from store_plugin.lifecycle.registration import PluginName, Registration, Version
from store_plugin.spec import Manifest

MAX_EXPORT_BYTES = 8 * 1024 * 1024
_NAMED = 10


class Export(Manifest):
    """The document."""

    format_version: Literal[1] = 1
    plugins: tuple[Registration, ...] = Field(default=(), max_length=10_000)
    enabled: dict[PluginName, Version] = Field(default_factory=dict)


def exported(registrar: Registrar) -> str:
    """The catalog as it is now: the same catalog is the same text."""
    enabled = {name: one.registration.version for name, one in sorted(registrar.catalog.enabled().items())}
    export = Export(plugins=tuple(registrar.catalog.versions()), enabled=enabled)
    document = export.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def imported(registrar: Registrar, text: str) -> Export:
    """Have the catalog be what the document says. InvalidRequest; PluginNotFound names the
    executables that have to be installed first; PluginUntrusted."""
    export = _read(text)
    with registrar.turn():
        _check_installed(registrar, export)
        registrations = [_with_signer(registrar, one) for one in export.plugins]
        registrar.replace_all(registrations, export.enabled)
    return export


def _read(text: str) -> Export:
    if len(text) > MAX_EXPORT_BYTES:
        raise InvalidRequest(f"an export has at most {MAX_EXPORT_BYTES} bytes")
    try:
        export = Export.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError):
        raise InvalidRequest("the export is not YAML") from None
    except ValidationError as error:
        raise InvalidRequest(f"the export is wrong: {first_problem(error)}") from None
    if len({(one.name, one.version) for one in export.plugins}) < len(export.plugins):
        raise InvalidRequest("the export is wrong: it has a version of a plugin twice")
    return export


def _check_installed(registrar: Registrar, export: Export) -> None:
    missing = [one for one in export.plugins if not registrar.content.has(one.digest)]
    if missing:
        names = "; ".join(f"{one.name} {one.version} (sha256 {one.digest})" for one in missing[:_NAMED])
        more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise PluginNotFound(
            f"not installed here: {names}{more}. Install each first: store-plugin plugin install"
        )


def _with_signer(registrar: Registrar, registration: Registration) -> Registration:
    """Who vouches for it is decided here, not by what the document says."""
    return registration.model_copy(update={"signer": registrar.signer_of(registration.digest)})
