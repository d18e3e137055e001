"""Login with a JWT of an issuer that the server trusts."""

from pathlib import Path
from typing import ClassVar

from hvac.api.auth_methods import JWT

from store_plugin.store import Credentials
from stores.vault.auth.grant import AdapterFor, Grant, granted
from stores.vault.auth.jwt_source import JwtSource
from stores.vault.auth_spec import JWTAuth


class JWTMethod:
    """The role of `auth.jwt`."""

    obtains: ClassVar[bool] = True
    block: ClassVar[str] = "auth.jwt"
    advice: ClassVar[str] = (
        "mend auth.jwt: role and mountPath, and the subject and audience that the role binds"
    )

    def __init__(self, spec: JWTAuth, credentials: Credentials, pod_token: Path) -> None:
        self._spec = spec
        self._source = JwtSource(credentials, "auth.jwt.tokenSource", pod_token)

    async def login(self, adapter_for: AdapterFor) -> Grant:
        return granted(
            await JWT(adapter_for("")).jwt_login(
                self._spec.role, await self._source.read(), use_token=False, path=self._spec.mount_path
            )
        )
