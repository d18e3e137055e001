"""How a plugin that a sidecar started gets in: its token becomes a certificate, and that the next.

The key is made here and never leaves the process, not even to a file. docs/wire.md, "Enrolment".
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc

from store_plugin import enrolment
from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.endpoints import Endpoint
from store_plugin.errors import Code, InvalidRequest, PluginRefused, StorePluginError
from store_plugin.log import Logger
from store_plugin.plugin.connecting.dialing import DIAL_SECONDS, Door, Tls, addresses, channel_to
from store_plugin.plugin.connecting.refusals import meaning_of
from store_plugin.wire import error_from

LOOK_SECONDS = 30.0
"""Between looks at the clock, which may jump."""
RENEWED_AFTER = 2 / 3
"""Of a certificate's life, less up to a tenth, so that plugins that began together do not renew
together."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the sidecar that started this process put into its environment."""

    endpoint: Endpoint
    ca_file: Path
    token: str = field(repr=False)

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Self:
        """Take it out of the environment: children and whoever prints that shall not see the
        token. InvalidRequest where there is none."""
        token = environ.pop(enrolment.TOKEN_VARIABLE, "")
        endpoint, ca_file = (
            environ.get(name, "") for name in (enrolment.ENDPOINT_VARIABLE, enrolment.CA_FILE_VARIABLE)
        )
        if not (token and endpoint and ca_file):
            raise InvalidRequest(
                "no sidecar has started this plugin: register it and let one run it, try it with "
                "'store-plugin plugin run --dev', or give it the endpoint of a hub (--hub ENDPOINT)"
            )
        return cls(Endpoint.parse(endpoint), Path(ca_file), token)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, and the seconds since 1970 when it came and when it ends."""

    tls: Tls = field(repr=False)
    begins: float
    ends: float


class Membership:
    """A plugin's certificate, the latest one, and where it leads."""

    def __init__(
        self,
        hub: Endpoint,
        instance_id: str,
        certificate: Certificate,
        log: Logger,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.instance_id = instance_id
        self.door = Door(hub, lambda: self._held.tls)
        self._held = certificate
        self._log = log
        self._clock = clock
        self._sleep = sleep

    @classmethod
    async def begun(cls, invitation: Invitation, name: str, log: Logger) -> Self:
        """Use the invitation. PluginRefused, NotReachable, and what else the sidecar says."""
        key, csr = _key_and_request(name)
        request = proto.EnrolRequest(token=invitation.token, csr_pem=csr, name=name)
        tls = Tls(invitation.ca_file, server_name=enrolment.HUB_NAME)
        data = await _called(Door(invitation.endpoint, tls), enrolment.ENROL, request.SerializeToString())
        response = proto.EnrolResponse.FromString(data)
        held = Certificate(
            Tls(response.ca_pem, response.certificate_pem, key, enrolment.HUB_NAME),
            time.time(),
            response.not_after.ToNanoseconds() / 1e9,
        )
        return cls(Endpoint.parse(response.hub_endpoint), response.instance_id, held, log)

    async def keep(self, renewed: Callable[[], None]) -> None:
        """Renew the certificate in time, for ever; the owner cancels. `renewed` is called after
        each. PluginRefused where it ended before it could be renewed."""
        while True:
            await self._due()
            await self._renew_in_time()
            renewed()

    async def _due(self) -> None:
        held = self._held
        share = RENEWED_AFTER * random.uniform(0.9, 1.0)
        due = held.begins + max(1.0, (held.ends - held.begins) * share)
        while (left := due - self._clock()) > 0:
            await self._sleep(min(left, LOOK_SECONDS))

    async def _renew_in_time(self) -> None:
        while True:
            try:
                await self._renew()
                return
            except StorePluginError as error:
                left = self._held.ends - self._clock()
                self._log.warning("certificate not renewed", error=error.message, seconds_left=int(left))
                if left <= 0:
                    raise PluginRefused(
                        f"the certificate has ended and was not renewed: {error.message}"
                    ) from None
                await self._sleep(random.uniform(0.5, 1.0) * min(60.0, max(0.2, left / 20)))

    async def _renew(self) -> None:
        key, csr = _key_and_request("")
        data = await _called(self.door, enrolment.RENEW, proto.RenewRequest(csr_pem=csr).SerializeToString())
        response = proto.RenewResponse.FromString(data)
        self._held = Certificate(
            Tls(response.ca_pem, response.certificate_pem, key, enrolment.HUB_NAME),
            self._clock(),
            response.not_after.ToNanoseconds() / 1e9,
        )
        self._log.info("certificate renewed")


async def _called(door: Door, method: str, request: bytes) -> bytes:
    """The response of a method behind a door. PluginRefused, NotReachable, and what the other end
    says; never with a word of the request in it."""
    target = (await addresses(door.endpoint))[0]
    async with channel_to(target, door) as channel:
        try:
            call = channel.unary_unary(method, bytes, bytes)
            response: bytes = await call(request, timeout=DIAL_SECONDS)
        except grpc.aio.AioRpcError as error:
            # In no variable: the error would hold itself, the call, and so a channel that goes on dialling.
            raise _failure(error, door) from None
    return response


def _failure(error: grpc.aio.AioRpcError, door: Door) -> StorePluginError:
    told = error_from(Code(error.code().value[0]), error.details() or "")
    return meaning_of(error, str(door.endpoint)) or told


def _key_and_request(name: str) -> tuple[bytes, bytes]:
    """A new key, and a certificate request with it, both as PEM. InvalidRequest."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise InvalidRequest("enrolment needs cryptography: install 'store-plugin[plugin]'") from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else []
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, *plain), request.sign(key, hashes.SHA256()).public_bytes(pem)
