"""Names and versions of registered plugins, for the shell."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from store_plugin.lifecycle.registration import Registration

VARIABLE = "STORE_PLUGIN_PLUGINS_DIR"


def complete_name(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Those that begin so; none where there is no directory."""
    return sorted({one.name for one in _registered(ctx) if one.name.startswith(begun)})


def complete_version(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Of the plugin that is named before, oldest first."""
    name = ctx.params.get("name")
    return [one.version for one in _registered(ctx) if one.name == name and one.version.startswith(begun)]


def _registered(ctx: click.Context) -> "list[Registration]":
    from store_plugin.lifecycle.catalog import Catalog
    from store_plugin.lifecycle.layout import Layout

    directory = ctx.params.get("plugins_dir") or os.environ.get(VARIABLE, "")
    try:
        file = Layout(Path(directory)).catalog
        return Catalog(file).versions() if directory and file.is_file() else []
    except Exception:  # a shell that completes shows no errors
        return []
