"""Login with the certificate that the connection shows."""

from typing import ClassVar
from urllib.parse import quote

from stores.vault.auth.grant import AdapterFor, Grant, granted
from stores.vault.auth_spec import CertAuth


class CertMethod:
    """The role of `auth.cert`. hvac's own method takes files, and a client of `requests`."""

    obtains: ClassVar[bool] = True
    block: ClassVar[str] = "auth.cert"
    advice: ClassVar[str] = (
        "mend auth.cert, or the CA and the names that its role allows for clientCertificate"
    )

    def __init__(self, spec: CertAuth) -> None:
        self._spec = spec

    async def login(self, adapter_for: AdapterFor) -> Grant:
        path = f"/v1/auth/{quote(self._spec.mount_path)}/login"
        return granted(await adapter_for("").login(path, json={"name": self._spec.name}))
