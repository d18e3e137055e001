"""The options with which a program is told of its access config, for click and for argparse.

`--access-config`, and as the consumers in Go call it `--clusterprofile-provider-file`; and which
exec plugins are run, spelled as by `store-plugin access check`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from store_plugin.access import option_names as names
from store_plugin.access.config import AccessConfig
from store_plugin.errors import ConfigInvalid

NAMES = ("--access-config", "--clusterprofile-provider-file")
DEFAULT = "clusterprofile-provider-file.json"
"""Where consumers in Go look for it."""
HELP = "File with the providers of credentials for clusters, JSON or YAML."

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def access_option(**attributes: Any) -> Callable[[CommandT], CommandT]:
    """Click's options; the command gets `access_config`, an AccessConfig that was read, which is
    closed with the command. `attributes` are click.option's, for the file."""
    import click

    trust: dict[str, Any] = {"expose_value": False, "is_eager": True}  # known before the file is read

    def kept(context: click.Context, parameter: click.Parameter, value: object) -> None:
        context.meta[f"{__name__}.{parameter.name}"] = value

    def read(context: click.Context, _: click.Parameter, file: Path | None) -> AccessConfig | None:
        if file is None:
            return None
        try:
            access = AccessConfig.from_file(
                file,
                require_digest=context.meta[f"{__name__}.require_digest"],
                trusted_keys=context.meta[f"{__name__}.trusted_keys"],
            )
        except ConfigInvalid as error:
            raise click.BadParameter(error.message) from None
        return context.with_resource(access)

    def add(command: CommandT) -> CommandT:
        settings: dict[str, Any] = {"default": DEFAULT, "show_default": True, "help": HELP, **attributes}
        path = click.Path(path_type=Path, dir_okay=False)
        command = click.option(
            names.TRUSTED_KEYS,
            names.TRUSTED_KEYS_SHORT,
            "trusted_keys",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=names.TRUSTED_KEYS_HELP,
            callback=kept,
            **trust,
        )(command)
        command = click.option(
            names.switch(names.REQUIRE_DIGEST),
            names.switch(names.REQUIRE_DIGEST_SHORT),
            "require_digest",
            default=False,
            help=names.REQUIRE_DIGEST_HELP,
            callback=kept,
            **trust,
        )(command)
        return click.option(*NAMES, "access_config", type=path, callback=read, **settings)(command)

    return add


def add_access_arguments(parser: argparse.ArgumentParser, **attributes: Any) -> None:
    """Arguments of argparse, for `opened_access`. `attributes` are add_argument's, for the file."""
    settings: dict[str, Any] = {"default": DEFAULT, "metavar": "FILE", "help": HELP, **attributes}
    parser.add_argument(*NAMES, dest="access_config", type=Path, **settings)
    parser.add_argument(
        names.REQUIRE_DIGEST,
        names.REQUIRE_DIGEST_SHORT,
        dest="access_require_digest",
        action=argparse.BooleanOptionalAction,
        default=False,
        help=names.REQUIRE_DIGEST_HELP,
    )
    parser.add_argument(
        names.TRUSTED_KEYS,
        names.TRUSTED_KEYS_SHORT,
        dest="access_trusted_keys",
        type=Path,
        metavar="DIR",
        help=names.TRUSTED_KEYS_HELP,
    )


def opened_access(parser: argparse.ArgumentParser, options: argparse.Namespace) -> AccessConfig:
    """The AccessConfig that `options` name, which `parser` has read. Where it cannot be used the program
    ends as with any wrong argument."""
    try:
        return AccessConfig.from_file(
            options.access_config,
            require_digest=options.access_require_digest,
            trusted_keys=options.access_trusted_keys,
        )
    except ConfigInvalid as error:
        parser.error(f"argument {NAMES[0]}: {error.message}")
