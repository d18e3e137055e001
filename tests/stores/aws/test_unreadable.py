"""What is stored by others and is no JSON object, in both services: left alone, replaced
under the policy Ignore, and removed like any other secret."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from store_plugin.engine import Engine, LocationLocks, OwnershipPolicy, Rules
from store_plugin.errors import DocumentInvalid
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from stores.aws.store import AWSStore
from tests.stores.aws.opening import new_prefix, open_static, soon
from tests.support.moto import Moto

NAME = ScopedName.parse("team-a/db")
DATA = Secret({"user": b"admin"}, {OWNER_LABEL: "uid-1"})
TAGS = [{"Key": "team", "Value": "a"}]
TORN = '{"password": "hunt'


@dataclass(frozen=True)
class Place:
    """A secret that somebody else writes, in one of the services."""

    store: AWSStore
    full: str
    client: Any

    def put(self, text: str) -> None:
        if self.full.startswith("/"):
            self.client.put_parameter(Name=self.full, Value=text, Type="SecureString", Tags=TAGS)
        else:
            self.client.create_secret(Name=self.full, SecretString=text, Tags=TAGS)

    def text(self) -> str:
        if self.full.startswith("/"):
            found = self.client.get_parameter(Name=self.full, WithDecryption=True)["Parameter"]["Value"]
        else:
            found = self.client.get_secret_value(SecretId=self.full, VersionStage="AWSCURRENT")[
                "SecretString"
            ]
        return str(found)

    def engine(self, policy: OwnershipPolicy = OwnershipPolicy.ENFORCE) -> Engine:
        return Engine(self.store, Rules(policy), LocationLocks())


@pytest.fixture(params=["SecretsManager", "ParameterStore"])
async def place(moto: Moto, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    prefix, parameters = new_prefix(), request.param == "ParameterStore"
    store = await open_static(moto.address, service=request.param, prefix=prefix)
    slash, service = ("/", "ssm") if parameters else ("", "secretsmanager")
    place = Place(store, f"{slash}{prefix}/{NAME}", moto.client(service))
    place.put(TORN)
    yield place
    await store.aclose()


async def test_no_request_touches_it_and_each_names_it(place: Place) -> None:
    engine = place.engine()
    for request in (
        engine.get(NAME),
        engine.apply(NAME, DATA, deadline=soon()),
        engine.delete(NAME, ("user",), deadline=soon()),
    ):
        with pytest.raises(DocumentInvalid, match=place.full) as raised:
            await request
        assert "hunt" not in str(raised.value)
    assert place.text() == TORN


async def test_the_policy_ignore_replaces_the_document_and_keeps_the_tags(place: Place) -> None:
    engine = place.engine(OwnershipPolicy.IGNORE)
    await engine.apply(NAME, DATA, deadline=soon())
    assert place.text() == '{"user":"admin"}'
    assert (await engine.get(NAME)).secret == Secret(DATA.data, {"team": "a", **DATA.metadata})


async def test_it_is_replaced_by_an_empty_document(place: Place) -> None:
    applied = await place.engine(OwnershipPolicy.IGNORE).apply(NAME, Secret(), deadline=soon())
    assert (applied.changed, place.text()) == (True, "{}")


async def test_it_can_be_deleted(place: Place) -> None:
    await place.engine().delete(NAME, (), deadline=soon())
    assert not (await place.engine().get(NAME)).present
