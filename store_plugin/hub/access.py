"""The way a hub knows its plugins, as its owner chose it, and the listeners that follow from it.

Some ways are safe on some listeners only. What would let a stranger in is refused here, before
anything listens.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from store_plugin.endpoints import Endpoint, Transport
from store_plugin.errors import InvalidRequest
from store_plugin.hub.authentication import any_name, anyone
from store_plugin.hub.authentication.accessreview import AccessReviews
from store_plugin.hub.authentication.allowing import AllowRule, allowed_by
from store_plugin.hub.authentication.mtls import holder_of_certificate, name_in_certificate
from store_plugin.hub.authentication.rbac_proxy import check_proxy_listener, user_of_proxy
from store_plugin.hub.authentication.tokenreview import DEFAULT_AUDIENCE, TokenReviews
from store_plugin.hub.entrance import Authenticate, Authorize
from store_plugin.hub.hub import HubListener
from store_plugin.log import Logger

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient


class HubAuth(StrEnum):
    """Ways to know a plugin (`--hub-auth`)."""

    NONE = "none"
    """Whoever reaches the listener."""
    RBAC_PROXY = "rbac-proxy"
    """Whom kube-rbac-proxy names, on loopback."""
    TOKENREVIEW = "tokenreview"
    """Whose ServiceAccount token the API server finds good."""
    MTLS = "mtls"
    """Whose client certificate is signed by `ca.crt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """Who may connect. `allow`: in place of what the way itself says about names.

    `certs_dir` makes TCP listeners speak TLS; `namespace` is the hub's own, for SubjectAccessReviews.
    """

    auth: HubAuth = HubAuth.NONE
    allow: tuple[AllowRule, ...] = ()
    audience: str = DEFAULT_AUDIENCE
    certs_dir: Path | None = None
    kubeconfig: Path | None = None
    namespace: str = ""
    pod_ip: str | None = None
    host_ip: str | None = None
    allow_host_network: bool = False
    socket_mode: int = 0o600
    socket_group: str | None = None

    def check(self, endpoint: Endpoint) -> None:
        """Raise InvalidRequest where plugins must not be let in like this at `endpoint`."""
        match self.auth:
            case HubAuth.NONE:
                self._check_open(endpoint)
            case HubAuth.RBAC_PROXY:
                check_proxy_listener(endpoint, self.pod_ip, self.host_ip)
            case HubAuth.TOKENREVIEW:
                self._check_tokens(endpoint)
            case HubAuth.MTLS:
                self._check_certificates(endpoint)

    @property
    def asks_the_cluster(self) -> bool:
        """Whether an API server is needed."""
        return self.auth is HubAuth.TOKENREVIEW or (self.auth is HubAuth.RBAC_PROXY and not self.allow)

    def _check_open(self, endpoint: Endpoint) -> None:
        if self.allow:
            raise InvalidRequest("--hub-allow needs users: choose a --hub-auth other than none")
        if endpoint.transport is Transport.PATH:
            return
        if endpoint.transport is Transport.TCP and not endpoint.is_loopback:
            raise InvalidRequest(
                f"anybody could register plugins at {endpoint}: choose a --hub-auth other than none, "
                "or listen on a socket"
            )
        if self.pod_ip is not None and self.pod_ip == self.host_ip and not self.allow_host_network:
            raise InvalidRequest(
                f"the Pod uses hostNetwork: every process of the node could register plugins at {endpoint}; "
                "listen on a path socket, choose a --hub-auth other than none, or pass --allow-host-network"
            )

    def _check_tokens(self, endpoint: Endpoint) -> None:
        if endpoint.transport is not Transport.TCP or endpoint.is_loopback or self.certs_dir is not None:
            return
        raise InvalidRequest(
            f"tokens would travel to {endpoint} in the clear: give the hub certificates (--hub-certs-dir)"
        )

    def _check_certificates(self, endpoint: Endpoint) -> None:
        if endpoint.transport is not Transport.TCP:
            raise InvalidRequest(f"{endpoint} is a socket: client certificates are shown over TCP only")
        if self.certs_dir is None:
            raise InvalidRequest("--hub-auth mtls needs certificates: give --hub-certs-dir")


@asynccontextmanager
async def listeners(
    endpoints: Sequence[Endpoint], access: HubAccess, log: Logger
) -> AsyncIterator[list[HubListener]]:
    """A listener for each endpoint. What they ask the cluster with is closed at the end, so keep
    the hub inside. InvalidRequest; ConfigInvalid where there is no cluster to ask."""
    for endpoint in endpoints:
        access.check(endpoint)
    async with AsyncExitStack() as stack:
        api = await _api(access, stack) if access.asks_the_cluster else None
        authenticate, authorize = _ways(access, api)
        yield [_listener(endpoint, access, authenticate, authorize, log) for endpoint in endpoints]


async def _api(access: HubAccess, stack: AsyncExitStack) -> "ApiClient":
    from store_plugin.cluster import connected

    # Half a second, beside the event loop.
    try:
        await asyncio.to_thread(import_module, "kubernetes.aio.client")
    except ImportError as error:
        raise InvalidRequest(
            f"--hub-auth {access.auth} asks the cluster, which needs the module {error.name!r}: "
            "install 'store-plugin[kubernetes]'"
        ) from error
    return await stack.enter_async_context(connected(access.kubeconfig))


def _ways(access: HubAccess, api: "ApiClient | None") -> tuple[Authenticate, Authorize]:
    by_rules = allowed_by(access.allow) if access.allow else None
    match access.auth:
        case HubAuth.MTLS:
            return holder_of_certificate, by_rules or name_in_certificate
        case HubAuth.RBAC_PROXY:
            return user_of_proxy, by_rules or AccessReviews(_given(api), access.namespace)
        case HubAuth.TOKENREVIEW:
            reviews = TokenReviews(_given(api), access.audience)
            return reviews, by_rules or AccessReviews(_given(api), access.namespace)
        case HubAuth.NONE:
            return anyone, any_name


def _given(api: "ApiClient | None") -> "ApiClient":
    assert api is not None, "asks_the_cluster tells when there is one"
    return api


def _listener(
    endpoint: Endpoint, access: HubAccess, authenticate: Authenticate, authorize: Authorize, log: Logger
) -> HubListener:
    return HubListener(
        endpoint,
        authenticate,
        authorize,
        _credentials(endpoint, access, log),
        access.socket_mode,
        access.socket_group,
    )


def _credentials(endpoint: Endpoint, access: HubAccess, log: Logger) -> grpc.ServerCredentials | None:
    over_tls = access.auth in (HubAuth.MTLS, HubAuth.TOKENREVIEW)
    if endpoint.transport is not Transport.TCP or access.certs_dir is None or not over_tls:
        return None
    # Takes cryptography, which only TLS needs.
    from store_plugin.tls import server_credentials

    return server_credentials(access.certs_dir, log, client_certificates=access.auth is HubAuth.MTLS)
