"""`store-plugin serve`: the sidecar."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint
from store_plugin.errors import InvalidRequest

EXIT_REFUSED = 1
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class EndpointType(click.ParamType[Endpoint]):
    """An endpoint in any of its spellings."""

    name = "addr"

    def convert(
        self, value: str | Endpoint, param: click.Parameter | None, ctx: click.Context | None
    ) -> Endpoint:
        if isinstance(value, Endpoint):
            return value
        try:
            return Endpoint.parse(value)
        except InvalidRequest as error:
            self.fail(error.message, param, ctx)


class OctalType(click.ParamType[int]):
    """A file mode in octal."""

    name = "mode"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return int(value, 8)
        except ValueError:
            self.fail(f"{value!r} is not a file mode such as 0660", param, ctx)


def _setting(name: str, **attributes: Any) -> Callable[[CommandT], CommandT]:
    """An option that is also read from STORE_PLUGIN_NAME."""
    variable = "STORE_PLUGIN_" + name.split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, show_default=True, **attributes)


@click.command()
@_setting(
    "--config-dir",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory of store config manifests (YAML); watched.",
)
@_setting(
    "--listen",
    type=EndpointType(),
    multiple=True,
    default=(DEFAULT_ENDPOINT,),
    help="Where operators reach the sidecar; repeatable: unix:///@name, unix:///path, host:port (mTLS).",
)
@_setting(
    "--certs-dir",
    type=click.Path(path_type=Path),
    default="/certs",
    help="ca.crt, tls.crt and tls.key for TCP listeners; re-read when they change.",
)
@_setting(
    "--client-token-file",
    type=click.Path(path_type=Path),
    default=None,
    help="Callers on sockets must show the token in this file; re-read when it changes.",
)
@_setting("--socket-mode", type=OctalType(), default="0660", help="File mode of path sockets.")
@_setting("--socket-group", default=None, help="Group of path sockets.")
@_setting(
    "--admin-listen",
    default="127.0.0.1:8080",
    help="Probes, metrics and config states over HTTP; keep it on loopback.",
)
@_setting("--health-listen", default=None, help="The two bare probes for an address that a kubelet reaches.")
@_setting(
    "--max-in-flight",
    type=click.IntRange(min=1),
    default=1000,
    help="Calls at once; what exceeds it is refused.",
)
@_setting(
    "--max-connection-idle",
    type=click.FloatRange(min=0.1),
    default=60.0,
    help="Seconds after which an idle connection is closed.",
)
@_setting(
    "--max-connection-age",
    type=click.FloatRange(min=1.0),
    default=1800.0,
    help="Seconds after which a TCP connection is renewed.",
)
@_setting(
    "--shutdown-grace",
    type=click.FloatRange(min=0.0),
    default=20.0,
    help="Seconds that calls in flight have to finish after SIGTERM.",
)
@_setting(
    "--credential-poll-interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    help="Seconds between two looks at credential files.",
)
@_setting(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="info",
    help="Least level that is logged.",
)
@_setting("--log-format", type=click.Choice(("json", "console")), default="json", help="How log lines look.")
@_setting("--access-log/--no-access-log", default=False, help="Log successful calls too.")
@_setting("--pod-ip", default=None, help="The Pod's IP (downward API), to notice hostNetwork.")
@_setting("--host-ip", default=None, help="The node's IP (downward API), to notice hostNetwork.")
@_setting(
    "--allow-host-network/--no-allow-host-network",
    default=False,
    help="Listen on an abstract socket although the Pod uses hostNetwork.",
)
def serve(config_dir: Path, listen: tuple[Endpoint, ...], **options: object) -> None:
    """Serve the External Secret Store protocol.

    Configs are manifests in --config-dir: a changed, added or removed file takes effect
    without a restart. SIGTERM drains and exits 0; a second one leaves at once.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # C-core's lines are noise; ours say what failed
    from store_plugin.sidecar.app import run
    from store_plugin.sidecar.settings import Settings

    settings = Settings(config_dir=config_dir, listen=listen, **options)  # type: ignore[arg-type]
    try:
        sys.exit(run(settings, os.environ))
    except InvalidRequest as error:
        click.echo(f"store-plugin: {error.message}", err=True)
        sys.exit(EXIT_REFUSED)
