"""Store configs of a config directory, for the shell."""

import os
from pathlib import Path

import click

from store_plugin.client import parse_config
from store_plugin.model import ConfigReference

VARIABLE = "STORE_PLUGIN_CONFIG_DIR"


def complete_config(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """References that begin so, as a person writes them; none where there is no directory."""
    directory = ctx.params.get("config_dir") or os.environ.get(VARIABLE, "")
    try:
        return [name for name in _declared(Path(directory)) if name.startswith(begun)] if directory else []
    except Exception:  # a shell that completes shows no errors
        return []


def _declared(directory: Path) -> list[str]:
    from store_plugin.config.reading import read_directory
    from store_plugin.store import served_kinds

    return sorted(_spelled(config.reference) for config in read_directory(directory, served_kinds()).configs)


def _spelled(reference: ConfigReference) -> str:
    short = str(reference)
    return short if parse_config(short) == reference else f"{reference.api_version}/{short}"
