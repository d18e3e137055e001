"""From a reference to an engine, and what each config says of itself."""

import json

import pytest

from store_plugin.config.table import LoadedConfig
from store_plugin.engine import OwnershipPolicy, Rules
from store_plugin.errors import (
    Code,
    ConfigInvalid,
    ConfigNotFound,
    Conflict,
    InvalidRequest,
    KindNotServed,
    NotOwner,
    StorePluginError,
    StoreUnavailable,
)
from store_plugin.model import OWNER_LABEL, ConfigReference, Presence, ScopedName, Secret, StoredSecret
from tests.support.fakes import GROUP_VERSION, FakeKind
from tests.support.house import House, reference
from tests.support.waiting import until

NAME = ScopedName.parse("team/db")
CANARY = "s.CAESIcanaryX7f3"


async def test_a_lease_brings_the_engine_and_the_config(house: House) -> None:
    house.put("a")
    with await house.router.lease(reference("a")) as lease:
        assert not (await lease.engine.get(NAME)).present
        assert lease.config is house.table.get(reference("a"))
        assert lease.spec is lease.config.spec
    assert house.calls == [("ShelfConfig", "read", Code.OK)]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        pytest.param(
            ConfigReference(GROUP_VERSION, "PodConfig", "a"),
            KindNotServed,
            f"no store here serves the kind 'PodConfig' ('{GROUP_VERSION}'); "
            f"served: OtherConfig ({GROUP_VERSION}), ShelfConfig ({GROUP_VERSION})",
            id="kind",
        ),
        pytest.param(
            ConfigReference("v2", "ShelfConfig", "a"),
            KindNotServed,
            f"no store here serves the kind 'ShelfConfig' ('v2'); did you mean {GROUP_VERSION}/ShelfConfig?",
            id="version",
        ),
        pytest.param(
            ConfigReference(GROUP_VERSION, "ShelvConfig", "a"),
            KindNotServed,
            f"no store here serves the kind 'ShelvConfig' ('{GROUP_VERSION}'); "
            f"did you mean {GROUP_VERSION}/ShelfConfig?",
            id="misspelt",
        ),
        pytest.param(
            reference("absent"), ConfigNotFound, "there is no ShelfConfig named 'absent'", id="name"
        ),
        pytest.param(
            reference("broken"), ConfigInvalid, "ShelfConfig/broken is invalid: x.yaml:1: bad", id="invalid"
        ),
    ],
)
async def test_a_reference_that_leads_nowhere_says_why(
    asked: ConfigReference, error: type[StorePluginError], message: str, house: House
) -> None:
    house.break_("broken")
    with pytest.raises(error) as caught:
        house.router.find(asked)
    assert caught.value.message.startswith(message)
    with pytest.raises(error):
        await house.router.lease(asked)
    assert house.factory.attempts == 0


@pytest.mark.parametrize(
    ("version", "kind", "answer"),
    [
        pytest.param(GROUP_VERSION, "Brought7Cofnig", "served: ", id="misspelt"),
        pytest.param("v2", "Brought7Config", f"did you mean {GROUP_VERSION}/Brought7Config?", id="version"),
    ],
)
async def test_of_very_many_kinds_none_is_guessed_letter_by_letter(
    version: str, kind: str, answer: str, house: House
) -> None:
    """Callers could hold each other up with it; a kind of another group costs nothing to find."""
    house.router.kinds = {(GROUP_VERSION, f"Brought{n}Config"): FakeKind() for n in range(256)}
    with pytest.raises(KindNotServed) as caught:
        house.router.find(ConfigReference(version, kind, "a"))
    assert f"; {answer}" in caught.value.message


async def test_a_config_is_found_without_its_store(house: House) -> None:
    house.put("a")
    config, spec = house.router.find(reference("a"))
    assert house.factory.attempts == 0
    with await house.router.lease_of(config, spec) as lease:
        assert (lease.config, lease.spec) == (config, spec)
        assert house.factory.attempts == 1


