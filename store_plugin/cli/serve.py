"""`store-plugin serve`: the sidecar."""

import os
import sys
from pathlib import Path

import click

from store_plugin.cli._hub_options import hub_options
from store_plugin.cli._parameters import parsed_by
from store_plugin.cli._sections import SectionedCommand, Sections
from store_plugin.cli._settings import cluster_settings, log_settings, parse_host_port, parse_mode, setting
from store_plugin.cli._trust_options import trust_options
from store_plugin.endpoints import DEFAULT_ENDPOINT, Endpoint

SECTIONS: Sections = {
    "Store configs": (
        "--config-dir",
        "--kubeconfig",
        "--context",
        "--credential-poll-interval",
        "--crds",
        "--write-status",
        "--lease-namespace",
    ),
    "Calls of operators": (
        "--listen",
        "--certs-dir",
        "--client-token-file",
        "--socket-mode",
        "--socket-group",
        "--allow-host-network",
        "--pod-ip",
        "--host-ip",
        "--max-in-flight",
        "--max-connection-idle",
        "--max-connection-age",
        "--shutdown-grace",
    ),
    "Looking after it": (
        "--admin-listen",
        "--health-listen",
        "--metrics-listen",
        "--control-socket",
        "--log-level",
        "--log-format",
        "--access-log",
    ),
    "Plugins that it runs": (
        "--plugins-dir",
        "--plugins-cert-life",
        "--plugins-require-signature",
    ),
    "Plugins that connect": (
        "--hub-listen",
        "--hub-plugin-groups",
        "--hub-auth",
        "--hub-allow",
        "--hub-audience",
        "--hub-namespace",
        "--hub-certs-dir",
        "--hub-socket-mode",
        "--hub-duplicates",
        "--hub-max-plugins",
        "--hub-max-stream-age",
        "--hub-heartbeat",
        "--pod-name",
        "--pod-namespace",
        "--pod-uid",
    ),
    "Stores in members of a fleet": (
        "--access-config",
        "--access-require-digest",
        "--access-trusted-keys",
    ),
}


@click.command(cls=SectionedCommand, sections=SECTIONS)
@setting(
    "--config-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=None,
    help="Directory of store config manifests (YAML), watched; left out: configs of the cluster.",
)
@setting(
    "--listen",
    metavar="ADDR",
    type=parsed_by(Endpoint.parse),
    multiple=True,
    default=(DEFAULT_ENDPOINT,),
    help="Where operators reach the sidecar; repeatable: unix:///@name, unix:///path, host:port (mTLS).",
)
@setting(
    "--plugins-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=None,
    help="Run the plugins that are enabled in this directory (store-plugin plugin …); none: it runs none.",
)
@setting(
    "--plugins-cert-life",
    metavar="HOURS",
    type=click.FloatRange(min=0.25, max=168.0),
    default=24.0,
    help="Hours that certificates of these plugins live, 15 minutes to 7 days; each is renewed in time.",
)
@setting(
    "--plugins-require-signature",
    "--require-signature",
    is_flag=True,
    default=False,
    help="Run only what a trusted key has signed: 'plugin trust require on' for the plugins directory.",
)
@setting(
    "--certs-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default="/certs",
    help="ca.crt, tls.crt and tls.key for TCP listeners; re-read when they change.",
)
@setting(
    "--client-token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=None,
    help="Callers on sockets must show the token in this file; re-read when it changes.",
)
@setting(
    "--socket-mode",
    metavar="MODE",
    type=parsed_by(parse_mode),
    default="0660",
    help="File mode of path sockets.",
)
@setting("--socket-group", metavar="GROUP", default=None, help="Group of path sockets.")
@setting(
    "--admin-listen",
    metavar="HOST:PORT",
    type=parsed_by(parse_host_port),
    default="127.0.0.1:8080",
    help="Probes, metrics and config states over HTTP; keep it on loopback.",
)
@setting(
    "--health-listen",
    metavar="HOST:PORT",
    type=parsed_by(parse_host_port),
    default=None,
    help="The two bare probes for an address that a kubelet reaches.",
)
@setting(
    "--metrics-listen",
    metavar="HOST:PORT",
    type=parsed_by(parse_host_port),
    default=None,
    help="The metrics alone for an address that a scraper reaches.",
)
@setting(
    "--max-in-flight",
    metavar="N",
    type=click.IntRange(min=1),
    default=1000,
    help="Calls at once; what exceeds it is refused.",
)
@setting(
    "--max-connection-idle",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=60.0,
    help="Seconds after which an idle connection is closed.",
)
@setting(
    "--max-connection-age",
    metavar="SECONDS",
    type=click.FloatRange(min=1.0),
    default=1800.0,
    help="Seconds after which a TCP connection is renewed.",
)
@setting(
    "--shutdown-grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0),
    default=15.0,
    help="Seconds that calls in flight have to finish after SIGTERM.",
)
@setting(
    "--credential-poll-interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=2.0,
    help="Seconds between two looks at credential files.",
)
@log_settings()
@setting("--access-log/--no-access-log", default=False, help="Log successful calls too.")
@setting("--pod-ip", metavar="IP", default=None, help="The Pod's IP (downward API), to notice hostNetwork.")
@setting("--host-ip", metavar="IP", default=None, help="The node's IP (downward API), to notice hostNetwork.")
@setting(
    "--pod-name",
    metavar="NAME",
    default=None,
    help="The Pod's name (downward API): Events of plugins go to it.",
)
@setting(
    "--pod-namespace", metavar="NAME", default=None, help="The Pod's namespace (downward API), with its name."
)
@setting(
    "--pod-uid",
    metavar="UID",
    default=None,
    help="The Pod's UID (downward API), by which kubectl finds its Events.",
)
@setting(
    "--allow-host-network/--no-allow-host-network",
    default=False,
    help="Listen on an abstract socket although the Pod uses hostNetwork.",
)
@setting(
    "--crds",
    type=click.Choice(("apply", "check", "off")),
    default="off",
    help="CustomResourceDefinitions at start: apply them, or only compare and log.",
)
@cluster_settings()
@setting(
    "--access-config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=None,
    help="Providers of credentials for members of a fleet, which stores then may be in; left out: none.",
)
@trust_options("access_")
@setting(
    "--write-status/--no-write-status",
    default=False,
    help="Write conditions and Events of the cluster's configs; for the standalone deployment.",
)
@setting(
    "--lease-namespace",
    metavar="NAME",
    default=None,
    help="Where the Lease of the replica that writes is; left out: in this Pod's namespace.",
)
@setting(
    "--control-socket",
    metavar="PATH",
    type=click.Path(path_type=Path),
    default=None,
    help="Path socket, for its owner only, that commands such as status ask; left out: control.sock in "
    "--plugins-dir, if there is one.",
)
@hub_options
def serve(listen: tuple[Endpoint, ...], **options: object) -> None:
    """Serve the External Secret Store protocol.

    Configs are manifests in --config-dir, or objects of the cluster: what is changed, added or
    removed takes effect without a restart. SIGTERM drains and exits 0; a second one leaves at
    once.
    """
    from store_plugin.sidecar.app import run
    from store_plugin.sidecar.settings import Settings

    if options["plugins_require_signature"] and options["plugins_dir"] is None:
        raise click.UsageError("--plugins-require-signature is about --plugins-dir, which is not given")
    settings = Settings(listen=listen, **options)  # type: ignore[arg-type]
    sys.exit(run(settings, os.environ))
