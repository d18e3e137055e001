"""The hub's listener for plugins that this process runs: only certificates of its CA get in.

A certificate says which instance of which plugin shows it. Whether a plugin of that name may
still run is asked of the catalog each time somebody comes in, so that nothing need be revoked.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from cryptography import x509

from store_plugin import enrolment
from store_plugin._proto import lifecycle_pb2 as proto
from store_plugin.endpoints import Endpoint
from store_plugin.enrolment import PluginInstance
from store_plugin.errors import CallerUnknown, PluginRefused, StorePluginError
from store_plugin.hub.entrance import Context
from store_plugin.hub.hub import HubListener
from store_plugin.hub.peer import Identity
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.enrolment.answers import answering
from store_plugin.lifecycle.enrolment.authority import Authority
from store_plugin.lifecycle.enrolment.credentials import server_credentials
from store_plugin.lifecycle.enrolment.record import EnrolmentRecord
from store_plugin.lifecycle.enrolment.service import MayRun, Renewals
from store_plugin.log import Logger


async def plugin_listener(
    endpoint: Endpoint,
    authority: Authority,
    may_run: MayRun,
    audit: AuditLog,
    log: Logger,
    *,
    renews: Callable[[PluginInstance], bool] = lambda plugin: True,
) -> HubListener:
    """What to start a hub with. `renews`: whether this process may have another certificate, so that a
    key that was copied is worth nothing for longer than its process. Raises what `Authority` raises."""
    record = EnrolmentRecord(audit, log)
    way = _Way(Renewals(authority, may_run, record, renews), record)
    credentials = await asyncio.to_thread(server_credentials, authority, log, plugins_only=True)
    return HubListener(endpoint, way.authenticate, way.authorize, credentials, handlers=(way.handlers(),))


class _Way:
    """How plugins come in here, and how they renew what they came in with."""

    def __init__(self, renewals: Renewals, record: EnrolmentRecord) -> None:
        self._renewals = renewals
        self._record = record

    async def authenticate(self, context: Context) -> Identity:
        """CallerUnknown, PluginRefused."""
        try:
            plugin = plugin_of(context)
        except CallerUnknown as refusal:
            await self._record.refused("refuse-certificate", "", refusal.message)
            raise
        try:
            await self._renewals.check(plugin)
        except StorePluginError as refusal:
            await self._record.refused("refuse-certificate", plugin.name, refusal.message)
            raise
        return Identity(plugin.uri, instance=plugin.instance)

    async def authorize(self, identity: Identity, name: str) -> None:
        """PluginRefused where the certificate is for another name."""
        plugin = PluginInstance.from_uri(identity.user)
        if plugin is None or plugin.name != name:
            why = f"the certificate of {identity.user} is not for a plugin named {name}"
            await self._record.refused("refuse-name", name, why)
            raise PluginRefused(why)

    def handlers(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """Renew."""
        renew = grpc.unary_unary_rpc_method_handler(
            answering(self._renew), proto.RenewRequest.FromString, proto.RenewResponse.SerializeToString
        )
        return grpc.method_handlers_generic_handler(enrolment.SERVICE, {"Renew": renew})

    async def _renew(self, request: proto.RenewRequest, context: Context) -> proto.RenewResponse:
        issued = await self._renewals.renew(plugin_of(context), request.csr_pem)
        response = proto.RenewResponse(certificate_pem=issued.certificate, ca_pem=issued.trusted)
        response.not_after.FromDatetime(issued.not_after)
        return response


def plugin_of(context: Context) -> PluginInstance:
    """The instance that the client's certificate names. TLS has checked who signed it, and that
    it has not ended. CallerUnknown."""
    shown = next(iter(context.auth_context().get("x509_pem_cert", ())), b"")
    try:
        names = x509.load_pem_x509_certificate(shown).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound):
        uris = []
    plugin = PluginInstance.from_uri(uris[0]) if len(uris) == 1 else None
    if plugin is None:
        raise CallerUnknown("the client certificate names no instance of a plugin")
    return plugin