async def test_a_library_that_is_missing_when_the_store_opens_means_that_its_kind_is_not_served(
    house: House,
) -> None:
    house.put("a")
    house.factory.failure = ModuleNotFoundError("No module named 'hvac'", name="hvac")
    with pytest.raises(KindNotServed, match=r"kind ShelfConfig needs the module 'hvac'; install"):
        await house.router.lease(reference("a"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param("auth.token: is empty", "ShelfConfig/a: auth.token: is empty", id="prefixed"),
        pytest.param("login of ShelfConfig/a: no", "login of ShelfConfig/a: no", id="named already"),
    ],
)
@pytest.mark.parametrize("opened", [False, True], ids=["opening", "call"])
async def test_an_invalid_config_is_named(said: str, told: str, opened: bool, house: House) -> None:
    house.put("a")
    house.factory.failure = None if opened else ConfigInvalid(said, metadata={"k": "v"})
    with pytest.raises(ConfigInvalid) as caught, await house.router.lease(reference("a")) as lease:
        house.factory.stores[0].failure = ConfigInvalid(said, metadata={"k": "v"})
        await lease.engine.get(NAME)
    assert (caught.value.message, caught.value.metadata) == (told, {"k": "v"})
    assert [state.last_error for state in house.states()] == [said], "pages name the config beside it"


async def test_long_names_are_shortened_in_messages(house: House) -> None:
    with pytest.raises(KindNotServed) as caught:
        await house.router.lease(ConfigReference("v1", "K" * 10_000, "a"))
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        pytest.param({}, Rules(), id="defaults"),
        pytest.param(
            {"ownership": {"policy": "Adopt", "requireOnDelete": True}},
            Rules(OwnershipPolicy.ADOPT, require_owner_on_delete=True),
            id="ownership",
        ),
        pytest.param({"ownership": {"policy": "Ignore"}}, Rules(OwnershipPolicy.IGNORE), id="ignore"),
        pytest.param({"updatePolicy": "IfNotExists"}, Rules(keep_existing=True), id="update policy"),
    ],
)
async def test_the_spec_decides_the_rules(fields: dict[str, object], rules: Rules, house: House) -> None:
    house.put("a", **fields)
    with await house.router.lease(reference("a")) as lease:
        assert lease.engine.rules == rules


async def test_the_rules_are_enforced_through_a_lease(house: House) -> None:
    house.put("a")
    with await house.router.lease(reference("a")) as lease:
        owned = StoredSecret(Presence.PRESENT, Secret({"k": b"v"}, {OWNER_LABEL: "other"}))

        async def read(*_: object) -> StoredSecret:
            return owned

        house.factory.stores[0].read = read  # type: ignore[method-assign]
        with pytest.raises(NotOwner):
            await lease.engine.apply(NAME, Secret({"k": b"w"}), deadline=1e9)


async def test_a_missing_credential_is_what_the_store_says_when_it_opens(house: House) -> None:
    keys = [{"source": "Environment", "env": {"name": name}} for name in ("PRESENT", "ABSENT")]
    house.put("a", keys=keys)
    with await house.router.lease(reference("a")):
        credentials = house.factory.stores[0].environment.credentials
    assert credentials.get("keys.0") == b"value"
    with pytest.raises(ConfigInvalid, match=r"keys\.1: the environment variable ABSENT is not set"):
        credentials.get("keys.1")


async def test_a_store_knows_its_config_by_name(house: House) -> None:
    house.put("a")
    with await house.router.lease(reference("a")):
        assert house.factory.stores[0].environment.config == "ShelfConfig/a"


