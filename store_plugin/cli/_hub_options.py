"""The options of `serve` about plugins that connect."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from store_plugin.cli._parameters import parsed_by
from store_plugin.cli._settings import parse_mode, setting
from store_plugin.endpoints import Endpoint
from store_plugin.sidecar.hub.settings import DEFAULT_AUDIENCE, HubOptions

_PREFIX = "hub_"

_OPTIONS = (
    setting(
        "--hub-listen",
        metavar="ADDR",
        type=parsed_by(Endpoint.parse),
        multiple=True,
        help="Where plugins connect; repeatable: unix:///path, unix:///@name, host:port. None: no plugins.",
    ),
    setting(
        "--hub-auth",
        type=click.Choice(("none", "rbac-proxy", "tokenreview", "mtls")),
        default="none",
        help="How plugins prove who they are; none: whoever reaches the socket.",
    ),
    setting(
        "--hub-allow",
        metavar="USER=NAME",
        multiple=True,
        help="Who may register which name, * for any characters; repeatable. Left out: the cluster or the "
        "certificate says.",
    ),
    setting(
        "--hub-audience",
        metavar="AUDIENCE",
        default=DEFAULT_AUDIENCE,
        help="Audience of the tokens that tokenreview takes.",
    ),
    setting(
        "--hub-namespace",
        metavar="NAME",
        default=None,
        help="Namespace of the rights to register a name; left out: those of the whole cluster.",
    ),
    setting(
        "--hub-certs-dir",
        metavar="DIR",
        type=click.Path(path_type=Path),
        default=None,
        help="ca.crt, tls.crt and tls.key for TCP listeners of the hub; re-read when they change.",
    ),
    setting(
        "--hub-socket-mode",
        metavar="MODE",
        type=parsed_by(parse_mode),
        default="0600",
        help="File mode of path sockets for plugins. Credentials travel over owner-only ones.",
    ),
    setting(
        "--hub-plugin-groups",
        metavar="PATTERN",
        multiple=True,
        help="API groups that plugins may bring kinds of; repeatable, * stands for anything. None: no kinds.",
    ),
    setting(
        "--hub-duplicates",
        type=click.Choice(("replace", "reject")),
        default="replace",
        help="What happens when the same plugin instance connects again.",
    ),
    setting(
        "--hub-max-plugins",
        metavar="N",
        type=click.IntRange(min=1),
        default=1000,
        help="Plugin instances at a time; more are refused.",
    ),
    setting(
        "--hub-max-stream-age",
        metavar="SECONDS",
        type=click.FloatRange(min=1.0),
        default=3600.0,
        help="Seconds after which a plugin has to connect again, and to show who it is.",
    ),
    setting(
        "--hub-heartbeat",
        metavar="SECONDS",
        type=click.FloatRange(min=0.1),
        default=10.0,
        help="Seconds between heartbeats; a plugin that misses three is gone.",
    ),
)


def hub_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as `hub`, a HubOptions."""

    @wraps(command)
    def run(**options: Any) -> None:
        names = [name for name in options if name.startswith(_PREFIX)]
        given = {name.removeprefix(_PREFIX): options.pop(name) for name in names}
        command(hub=HubOptions(**{**given, "namespace": given["namespace"] or ""}), **options)

    shown: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        shown = option(shown)
    return shown
