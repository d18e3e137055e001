"""Arguments and options that commands share, each declared once."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from store_plugin.cli._completing import complete_config
from store_plugin.client import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, Client, parse_config
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint, Transport
from store_plugin.errors import CallerUnknown, InvalidRequest
from store_plugin.model import OWNER_LABEL, ScopedName, check_keys

T = TypeVar("T")
Decorator = Callable[[Callable[..., None]], Callable[..., None]]

SECONDS = click.FloatRange(min=0, min_open=True)
"""A time that is waited for at most."""


def parsed_by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse` as the type of a parameter: what it refuses is wrong usage."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except InvalidRequest as error:
            raise click.BadParameter(error.message) from None

    return convert


def parse_key(text: str) -> str:
    """A key of a secret."""
    check_keys({text: b""})
    return text


def parse_label(text: str) -> tuple[str, str]:
    """A metadata entry, `K=V`."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidRequest(f"{text!r} is not a label: write K=V")
    return key, value


config_argument = click.argument(
    "config", metavar="KIND/NAME", type=parsed_by(parse_config), shell_complete=complete_config
)
name_argument = click.argument("name", metavar="SCOPE/NAME", type=parsed_by(ScopedName.parse))
owner_option = click.option("--owner", metavar="UID", help=f"Owner of the secret: the label {OWNER_LABEL}.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")


def output_option(*more: str) -> Decorator:
    """How the result is shown."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", *more]),
        default="table",
        show_default=True,
        help="How the result is shown.",
    )


def cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which cluster is meant: `kubeconfig` and `context`."""
    command = click.option(
        "--context", metavar="NAME", help="Context of the kubeconfig; left out: its current one."
    )(command)
    return click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(path_type=Path),
        envvar="KUBECONFIG",
        show_envvar=True,
        help="The cluster; left out: the one this Pod runs in.",
    )(command)


def timeout_option(*more: str, default: float, help: str) -> Decorator:  # noqa: A002 # click's name
    """`--timeout`, in seconds; `more`: the name that the command has it under."""
    return click.option(
        "--timeout",
        *more,
        type=SECONDS,
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help,
    )


def _connection_option(name: str, **attributes: Any) -> Decorator:
    """An option that is also read from STORE_PLUGIN_NAME, whatever the command."""
    variable = "STORE_PLUGIN_" + name.upper()
    return click.option("--" + name.replace("_", "-"), envvar=variable, show_envvar=True, **attributes)


_CONNECTION: Mapping[str, Decorator] = {
    "endpoint": _connection_option(
        "endpoint",
        default=DEFAULT_ENDPOINT,
        show_default=True,
        metavar="ADDR",
        help="Where the sidecar listens: unix:///@name, unix:///path or host:port (TLS).",
    ),
    "token_file": _connection_option(
        "token_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="File with the bearer token to show.",
    ),
    "certs_dir": _connection_option(
        "certs_dir",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Directory with ca.crt, tls.crt and tls.key; needed for host:port, not used for sockets.",
    ),
    "server_name": _connection_option(
        "server_name", metavar="NAME", help="Name in the server's certificate where it is not the host's."
    ),
    "timeout": _connection_option(
        "timeout",
        type=SECONDS,
        default=DEFAULT_TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        help="Longest that the call may take.",
    ),
    "connect_timeout": _connection_option(
        "connect_timeout",
        type=SECONDS,
        default=DEFAULT_CONNECT_TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        help="Longest to wait for a sidecar that does not answer.",
    ),
}


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Options to connect with; the command gets the client as its first argument. Nothing
    is connected before its first call."""

    @wraps(command)
    def run(**options: Any) -> None:
        connection = {name: options.pop(name) for name in _CONNECTION}
        with _client(**connection) as client:
            try:
                command(client, **options)
            except CallerUnknown as error:
                if connection["token_file"] is None and connection["certs_dir"] is None:
                    error.message += "; give --token-file"
                raise

    shown: Callable[..., None] = run
    for option in reversed(tuple(_CONNECTION.values())):
        shown = option(shown)
    return shown


def _client(*, endpoint: str, certs_dir: Path | None, **options: Any) -> Client:
    """What the options contradict is wrong usage. Certificates named for other endpoints,
    as by a variable that the whole container shares, are not used for a socket."""
    try:
        parsed = Endpoint.parse(endpoint)
        if parsed.transport is not Transport.TCP:
            certs_dir = None
        elif certs_dir is None:
            raise InvalidRequest(f"{parsed} is reached over TLS only: give --certs-dir, see --help")
        return Client(parsed, certs_dir=certs_dir, **options)
    except InvalidRequest as error:
        raise click.UsageError(error.message) from None
