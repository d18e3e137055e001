"""The option with which a program is told of its access config, for click and for argparse.

`--access-config`, and as the consumers in Go call it `--clusterprofile-provider-file`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from store_plugin.access.config import AccessConfig
from store_plugin.errors import ConfigInvalid

NAMES = ("--access-config", "--clusterprofile-provider-file")
DEFAULT = "clusterprofile-provider-file.json"
"""Where consumers in Go look for it."""
HELP = "File with the providers of credentials for clusters, JSON or YAML."

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def access_option(**attributes: Any) -> Callable[[CommandT], CommandT]:
    """A click option; the command gets `access_config`, an AccessConfig that was read, which is
    closed with the command. `attributes` are click.option's."""
    import click

    def read(context: click.Context, _: click.Parameter, file: Path | None) -> AccessConfig | None:
        if file is None:
            return None
        try:
            access = AccessConfig.from_file(file)
        except ConfigInvalid as error:
            raise click.BadParameter(error.message) from None
        return context.with_resource(access)

    settings: dict[str, Any] = {"default": DEFAULT, "show_default": True, "help": HELP, **attributes}
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(*NAMES, "access_config", type=path, callback=read, **settings)


def add_access_argument(parser: argparse.ArgumentParser, **attributes: Any) -> None:
    """An argument of argparse; the namespace gets `access_config`, an AccessConfig that was read.
    `attributes` are add_argument's."""

    def read(text: str) -> AccessConfig:
        try:
            return AccessConfig.from_file(Path(text))
        except ConfigInvalid as error:
            raise argparse.ArgumentTypeError(error.message) from None

    settings: dict[str, Any] = {"default": DEFAULT, "metavar": "FILE", "help": HELP, **attributes}
    parser.add_argument(*NAMES, dest="access_config", type=read, **settings)
