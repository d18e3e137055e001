"""What happens in the cluster, and whom it concerns: in which order they are looked at."""

import pytest

from store_plugin.publisher.cluster.watching import Seen
from store_plugin.publisher.conditions import Condition, Place, Reason, Target
from store_plugin.publisher.notices import Notices
from store_plugin.publisher.queue import Key, WorkQueue
from store_plugin.publisher.records import Records

MANY = [Key("ns", f"db-{number}") for number in range(50)]
CHANGED = MANY[-1]


def place_of(target: Target) -> Place:
    """Two StoreConfigs lead to one store."""
    return Place({"also-vault": "vault"}.get(target.store_config, target.store_config), target.name)


class World:
    def __init__(self) -> None:
        self.queue = WorkQueue()
        self.records = Records()
        self.notices = Notices(self.queue, self.records, place_of)
        for key in MANY:
            record = self.records.of(key)
            record.version, record.store_config, record.reason = "1", "vault", Reason.PUBLISHED

    async def order(self) -> list[Key]:
        return [await self.queue.take() for _ in range(len(self.queue))]


@pytest.fixture
def place() -> World:
    return World()


async def test_what_changes_does_not_wait_for_all_secrets_of_a_store_config(place: World) -> None:
    place.notices.store_config_changed("vault")
    place.notices.changed(Seen(CHANGED, "2", None), True)
    assert (await place.order())[0] == CHANGED


async def test_what_has_changed_while_a_store_was_away_goes_first_when_it_is_back(place: World) -> None:
    place.notices.changed(Seen(CHANGED, "2", None), True)
    assert await place.order() == [CHANGED]
    place.queue.done(CHANGED)
    for key in MANY:
        place.records.of(key).failed()
    place.notices.store_is_back("vault")
    assert (await place.order())[0] == CHANGED


async def test_a_change_that_was_worked_on_is_none_any_more(place: World) -> None:
    place.notices.changed(Seen(CHANGED, "2", None), True)
    place.records.of(CHANGED).worked()
    assert not place.records.of(CHANGED).changed


async def test_our_own_write_is_no_change(place: World) -> None:
    place.notices.changed(Seen(CHANGED, "1", None), True)
    assert await place.order() == []


@pytest.mark.parametrize("reason", [Reason.NAME_TAKEN, Reason.NOT_OWNER])
async def test_a_name_that_is_free_is_told_to_those_who_may_want_it(place: World, reason: Reason) -> None:
    waiting, as_well, elsewhere, other_store = MANY[0], MANY[1], Key("other", "db"), MANY[2]
    for key in (waiting, as_well, elsewhere, other_store):
        record = place.records.of(key)
        record.reason, record.store_config = reason, "vault"
    place.records.of(as_well).store_config = "also-vault"
    place.records.of(other_store).store_config = "aws"
    place.notices.name_is_free(Place("vault", "ns/free"))
    assert await place.order() == [waiting, as_well]


@pytest.mark.parametrize(
    ("kind", "name", "holder"),
    [
        ("Published", "ns/db", MANY[0]),
        ("Published", "other/db", None),
        ("Fetched", "ns/db", None),
    ],
    ids=["its own", "another namespace's", "what it fetched"],
)
@pytest.mark.parametrize("reason", [Reason.PUBLISHED, Reason.STORE_CONFIG_MISSING])
async def test_what_was_published_before_keeps_its_name(
    kind: str, name: str, holder: Key | None, reason: Reason
) -> None:
    queue, records = WorkQueue(), Records()
    said = Condition(kind, reason, target=Target("vault", name)).written()
    Notices(queue, records, place_of).changed(Seen(MANY[0], "1", said), False)
    assert records.holder(Place("vault", name)) == holder
