"""Which exec plugins are run: the same options and variables for the sidecar and for what checks."""

from collections.abc import Callable
from pathlib import Path

import click

Command = Callable[..., None]


def trust_options(prefix: str = "") -> Callable[[Command], Command]:
    """`require_digest` and `trusted_keys`, as `AccessConfig` takes them; `prefix` before the names
    that the command gets them by. Where there is none, the command is about exec plugins, and
    takes the short spellings as well."""
    short = not prefix

    def add(command: Command) -> Command:
        command = click.option(
            "--access-trusted-keys",
            *(["--trusted-keys"] if short else []),
            f"{prefix}trusted_keys",
            metavar="DIR",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="STORE_PLUGIN_ACCESS_TRUSTED_KEYS",
            show_envvar=True,
            help="Directory of the keys that signatures of exec plugins count of.",
        )(command)
        return click.option(
            "--access-require-digest/--no-access-require-digest",
            *(["--require-digest/--no-require-digest"] if short else []),
            f"{prefix}require_digest",
            default=False,
            envvar="STORE_PLUGIN_ACCESS_REQUIRE_DIGEST",
            show_envvar=True,
            show_default=True,
            help="Run only exec plugins whose provider has a digest or a signature.",
        )(command)

    return add
