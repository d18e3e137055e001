"""Login with a ServiceAccount's token, which the server has reviewed by the API server."""

from pathlib import Path
from typing import ClassVar

from hvac.api.auth_methods import Kubernetes

from store_plugin.store import Credentials
from stores.vault.auth.grant import AdapterFor, Grant, granted
from stores.vault.auth.jwt_source import JwtSource
from stores.vault.auth_spec import KubernetesAuth


class KubernetesMethod:
    """The role of `auth.kubernetes`."""

    obtains: ClassVar[bool] = True
    block: ClassVar[str] = "auth.kubernetes"
    advice: ClassVar[str] = (
        "mend auth.kubernetes: role and mountPath, and the ServiceAccounts that the role binds"
    )

    def __init__(self, spec: KubernetesAuth, credentials: Credentials, pod_token: Path) -> None:
        self._spec = spec
        self._source = JwtSource(credentials, "auth.kubernetes.serviceAccountTokenSource", pod_token)

    async def login(self, adapter_for: AdapterFor) -> Grant:
        return granted(
            await Kubernetes(adapter_for("")).login(
                self._spec.role, await self._source.read(), use_token=False, mount_point=self._spec.mount_path
            )
        )
