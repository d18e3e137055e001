"""The listener that a plugin finds in its environment: loopback, TLS, and one method.

It is a listener of its own, because Python's gRPC servers ask each client for a certificate or
none, and who enrols has none yet.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from store_plugin import enrolment
from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.endpoints import Endpoint
from store_plugin.errors import InvalidRequest
from store_plugin.grpc_options import UNCOMPRESSED
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.enrolment.answers import answering
from store_plugin.lifecycle.enrolment.authority import Authority
from store_plugin.lifecycle.enrolment.credentials import server_credentials
from store_plugin.lifecycle.enrolment.record import EnrolmentRecord
from store_plugin.lifecycle.enrolment.service import Enrolments, MayRun
from store_plugin.lifecycle.enrolment.tokens import EnrolmentTokens
from store_plugin.log import Logger

_ANY_PORT = "127.0.0.1:0"
_MOST_BYTES = 64 * 1024
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", _MOST_BYTES),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.max_connection_idle_ms", 10_000),
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.so_reuseport", 0),
    UNCOMPRESSED,
]
_MOST_CALLS = 64


class EnrolmentServer:
    """Belongs to one event loop. `hub` is where plugins find the hub once they are enrolled; it
    is asked at each enrolment."""

    def __init__(
        self,
        authority: Authority,
        tokens: EnrolmentTokens,
        may_run: MayRun,
        audit: AuditLog,
        log: Logger,
        *,
        hub: Callable[[], Endpoint],
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._enrolments = Enrolments(authority, tokens, may_run, EnrolmentRecord(audit, log))
        self._log = log
        self._hub = hub
        self._server: grpc.aio.Server | None = None
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens, once it does."""
        assert self._endpoint is not None, "it has been started"
        return self._endpoint

    @property
    def ca_file(self) -> Path:
        """What a plugin checks this server's certificate with."""
        return self._authority.ca_file

    async def start(self) -> None:
        """Listen on a free port. What `Authority` raises; InvalidRequest where no port is free."""
        await asyncio.to_thread(self._authority.prepare)
        credentials = await asyncio.to_thread(
            server_credentials, self._authority, self._log, plugins_only=False
        )
        server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=_MOST_CALLS)
        enrol = grpc.unary_unary_rpc_method_handler(
            answering(self._enrol), proto.EnrolRequest.FromString, proto.EnrolResponse.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(enrolment.SERVICE, {"Enrol": enrol}),)
        )
        try:
            port = server.add_secure_port(_ANY_PORT, credentials)
        except RuntimeError:
            raise InvalidRequest("no port on 127.0.0.1 is free for enrolment") from None
        await server.start()
        self._server, self._endpoint = server, Endpoint.parse(f"127.0.0.1:{port}")
        self._log.info("enrolment listening", endpoint=str(self._endpoint))

    async def stop(self, grace: float = 0.5) -> None:
        """Close; who is enrolling has `grace` seconds to finish."""
        if self._server is not None:
            await self._server.stop(grace)
            # It refers to this object. What is left for the end of the interpreter holds that up for seconds.
            self._server = None

    async def environment(self, name: str, instance: str, digest: str) -> dict[str, str]:
        """What a process that is about to start is given, to enrol with. The token in it is a
        secret. InvalidRequest, Overloaded, and what `Authority` raises."""
        ca_file = await asyncio.to_thread(self._authority.prepare)
        return {
            enrolment.ENDPOINT_VARIABLE: str(self.endpoint),
            enrolment.CA_FILE_VARIABLE: str(ca_file),
            enrolment.TOKEN_VARIABLE: self._tokens.issue(name, instance, digest),
        }

    async def _enrol(
        self, request: proto.EnrolRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> proto.EnrolResponse:
        enrolled = await self._enrolments.enrol(request.token, request.csr_pem, request.name)
        issued = enrolled.issued
        response = proto.EnrolResponse(
            certificate_pem=issued.certificate,
            ca_pem=issued.trusted,
            hub_endpoint=str(self._hub()),
            instance_id=enrolled.plugin.instance,
        )
        response.not_after.FromDatetime(issued.not_after)
        return response
