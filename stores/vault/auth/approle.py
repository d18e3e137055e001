"""Login with a role ID and a secret ID."""

from typing import ClassVar

from hvac.api.auth_methods import AppRole

from store_plugin.store import Credentials
from stores.vault.auth.grant import AdapterFor, Grant, credential, granted
from stores.vault.spec import AppRoleAuth

_REFERENCE = "auth.appRole.secretIdSource"


class AppRoleMethod:
    """The role of `auth.appRole`. A role that binds no secret ID needs none."""

    obtains: ClassVar[bool] = True

    def __init__(self, spec: AppRoleAuth, credentials: Credentials) -> None:
        self._spec = spec
        self._credentials = credentials

    async def login(self, adapter_for: AdapterFor) -> Grant:
        return granted(
            await AppRole(adapter_for("")).login(
                self._spec.role_id, self._secret_id(), use_token=False, mount_point=self._spec.mount_path
            )
        )

    def _secret_id(self) -> str | None:
        if not self._credentials.has(_REFERENCE):
            return None
        return credential(self._credentials.get(_REFERENCE), _REFERENCE)
