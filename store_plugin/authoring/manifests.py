"""The store config that a plugin is tried with, as it would be in a config directory."""

from pathlib import Path

import yaml

from store_plugin.authoring.trial import StoreManifest
from store_plugin.errors import InvalidRequest
from store_plugin.given_files import read_given

_MOST_BYTES = 256 * 1024


def read_manifest(file: Path) -> StoreManifest:
    """The one manifest in a file. InvalidRequest."""
    text = read_given(file, _MOST_BYTES)
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError):
        raise InvalidRequest(f"{file} is not one YAML document") from None
    return manifest_from(document, str(file))


def manifest_from(document: object, where: str) -> StoreManifest:
    """InvalidRequest says what is missing."""
    if isinstance(document, dict):
        version, kind, spec = (document.get(name) for name in ("apiVersion", "kind", "spec"))
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if isinstance(version, str) and isinstance(kind, str) and isinstance(spec, dict):
            return StoreManifest(version, kind, name if isinstance(name, str) else "trial", spec)
    raise InvalidRequest(f"{where} is no store config: it needs apiVersion, kind, metadata.name and spec")
