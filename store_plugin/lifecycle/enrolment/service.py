"""Who gets a certificate: a process with a good token its first, one with a good certificate
the next. Both only while the catalog says that a plugin of that name is to run."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from store_plugin.enrolment import PluginInstance
from store_plugin.errors import PluginRefused, StorePluginError
from store_plugin.lifecycle.audit import Value
from store_plugin.lifecycle.catalog import Catalog
from store_plugin.lifecycle.enrolment.authority import Authority, Issued
from store_plugin.lifecycle.enrolment.record import EnrolmentRecord
from store_plugin.lifecycle.enrolment.tokens import EnrolmentTokens

MayRun: TypeAlias = Callable[[str], bool]
"""Whether a plugin of that name is to run. Blocking."""


def enabled_in(catalog: Catalog) -> MayRun:
    """What the catalog says now."""
    return lambda name: name in catalog.enabled()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An instance and its first certificate."""

    plugin: PluginInstance
    issued: Issued


class Renewals:
    """The rules for who has a certificate, without a transport."""

    def __init__(
        self,
        authority: Authority,
        may_run: MayRun,
        record: EnrolmentRecord,
        renews: Callable[[PluginInstance], bool] = lambda plugin: True,
    ) -> None:
        self._authority = authority
        self._may_run = may_run
        self._record = record
        self._renews = renews

    async def check(self, plugin: PluginInstance) -> None:
        """PluginRefused where no plugin of that name is to run."""
        if not await asyncio.to_thread(self._may_run, plugin.name):
            raise PluginRefused(f"plugin {plugin.name} is not enabled")

    async def renew(self, plugin: PluginInstance, csr_pem: bytes) -> Issued:
        """The next certificate of an instance that showed a good one. PluginRefused,
        InvalidRequest; each is recorded, and so is a certificate before it is given away."""
        try:
            await self.check(plugin)
            if not self._renews(plugin):
                raise PluginRefused(f"instance {plugin.instance} of plugin {plugin.name} runs no more")
            issued = await asyncio.to_thread(self._authority.issue, plugin, csr_pem)
        except StorePluginError as refusal:
            await self._record.refused("refuse-renewal", plugin.name, refusal.message)
            raise
        await self._record.happened("renew", plugin.name, _fields(plugin, issued))
        return issued


class Enrolments:
    """The rules for who has a token, without a transport."""

    def __init__(
        self, authority: Authority, tokens: EnrolmentTokens, may_run: MayRun, record: EnrolmentRecord
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._renewals = Renewals(authority, may_run, record)
        self._record = record

    async def enrol(self, token: str, csr_pem: bytes, name: str) -> Enrolled:
        """A plugin's first certificate. CallerUnknown, PluginRefused, InvalidRequest; recorded as
        renewals are."""
        try:
            claims = self._tokens.take(token, name)
            await self._renewals.check(claims.plugin)
            issued = await asyncio.to_thread(self._authority.issue, claims.plugin, csr_pem)
        except StorePluginError as refusal:
            await self._record.refused("refuse-token", name, refusal.message)
            raise
        fields = {"digest": claims.digest, **_fields(claims.plugin, issued)}
        await self._record.happened("enrol", claims.plugin.name, fields)
        return Enrolled(claims.plugin, issued)


def _fields(plugin: PluginInstance, issued: Issued) -> dict[str, Value]:
    ends = issued.not_after.isoformat(timespec="seconds")
    return {"instance": plugin.instance, "serial": issued.serial, "not_after": ends}
