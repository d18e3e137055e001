"""Plugins that cannot be told apart, and push each other out: they do it ever more slowly."""

from collections import defaultdict
from itertools import pairwise

import pytest

from store_plugin.plugin.backoff import Backoff
from store_plugin.plugin.connecting import link
from tests.hub.conftest import StartHub, StartPlugin
from tests.support.waiting import until

ROUNDS = 6


class Recorded(Backoff):
    """Its waits are a hundredth of what they would be, and known."""

    waits: defaultdict[int, list[float]]

    def after(self, lived: float) -> float:
        wait = super().after(lived)
        self.waits[id(self)].append(wait)
        return wait


async def test_two_of_one_instance_do_not_hurry(
    start_hub: StartHub, start_plugin: StartPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorded.waits = defaultdict(list)
    monkeypatch.setattr(link, "Backoff", lambda: Recorded(lambda _, wait: wait, first=0.002))
    hub = await start_hub()
    for _ in range(2):
        await start_plugin(instance_id="the only one")
    await until(
        lambda: len(Recorded.waits) == 2 and all(len(w) >= ROUNDS for w in Recorded.waits.values()), within=30
    )
    for waits in Recorded.waits.values():
        assert all(later > earlier for earlier, later in pairwise(waits))
    assert len(hub.registry) <= 1
