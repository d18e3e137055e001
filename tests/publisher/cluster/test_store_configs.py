"""What the publisher says of a StoreConfig, and to whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store_plugin.cluster_api import Json
from store_plugin.publisher.cluster.store_configs import StoreConfigs
from store_plugin.publisher.conditions import Reason, Refused
from store_plugin.publisher.wishes.annotations import ALLOWED_NAMESPACES

WRONG: dict[str, Any] = {
    "apiVersion": "secrets.crossplane.io/v1alpha1",
    "kind": "StoreConfig",
    "metadata": {"name": "vault", "annotations": {ALLOWED_NAMESPACES: "team-a"}},
    "spec": {"type": "of-our-own-making"},
}


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
