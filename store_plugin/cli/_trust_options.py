"""Which exec plugins are run: the same options and variables for the sidecar and for what checks."""

from collections.abc import Callable
from pathlib import Path

import click

from store_plugin.access import option_names as names

Command = Callable[..., None]


def trust_options(prefix: str = "") -> Callable[[Command], Command]:
    """`require_digest` and `trusted_keys`, as `AccessConfig` takes them; `prefix` before the names
    that the command gets them by. Where there is none, the command is about exec plugins, and
    takes the short spellings as well."""
    short = not prefix

    def add(command: Command) -> Command:
        command = click.option(
            names.TRUSTED_KEYS,
            *([names.TRUSTED_KEYS_SHORT] if short else []),
            f"{prefix}trusted_keys",
            metavar="DIR",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="STORE_PLUGIN_ACCESS_TRUSTED_KEYS",
            show_envvar=True,
            help=names.TRUSTED_KEYS_HELP,
        )(command)
        return click.option(
            names.switch(names.REQUIRE_DIGEST),
            *([names.switch(names.REQUIRE_DIGEST_SHORT)] if short else []),
            f"{prefix}require_digest",
            default=False,
            envvar="STORE_PLUGIN_ACCESS_REQUIRE_DIGEST",
            show_envvar=True,
            show_default=True,
            help=names.REQUIRE_DIGEST_HELP,
        )(command)

    return add
