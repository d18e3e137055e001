"""A secret of the store into a Secret that asks for it, again and again."""

import random
from collections.abc import Mapping
from time import monotonic

from store_plugin.publisher.cluster.secrets import ClusterSecrets, FoundSecret
from store_plugin.publisher.cluster.store_configs import StoreConfigs
from store_plugin.publisher.conditions import Condition, Reason, Refused
from store_plugin.publisher.records import Fingerprints, Record
from store_plugin.publisher.wishes.wish import UpdatePolicy, Wish
from store_plugin.publisher.work.external import External

_EARLY = 0.85
"""Part of the interval after which it is time again; until then a Secret as we left it, such as one
that we have just written, makes no call."""


class Fetching:
    """Writes the Secret only where it differs."""

    def __init__(self, secrets: ClusterSecrets, configs: StoreConfigs, external: External) -> None:
        self._secrets = secrets
        self._configs = configs
        self._external = external
        self._fingerprints = Fingerprints()

    async def fetch(
        self, secret: FoundSecret, wish: Wish, record: Record, said: Condition | None
    ) -> tuple[Condition, float]:
        """What to say, and seconds until the next time. Raises Refused."""
        again = wish.refresh_interval * random.uniform(0.9, 1)
        config = self._configs.usable(wish.target.store_config, secret.key.namespace)
        asked = f"{wish!r}{config.spec!r}"
        if record.fingerprint == self._fingerprints.of(asked, secret.data):
            left = record.compared_at + _EARLY * wish.refresh_interval - monotonic()
            if left > 0 and said is not None and said.good:
                return said, left
        found = await self._external.fetch(secret.key, wish.target)
        if not found:
            told = f"there is no {wish.target}; what this Secret holds stays"
            raise Refused(Reason.NOTHING_TO_FETCH, told, again)
        change = _difference(secret.data, wish.keys.select(found), wish.update_policy)
        if change:
            record.version = await self._secrets.fill(secret, record.version, change)
        record.fingerprint = self._fingerprints.of(asked, _changed(secret.data, change))
        record.compared_at = monotonic()
        return Condition(wish.direction, Reason.FETCHED, "", wish.target), again


def _difference(
    here: Mapping[str, bytes], there: Mapping[str, bytes], policy: UpdatePolicy
) -> dict[str, bytes | None]:
    """What to write; None: a key to remove."""
    if policy is UpdatePolicy.IF_NOT_EXISTS:
        return {key: value for key, value in there.items() if key not in here}
    change: dict[str, bytes | None] = {key: value for key, value in there.items() if here.get(key) != value}
    if policy is UpdatePolicy.MIRROR:
        change |= dict.fromkeys(here.keys() - there.keys())
    return change


def _changed(here: Mapping[str, bytes], change: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """The data after the change."""
    return {key: value for key, value in {**here, **change}.items() if value is not None}
