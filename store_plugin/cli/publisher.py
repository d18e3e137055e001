"""`store-plugin publisher`: the operator that publishes Secrets."""

import asyncio
from functools import partial
from pathlib import Path

import click

from store_plugin.cli._parameters import parsed_by
from store_plugin.cli._settings import cluster_settings, log_settings, parse_host_port, setting
from store_plugin.errors import InvalidRequest
from store_plugin.publisher.settings import Settings
from store_plugin.publisher.wishes.wish import Defaults, DeletionPolicy, default_store_config


def parse_api_version(text: str) -> str:
    """An API version with its group."""
    group, slash, version = text.partition("/")
    if not (group and slash and version) or "/" in version:
        raise InvalidRequest(f"{text!r} is not GROUP/VERSION, such as secrets.crossplane.io/v1alpha1")
    return text


_PREFIX = "STORE_PLUGIN_PUBLISHER_"
_option = partial(setting, prefix=_PREFIX)


@click.command()
@cluster_settings(_PREFIX)
@_option(
    "--store-configs",
    type=parsed_by(parse_api_version),
    metavar="GROUP/VERSION",
    default="secrets.crossplane.io/v1alpha1",
    help="API version of the StoreConfigs.",
)
@_option(
    "--namespaces",
    metavar="NAME",
    multiple=True,
    help="Look at Secrets of these only; repeatable; left out: of all of them.",
)
@_option(
    "--default-store-config",
    type=parsed_by(default_store_config),
    metavar="NAME",
    default=None,
    help="StoreConfig of connection Secrets that say nothing; {namespace} in it is the Secret's.",
)
@_option(
    "--deletion-policy",
    type=click.Choice([policy.value for policy in DeletionPolicy]),
    default="Retain",
    help="What happens in the store when a Secret goes that does not say.",
)
@_option(
    "--refresh-interval",
    metavar="SECONDS",
    type=click.FloatRange(min=10.0),
    default=3600.0,
    help="Seconds between two fetches of a Secret that does not say.",
)
@_option(
    "--resync-interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0),
    default=3600.0,
    help="Seconds after which a published Secret is compared with the store again; 0: never.",
)
@_option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(min=1, max=256),
    default=16,
    help="Secrets worked on at a time.",
)
@_option(
    "--cluster-id",
    metavar="ID",
    default=None,
    help="Tells this cluster from others with the same store; left out: the UID of kube-system.",
)
@_option(
    "--certs-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default="/certs",
    help="ca.crt, tls.crt and tls.key, for sidecars on TCP.",
)
@_option(
    "--server-name",
    metavar="NAME",
    default=None,
    help="Name in the sidecar's certificate where it is not the host's.",
)
@_option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=None,
    help="File with the token to show.",
)
@_option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=30.0,
    help="Seconds that a call to the sidecar may take.",
)
@_option(
    "--admin-listen",
    metavar="HOST:PORT",
    type=parsed_by(parse_host_port),
    default="127.0.0.1:8082",
    help="Probes and metrics over HTTP.",
)
@log_settings(_PREFIX)
@_option(
    "--let-go",
    is_flag=True,
    default=False,
    help="Take the finalizer off all Secrets, leave what was published, and end: for who uninstalls it.",
)
def publisher(
    default_store_config: str | None,
    deletion_policy: str,
    refresh_interval: float,
    let_go: bool,
    **options: object,
) -> None:
    """Publish the Secrets of a cluster that ask for it.

    They ask with the annotation or label secrets.crossplane.io/publish-to: STORECONFIG;
    secrets.crossplane.io/fetch-from goes the other way. SIGTERM ends it; what was under way is
    found by the next one.
    """
    from store_plugin.publisher.app import run
    from store_plugin.publisher.letting_go import let_all_go
    from store_plugin.sidecar.logs import configure_logs

    defaults = Defaults(default_store_config, DeletionPolicy(deletion_policy), refresh_interval)
    settings = Settings(defaults=defaults, **options)  # type: ignore[arg-type]
    log = configure_logs(settings.log_level, settings.log_format)
    if let_go:
        asyncio.run(let_all_go(settings, log))
    else:
        run(settings, log)
