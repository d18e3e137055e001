"""Login with an identity of AWS. The server sends a request that we signed to STS, and so
learns who we are: signing makes no call itself."""

import asyncio
from base64 import b64encode
from functools import partial
from typing import ClassVar
from urllib.parse import quote

from store_plugin.errors import ConfigInvalid
from store_plugin.store import Credentials
from stores._threads import Threads
from stores.vault.auth.grant import AdapterFor, Grant, credential, granted
from stores.vault.auth_spec import AWSAuth

_KEYS = ("accessKeyID", "secretAccessKey", "sessionToken")


class AWSMethod:
    """The role of `auth.aws`. botocore, which signs, is imported with the first login."""

    obtains: ClassVar[bool] = True
    block: ClassVar[str] = "auth.aws"
    advice: ClassVar[str] = (
        "mend auth.aws: role, region and headerValue, and the identities that the role binds"
    )

    def __init__(self, spec: AWSAuth, credentials: Credentials) -> None:
        self._spec = spec
        self._credentials = credentials

    async def login(self, adapter_for: AdapterFor) -> Grant:
        # AWS's own chain reads files, and may ask a metadata service or STS: on a thread of its own,
        # for those of the event loop are everybody's.
        thread = Threads(1, "vault-aws-login")
        try:
            signing = partial(_signed, self._spec, self._keys())
            signed = await asyncio.get_running_loop().run_in_executor(thread, signing)
        finally:
            thread.shutdown()
        path = f"/v1/auth/{quote(self._spec.mount_path)}/login"
        return granted(await adapter_for("").login(path, json={"role": self._spec.role, **signed}))

    def _keys(self) -> dict[str, str] | None:
        """The keys of the references by their field; None: AWS's own chain finds them."""
        if self._spec.static is None:
            return None
        paths = {key: f"auth.aws.static.{key}" for key in _KEYS}
        given = {
            key: path for key, path in paths.items() if key != "sessionToken" or self._credentials.has(path)
        }
        return {key: credential(self._credentials.get(path), path) for key, path in given.items()}


def _signed(spec: AWSAuth, keys: dict[str, str] | None) -> dict[str, str]:
    """The fields of a login that hold the request."""
    try:
        from stores.vault.auth.caller_identity import signed_request
    except ImportError as error:
        raise ConfigInvalid(
            f"auth.method AWS needs the module {error.name!r}: install store-plugin with the extra aws too"
        ) from None
    request = signed_request(spec, keys)
    parts = {"url": request.url, "headers": request.headers_json, "body": request.body}
    encoded = {f"iam_request_{name}": b64encode(part.encode()).decode() for name, part in parts.items()}
    return {"iam_http_request_method": request.method, **encoded}
