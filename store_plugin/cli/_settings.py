"""Options of what runs as a server: each is also read from the environment."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def setting(name: str, *, prefix: str = "STORE_PLUGIN_", **attributes: Any) -> Callable[[CommandT], CommandT]:
    """An option that is also read from STORE_PLUGIN_NAME, or whatever the prefix is."""
    variable = prefix + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, show_default=True, **attributes)


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
