"""The connection to a Kubernetes API server, and what its refusals mean here.

The library is imported when the first connection is made: it takes half a second and as much
memory as the rest of a sidecar, which one with a config directory does not need.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from store_plugin.errors import ConfigInvalid, LoginRefused, StoreDenied, StorePluginError, StoreUnavailable

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient, ApiException, Configuration


@asynccontextmanager
async def connected(
    kubeconfig: Path | None = None, context: str | None = None, *, or_else: str = ""
) -> AsyncIterator["ApiClient"]:
    """A client of the cluster that `kubeconfig` names (in `context`, or its current one), or of
    the one this Pod runs in.

    ConfigInvalid where there is neither; `or_else` is what its message tells people to do who
    need no cluster. Nothing is sent before the first call.
    """
    if kubeconfig is not None and (problem := await asyncio.to_thread(_unreadable, kubeconfig)):
        raise ConfigInvalid(problem)
    from kubernetes.aio.client import ApiClient

    configuration = await _configuration(kubeconfig, context)
    # Outside of the handler: what the library says may quote the file, and the token in it.
    if configuration is None:
        raise ConfigInvalid(_how_to_connect(kubeconfig, or_else))
    configuration.connection_pool_maxsize = 0  # no bound: each watch keeps a connection
    client = ApiClient(configuration)
    try:
        yield client
    finally:
        await client.close()  # type: ignore[no-untyped-call]


def _unreadable(kubeconfig: Path) -> str | None:
    """Why none of the files, which the value may name several of as $KUBECONFIG does, can be read.
    Blocking."""
    problem = None
    for name in str(kubeconfig).split(os.pathsep):
        try:
            with Path(name).open("rb"):
                return None
        except OSError as error:
            problem = problem or f"the kubeconfig {name} cannot be read: {error.strerror}"
    return problem


async def _configuration(kubeconfig: Path | None, context: str | None) -> "Configuration | None":
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import load_incluster_config, load_kube_config

    found = Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(found)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), context=context, client_configuration=found, persist_config=False
            )
    except Exception:  # a file with anything in it fails in any way
        return None
    return found


def _how_to_connect(kubeconfig: Path | None, or_else: str) -> str:
    if kubeconfig is not None:
        return f"{kubeconfig} cannot be used as a kubeconfig, or has no such context; kubectl would say why"
    ways = " or ".join(filter(None, ("name a cluster with --kubeconfig", or_else)))
    return f"this is no Pod with a ServiceAccount token: {ways}"


@contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Errors of the library, of the call that does `what`, as errors of ours."""
    import aiohttp
    from kubernetes.aio.client import ApiException

    try:
        yield
    except ApiException as error:
        raise _refused(what, error) from None
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        # The exception's text may hold the address with everything in it; its type is enough.
        raise StoreUnavailable(f"the API server cannot be reached ({type(error).__name__})") from None


def _refused(what: str, error: "ApiException") -> StorePluginError:
    """The message holds the API server's reason (`Forbidden`), never what it quotes."""
    status, reason = error.status or 0, error.reason or "no reason given"
    if status == 401:
        return LoginRefused("the API server does not accept the token")
    if status == 403:
        return StoreDenied(f"the API server does not let this ServiceAccount {what}: add it to its role")
    if status == 429 or status >= 500 or status == 0:
        return StoreUnavailable(f"the API server could not {what}: {status} {reason}")
    return ConfigInvalid(f"the API server refuses to {what}: {status} {reason}")
