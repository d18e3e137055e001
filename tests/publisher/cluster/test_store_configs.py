"""What the publisher says of a StoreConfig, and to whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.cluster_api import Json
from store_plugin.publisher.cluster.store_configs import StoreConfigs
from store_plugin.publisher.conditions import Reason, Refused, Target
from store_plugin.publisher.wishes.annotations import ALLOWED_NAMESPACES
from store_plugin.watching.requests import Event

WRONG: dict[str, Any] = {
    "apiVersion": "secrets.crossplane.io/v1alpha1",
    "kind": "StoreConfig",
    "metadata": {"name": "vault", "annotations": {ALLOWED_NAMESPACES: "team-a"}},
    "spec": {"type": "of-our-own-making"},
}


def leading(name: str, endpoint: str, config: str = "vault") -> Json:
    reference = {"apiVersion": "secrets.crossplane.io/v1alpha1", "kind": "VaultConfig", "name": config}
    external = {"endpoint": endpoint, "configRef": reference}
    spec = {"type": "External", "defaultScope": "none", "external": external}
    return {"metadata": {"name": name}, "spec": spec}


async def pages(*manifests: Json) -> AsyncIterator[list[Json]]:
    yield list(manifests)


@pytest.mark.parametrize(
    ("namespace", "reason"),
    [("team-a", Reason.STORE_CONFIG_INVALID), ("team-b", Reason.STORE_CONFIG_NOT_ALLOWED)],
)
async def test_who_may_not_use_it_learns_nothing_of_what_is_in_it(namespace: str, reason: Reason) -> None:
    configs = StoreConfigs(lambda name: None)
    await configs.listed(pages(WRONG))
    with pytest.raises(Refused) as refused:
        configs.usable("vault", namespace)
    assert refused.value.reason is reason
    assert ("of-our-own-making" in str(refused.value)) == (namespace == "team-a")


async def test_a_place_is_that_of_all_who_lead_there() -> None:
    configs = StoreConfigs(lambda name: None)
    same = [leading("a", "unix:///@sidecar"), leading("b", "@sidecar")]
    others = [leading("c", "/sidecar"), leading("d", "@sidecar", "other"), WRONG]
    await configs.listed(pages(*same, *others))
    names = ("a", "b", "c", "d", "vault", "missing")
    places = [configs.place(Target(name, "ns/db")) for name in names]
    assert places[0] == places[1] != configs.place(Target("a", "ns/other"))
    assert len(set(places)) == len(names) - 1


async def test_a_place_is_where_the_store_config_leads_now() -> None:
    configs = StoreConfigs(lambda name: None)
    target = Target("a", "ns/db")
    found = []
    for endpoint in ("@one", "@two"):
        await configs.listed(pages(leading("a", endpoint)))
        found.append(configs.place(target))
    await configs.changed([Event(False, leading("a", "@three"))])
    found.append(configs.place(target))
    await configs.changed([Event(True, leading("a", "@three"))])
    found.append(configs.place(target))
    assert len(set(found)) == 4
