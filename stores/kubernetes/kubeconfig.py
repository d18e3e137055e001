"""A client's configuration, from a kubeconfig that somebody put into a credential.

Whoever writes that credential must not get more than a connection: a kubeconfig that names
files would have the sidecar send them away, one that names a command would run it. So
nothing but values is taken; the library's own loader takes all. It is read on the event loop that
serves all others, so it is bounded, and nothing in it stands for more than is written.
"""

import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientError, TraceConfig, TraceRequestRedirectParams
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config

from store_plugin.errors import ConfigInvalid
from store_plugin.kubeconfig_values import Block, Kubeconfig

MOST_BYTES = 64 * 1024
"""Of a kubeconfig: reading this many takes a tenth of a second at most."""
_CLUSTER = {"server", "certificate-authority-data", "tls-server-name"}
_USER = {"token", "client-certificate-data", "client-key-data"}


def own_cluster() -> ApiClient:
    """A client of the cluster this Pod runs in. ConfigInvalid outside of one."""
    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        raise ConfigInvalid(
            "there is no ServiceAccount of a Pod here: give the config a kubeconfig"
        ) from None
    return _made(configuration)


def other_cluster(kubeconfig: bytes, context: str | None) -> ApiClient:
    """A client of the cluster in `kubeconfig`. ConfigInvalid shows nothing of its values."""
    made = None
    try:
        made = _client(_parsed(kubeconfig), context)
    except ConfigInvalid:
        raise
    except Exception as error:  # what stands there may be anything
        problem = type(error).__name__
    if made is None:
        raise ConfigInvalid(f"kubeconfig is none that can be used ({problem})")
    return made


def _parsed(kubeconfig: bytes) -> Kubeconfig:
    if len(kubeconfig) > MOST_BYTES:
        raise ConfigInvalid(f"the kubeconfig is larger than {MOST_BYTES} bytes: leave other clusters out")
    return Kubeconfig.read(kubeconfig)


def _client(kubeconfig: Kubeconfig, context: str | None) -> ApiClient:
    cluster, user = kubeconfig.chosen(context)
    cluster.only(_CLUSTER)
    user.only(_USER)
    server = cluster.text("server")
    if not server.startswith("https://"):
        raise ConfigInvalid("kubeconfig: the server must be https://")
    configuration = Configuration(host=server.rstrip("/"))
    configuration.tls_server_name = cluster.text("tls-server-name") or None
    if authority := cluster.data("certificate-authority-data"):
        configuration.ca_cert_data = authority.decode()
    if token := user.text("token"):
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return _with_certificate(configuration, user)


def _with_certificate(configuration: Configuration, user: Block) -> ApiClient:
    """The TLS context reads the certificate from files, when the client is made and then no
    more."""
    if not user.text("client-certificate-data"):
        return _made(configuration)
    with TemporaryDirectory() as directory:
        for name, attribute in (("client-certificate-data", "cert_file"), ("client-key-data", "key_file")):
            path = Path(directory) / attribute
            path.touch(mode=0o600)
            path.write_bytes(user.data(name))
            setattr(configuration, attribute, str(path))
        try:
            return _made(configuration)
        except ssl.SSLError:
            raise ConfigInvalid("kubeconfig: client certificate and key are no pair") from None


def _made(configuration: Configuration) -> ApiClient:
    """A client that goes nowhere else: whoever answers there could have it ask any server, in the
    clear too, and show what that says."""
    stays = TraceConfig()
    stays.on_request_redirect.append(_refuse)
    configuration.trace_configs = [stays]
    return ApiClient(configuration)


async def _refuse(_session: object, _context: object, redirect: TraceRequestRedirectParams) -> None:
    redirect.response.close()
    raise ClientError("it sends us elsewhere")
