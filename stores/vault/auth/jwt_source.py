"""Where the JWT of a login comes from: a credential reference, or the Pod's own
ServiceAccount token, which the kubelet replaces from time to time."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Credentials
from stores.vault.auth.grant import credential


@dataclass(frozen=True, slots=True)
class JwtSource:
    """Reads the JWT anew each time."""

    credentials: Credentials
    reference: str
    pod_token: Path

    async def read(self) -> str:
        if self.credentials.has(self.reference):
            return credential(self.credentials.get(self.reference), self.reference)
        try:
            token = await asyncio.to_thread(self.pod_token.read_bytes)
        except OSError as error:
            raise ConfigInvalid(
                f"the ServiceAccount token {self.pod_token} cannot be read ({error.strerror}); outside of a "
                f"Pod name another with {self.reference}"
            ) from None
        return credential(token, str(self.pod_token))
