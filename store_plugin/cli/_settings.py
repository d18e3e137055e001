"""Options of what runs as a server: each is also read from the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")
_PREFIX = "STORE_PLUGIN_"


def setting(
    name: str, *spellings: str, prefix: str = _PREFIX, **attributes: Any
) -> Callable[[CommandT], CommandT]:
    """An option that is also read from STORE_PLUGIN_NAME, or whatever the prefix is."""
    variable = prefix + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, *spellings, envvar=variable, show_envvar=True, show_default=True, **attributes)


def cluster_settings(prefix: str = _PREFIX) -> Callable[[CommandT], CommandT]:
    """Which cluster is meant: `kubeconfig` and `context`."""
    kubeconfig = setting(
        "--kubeconfig",
        prefix=prefix,
        metavar="FILE",
        type=click.Path(path_type=Path),
        default=None,
        help="Names the cluster; left out: the one this Pod runs in.",
    )
    context = setting(
        "--context",
        prefix=prefix,
        metavar="NAME",
        default=None,
        help="Context of the kubeconfig; left out: its current one.",
    )
    return lambda command: kubeconfig(context(command))


def log_settings(prefix: str = _PREFIX) -> Callable[[CommandT], CommandT]:
    """What is logged, and how: `log_level` and `log_format`."""
    level = setting(
        "--log-level",
        prefix=prefix,
        type=click.Choice(LOG_LEVELS),
        default="info",
        help="Least level that is logged.",
    )
    form = setting(
        "--log-format",
        prefix=prefix,
        type=click.Choice(("json", "console")),
        default="json",
        help="How log lines look.",
    )
    return lambda command: level(form(command))


def parse_mode(text: str) -> int:
    """A file mode in octal."""
    try:
        return int(text, 8)
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a file mode such as 0660") from None


def parse_host_port(text: str) -> str:
    """An address to serve HTTP on."""
    try:
        transport = Endpoint.parse(text).transport
    except InvalidRequest:
        transport = None
    if transport is not Transport.TCP:
        raise InvalidRequest(f"{text!r} is not HOST:PORT such as 127.0.0.1:8080")
    return text
