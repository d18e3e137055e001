"""Which exec plugins commands run: the same as the sidecar, by the same variables."""

from collections.abc import Callable
from pathlib import Path

import click

_DIGEST, _KEYS = "STORE_PLUGIN_ACCESS_REQUIRE_DIGEST", "STORE_PLUGIN_ACCESS_TRUSTED_KEYS"


def trust_options(command: Callable[..., None]) -> Callable[..., None]:
    """`require_digest` and `trusted_keys`, as `AccessConfig` takes them."""
    command = click.option(
        "--trusted-keys",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=_KEYS,
        show_envvar=True,
        help="Directory of the keys that signatures of exec plugins count of.",
    )(command)
    return click.option(
        "--require-digest",
        is_flag=True,
        envvar=_DIGEST,
        show_envvar=True,
        help="Run only exec plugins whose provider has a digest or a signature.",
    )(command)