async def test_states_tell_each_config_in_order(house: House) -> None:
    for name in ("stale", "ready", "idle", "failing"):
        house.put(name)
    house.break_("invalid")
    house.break_("stale", "x.yaml:2: bad")
    house.factory.failure = ConfigInvalid("no key")
    with pytest.raises(ConfigInvalid):
        await house.router.lease(reference("failing"))
    house.factory.failure = None
    with await house.router.lease(reference("ready")):
        found = [
            (state.reference.name, state.state, state.open, state.leases, state.generation, state.last_error)
            for state in house.states()
        ]
    assert found == [
        ("failing", "Failing", False, 0, 1, "no key"),
        ("idle", "Ready", False, 0, 1, None),
        ("invalid", "Invalid", False, 0, 0, "x.yaml:1: bad"),
        ("ready", "Ready", True, 1, 1, None),
        ("stale", "Stale", False, 0, 1, "x.yaml:2: bad"),
    ]


async def test_a_stale_config_still_serves(house: House) -> None:
    house.put("a")
    house.break_("a")
    with await house.router.lease(reference("a")) as lease:
        await lease.engine.get(NAME)


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        pytest.param(StoreUnavailable("vault is sealed"), "vault is sealed", id="store is away"),
        pytest.param(RuntimeError(CANARY), "read failed with RuntimeError", id="bug hides its text"),
        pytest.param(Conflict("lost the race"), None, id="a lost race is no failure of the store"),
        pytest.param(InvalidRequest("bad name"), None, id="nor is a bad request"),
    ],
)
async def test_the_last_failed_call_shows_until_one_succeeds(
    failure: Exception, shown: str | None, house: House
) -> None:
    house.put("a")
    with await house.router.lease(reference("a")) as lease:
        store = house.factory.stores[0]
        store.failure = failure
        with pytest.raises(type(failure)):
            await lease.engine.get(NAME)
        (state,) = house.states()
        assert (state.last_error, state.state) == (shown, "Failing" if shown else "Ready")
        store.failure = None
        await lease.engine.get(NAME)
        (state,) = house.states()
        assert (state.last_error, state.state) == (None, "Ready")
        assert state.last_success_at is not None


async def test_states_are_ready_for_json(house: House) -> None:
    house.put("a")
    (state,) = json.loads(json.dumps([state.as_json() for state in house.states()]))
    assert (state["kind"], state["name"], state["state"], state["source"]) == (
        "ShelfConfig", "a", "Ready", "a.yaml:1",
    )  # fmt: skip


async def test_lookup_among_ten_thousand_configs_is_by_key(house: House) -> None:
    """What a lookup costs must not grow with the configs: it may not walk them."""
    house.put("a")
    with await house.router.lease(reference("a")):
        pass
    house.table.all = None  # type: ignore[method-assign,assignment]
    with await house.router.lease(reference("a")) as lease:
        assert lease.config.reference == reference("a")


async def test_counting_the_configs_again_walks_none_of_them(house: House) -> None:
    """What metrics and probes cost must not grow with the configs: counts are kept."""
    for name in ("a", "b"):
        house.put(name)
    house.break_("c")
    assert house.router.counts().broken == 1
    house.table._configs = Unwalkable(house.table._configs)
    house.factory.failure = ConfigInvalid("no key")
    with pytest.raises(ConfigInvalid):
        await house.router.lease(reference("b"))
    assert house.router.counts().broken == 2
    assert [state.reference.name for state in house.router.broken()] == ["c", "b"]


class Unwalkable(dict[ConfigReference, LoadedConfig]):
    """A dict that can be asked and not walked."""

    __iter__ = keys = values = items = None  # type: ignore[assignment]


async def test_stores_of_a_kind_are_opened_anew_and_calls_finish_on_the_old_ones(house: House) -> None:
    house.put("a")
    with await house.router.lease(reference("a")):
        house.router.reopen({("another.org/v1", "ShelfConfig")})
        assert house.router.counts().open_stores["ShelfConfig"] == 1
        house.router.reopen({(reference("a").api_version, "ShelfConfig")})
        assert not house.factory.stores[0].closed
        with await house.router.lease(reference("a")):
            assert len(house.factory.stores) == 2
    await until(lambda: house.factory.stores[0].closed)
    assert not house.factory.stores[1].closed
