"""Plugins that come through kube-rbac-proxy, which has asked the API server who they are.

What the proxy found stands in headers, and anybody can write a header. So they are believed only
on a listener that nobody but the Pod itself reaches: loopback, in a network namespace of its own.
`x-remote-extra-…` is never read: the proxy passes on what the plugin sent under that name.
"""

from store_plugin.endpoints import Endpoint
from store_plugin.errors import CallerUnknown, InvalidRequest
from store_plugin.hub.entrance import Context
from store_plugin.hub.peer import Identity

_USER = "x-remote-user"
_GROUPS = "x-remote-groups"
_GROUP_SEPARATOR = "|"


async def user_of_proxy(context: Context) -> Identity:
    """Whom the proxy has let through. CallerUnknown where it does not say, or says it twice."""
    users = _values(context, _USER)
    if len(users) != 1 or not users[0]:
        raise CallerUnknown(
            f"the proxy did not say who this is: give it --auth-header-fields-enabled, which sends {_USER}"
        )
    groups = tuple(group for value in _values(context, _GROUPS) for group in value.split(_GROUP_SEPARATOR))
    return Identity(users[0], tuple(group for group in groups if group))


def check_proxy_listener(endpoint: Endpoint, pod_ip: str | None, host_ip: str | None) -> None:
    """InvalidRequest unless headers can be believed there."""
    if not endpoint.is_loopback:
        raise InvalidRequest(
            f"behind kube-rbac-proxy the hub listens on loopback only, not on {endpoint}: "
            "elsewhere anybody could send the proxy's headers"
        )
    if not pod_ip or not host_ip:
        raise InvalidRequest(
            "behind kube-rbac-proxy the hub has to know that its loopback is the Pod's own: pass --pod-ip "
            "and --host-ip through the downward API (status.podIP, status.hostIP)"
        )
    if pod_ip == host_ip:
        raise InvalidRequest(
            "the Pod uses hostNetwork: every process of the node could send the headers of kube-rbac-proxy; "
            "let the hub review tokens itself (--hub-auth tokenreview)"
        )


def _values(context: Context, key: str) -> list[str]:
    found = (value for name, value in context.invocation_metadata() or () if name == key)
    return [value for value in found if isinstance(value, str)]
