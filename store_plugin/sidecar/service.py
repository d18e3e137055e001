"""The External Secret Store service: requests into the model, through the router, and back.

It decides nothing about secrets (the engine does) and nothing about status codes (the
interceptors do).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from store_plugin._proto import ess_pb2
from store_plugin.dispatch.access import check_access
from store_plugin.dispatch.guards.deadline import request_deadline
from store_plugin.dispatch.lease import Lease
from store_plugin.dispatch.router import Router
from store_plugin.errors import DeadlineExceeded, InvalidRequest, TooLarge
from store_plugin.model import ConfigReference, ScopedName, Version, check_keys
from store_plugin.sidecar.call import MAX_MESSAGE_BYTES, Call, Handler
from store_plugin.wire import changes_to, reference_from, secret_from, secret_to

MessageT = TypeVar("MessageT", bound=Message)
Request = ess_pb2.GetSecretRequest | ess_pb2.ApplySecretRequest | ess_pb2.DeleteKeysRequest
Action = Callable[[Lease, ScopedName, float], Awaitable[Message]]

_MOMENT = 0.1
"""Seconds in which gRPC ends a call whose time is over."""


class SecretStoreService:
    """The three methods; each takes and returns serialized messages."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its name in the proto."""
        return {"GetSecret": self.get, "ApplySecret": self.apply, "DeleteKeys": self.delete_keys}

    async def get(self, data: bytes, call: Call) -> bytes:
        """GetSecret: the latest version or `options.version`."""
        request = _parse(ess_pb2.GetSecretRequest, data)
        version = Version(request.options.version) if request.options.version else None

        async def action(lease: Lease, name: ScopedName, deadline: float) -> Message:
            stored = await lease.engine.get(name, version=version)
            if not stored.present:
                return ess_pb2.GetSecretResponse(secret=ess_pb2.Secret(scoped_name=str(name)))
            response = ess_pb2.GetSecretResponse(
                secret=secret_to(name, stored.secret), version=stored.version or ""
            )
            if (size := response.ByteSize()) > MAX_MESSAGE_BYTES:
                raise TooLarge(
                    f"secret {name}, written by others, is {size} bytes; an answer holds {MAX_MESSAGE_BYTES}"
                )
            return response

        return await self._run(request, call, action)

    async def apply(self, data: bytes, call: Call) -> bytes:
        """ApplySecret: merge, or with `options.dry_run` tell what a merge would change."""
        request = _parse(ess_pb2.ApplySecretRequest, data)
        options = request.options
        secret = secret_from(request.secret)

        async def action(lease: Lease, name: ScopedName, deadline: float) -> Message:
            secret.check_request()
            applied = await lease.engine.apply(
                name,
                secret,
                deadline=deadline,
                dry_run=options.dry_run,
                if_version=Version(options.if_version) if options.if_version else None,
            )
            return ess_pb2.ApplySecretResponse(
                changed=applied.changed, changes=changes_to(applied.changes), version=applied.version or ""
            )

        return await self._run(request, call, action)

    async def delete_keys(self, data: bytes, call: Call) -> bytes:
        """DeleteKeys: the keys in the secret's data, or without any the whole secret."""
        request = _parse(ess_pb2.DeleteKeysRequest, data)
        options = request.options
        secret = secret_from(request.secret)

        async def action(lease: Lease, name: ScopedName, deadline: float) -> Message:
            check_keys(secret.data)
            changes = await lease.engine.delete(
                name,
                frozenset(secret.data),
                deadline=deadline,
                owner=secret.owner,
                keep_empty=options.keep_empty_secret,
                dry_run=options.dry_run,
            )
            return ess_pb2.DeleteKeysResponse(changes=changes_to(changes))

        return await self._run(request, call, action)

    async def _run(self, request: Request, call: Call, action: Action) -> bytes:
        """Do `action` with a lease on the store, if it is allowed, within the deadline."""
        reference, name = _target(request, call)
        config, spec = self._router.find(reference)
        call.kind = reference.kind
        # Before the store is opened: whoever may not use it neither learns what is wrong
        # with it nor makes it do anything.
        check_access(spec, reference, call.callers, name)
        timeout = await _time_left(call)
        deadline = asyncio.get_running_loop().time() + (spec.timeout if timeout is None else timeout)
        request_deadline.set(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                with await self._router.lease_of(config, spec) as lease:
                    return (await action(lease, name, deadline)).SerializeToString()
        except TimeoutError:
            raise DeadlineExceeded(f"{reference} did not answer in time for secret {name}") from None


async def _time_left(call: Call) -> float | None:
    """Seconds until the call's deadline; None where it is not known.

    It is a time of day, and so has passed also where the clock was set forward since the call came.
    gRPC itself measures by a clock that nobody sets: what it lets live for a moment has time.
    """
    left = call.context.time_remaining()
    if left is None or left > 0:
        return left
    await asyncio.sleep(_MOMENT)
    return None


def _parse(message: type[MessageT], data: bytes) -> MessageT:
    try:
        return message.FromString(data)
    except DecodeError:
        raise InvalidRequest(
            f"the request is not a {message.DESCRIPTOR.name}: malformed, or text that is not UTF-8"
        ) from None


def _target(request: Request, call: Call) -> tuple[ConfigReference, ScopedName]:
    """What the request is about; noted in the call for log lines."""
    if not request.HasField("config"):
        raise InvalidRequest("the request has no config: name the store config to use")
    if not request.HasField("secret"):
        raise InvalidRequest("the request has no secret")
    reference = reference_from(request.config)
    call.config = str(reference)
    name = ScopedName.parse(request.secret.scoped_name)
    call.name = str(name)
    return reference, name
