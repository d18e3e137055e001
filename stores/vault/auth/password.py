"""Login with a user name and a password, UserPass or LDAP: one call at different mounts."""

from typing import ClassVar
from urllib.parse import quote

from hvac.api.auth_methods import Userpass

from store_plugin.store import Credentials
from stores.vault.auth.grant import AdapterFor, Grant, granted, secret_text
from stores.vault.auth_spec import PasswordAuth


class PasswordMethod:
    """The user of `auth.userPass` or of `auth.ldap`; `block` is its name."""

    obtains: ClassVar[bool] = True

    def __init__(self, spec: PasswordAuth, credentials: Credentials, block: str) -> None:
        self._spec = spec
        self._credentials = credentials
        self.block = f"auth.{block}"
        self.advice = f"mend {self.block}: username, passwordSource and mountPath"

    async def login(self, adapter_for: AdapterFor) -> Grant:
        reference = f"{self.block}.passwordSource"
        # hvac's Userpass takes both as they go into the path.
        return granted(
            await Userpass(adapter_for("")).login(
                quote(self._spec.username, safe=""),
                secret_text(self._credentials.get(reference), reference),
                use_token=False,
                mount_point=quote(self._spec.mount_path),
            )
        )
