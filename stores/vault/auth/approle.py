"""Login with a role ID and a secret ID."""

from typing import ClassVar

from hvac.api.auth_methods import AppRole

from store_plugin.store import Credentials
from stores.vault.auth.grant import AdapterFor, Grant, credential, granted
from stores.vault.auth.wrapping import unwrapped_secret_id
from stores.vault.auth_spec import AppRoleAuth
from stores.vault.secret_ids import SecretIds

_REFERENCE = "auth.appRole.secretIdSource"


class AppRoleMethod:
    """The role of `auth.appRole`. A role that binds no secret ID needs none."""

    obtains: ClassVar[bool] = True
    block: ClassVar[str] = "auth.appRole"

    def __init__(
        self, spec: AppRoleAuth, credentials: Credentials, server: str, secret_ids: SecretIds
    ) -> None:
        self._spec = spec
        self._credentials = credentials
        self._server = server
        self._secret_ids = secret_ids

    @property
    def advice(self) -> str:
        if self._spec.secret_id_wrapped:
            return f"wrap a new secret ID for {_REFERENCE}, or mend roleId and mountPath"
        return f"make a new secret ID for {_REFERENCE}, or mend roleId and mountPath"

    async def login(self, adapter_for: AdapterFor) -> Grant:
        return granted(
            await AppRole(adapter_for("")).login(
                self._spec.role_id,
                await self._secret_id(adapter_for),
                use_token=False,
                mount_point=self._spec.mount_path,
            )
        )

    async def _secret_id(self, adapter_for: AdapterFor) -> str | None:
        if not self._credentials.has(_REFERENCE):
            return None
        given = credential(self._credentials.get(_REFERENCE), _REFERENCE)
        if not self._spec.secret_id_wrapped:
            return given
        return await self._secret_ids.unwrapped(
            self._server, given, lambda: unwrapped_secret_id(adapter_for(given), _REFERENCE)
        )
