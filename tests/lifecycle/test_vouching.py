"""Signatures are checked before each start, by the keys that are trusted then."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from store_plugin.errors import PluginUntrusted, StoreUnavailable
from store_plugin.lifecycle.administration.origins import Origin, Origins
from store_plugin.lifecycle.administration.trust import TrustedKeys
from store_plugin.lifecycle.administration.vouching import Vouching
from store_plugin.lifecycle.audit import AuditLog
from store_plugin.lifecycle.catalog import now
from store_plugin.lifecycle.content import ContentStore
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.registration import Registration
from store_plugin.lifecycle.supervision.states import State
from tests.lifecycle.conftest import World
from tests.support.processes import alive
from tests.support.waiting import until


class Notary:
    """Has a key, which is trusted, and signs with it."""

    def __init__(self, layout: Layout, scratch: Path) -> None:
        self.keys = TrustedKeys(layout, AuditLog(layout.audit))
        self._layout = layout
        self._key = ed25519.Ed25519PrivateKey.generate()
        self._file = scratch / "team.pub"
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._file.write_bytes(public)
        self.trusted()

    def trusted(self) -> None:
        self.keys.add(self._file)

    def sign(self, digest: str) -> None:
        content = ContentStore(self._layout.content).path(digest).read_bytes()
        signature = base64.b64encode(self._key.sign(content)).decode()
        origin = Origin(digest=digest, source="test", signature=signature, installed_at=now())
        Origins(self._layout).put(origin)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "plugins")
    layout.prepare()
    return layout


@pytest.fixture
def notary(layout: Layout, tmp_path: Path) -> Notary:
    return Notary(layout, tmp_path)


@pytest.fixture
def registration(layout: Layout, tmp_path: Path) -> Registration:
    (tmp_path / "shelves").write_text("#!/bin/sh")
    digest = ContentStore(layout.content).add(tmp_path / "shelves")
    return Registration(name="shelves", version="1.0", digest=digest, registered_at=now())


def signed(registration: Registration) -> Registration:
    return registration.model_copy(update={"signer": "team.pub"})


async def check(layout: Layout, registration: Registration) -> None:
    await Vouching(layout, AuditLog(layout.audit)).check(registration)


async def test_what_nobody_has_signed_starts_where_nobody_asks(
    layout: Layout, registration: Registration, notary: Notary
) -> None:
    await check(layout, registration)
    notary.keys.require(True)
    with pytest.raises(PluginUntrusted, match=r"signatures are required .* --signature FILE"):
        await check(layout, registration)


@pytest.mark.parametrize("required", [True, False])
async def test_a_key_that_is_trusted_no_more_vouches_no_more(
    layout: Layout, registration: Registration, notary: Notary, required: bool
) -> None:
    notary.sign(registration.digest)
    notary.keys.require(required)
    await check(layout, signed(registration))
    notary.keys.remove("team.pub")
    with pytest.raises(PluginUntrusted, match=r"no trusted key.*It was signed by team.pub.*trust add"):
        await check(layout, signed(registration))
    notary.trusted()
    await check(layout, signed(registration))


async def test_a_signature_of_other_bytes_is_none(
    layout: Layout, registration: Registration, notary: Notary
) -> None:
    """Signed as it stands on the disk, and not what was registered: nobody vouches for that."""
    path = ContentStore(layout.content).path(registration.digest)
    path.chmod(0o700)
    path.write_text("#!/bin/sh\nevil")
    notary.sign(registration.digest)
    with pytest.raises(PluginUntrusted, match="not the one that was registered"):
        await check(layout, signed(registration))
    path.unlink()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await check(layout, signed(registration))


async def test_a_plugin_that_may_not_start_is_tried_once_and_starts_when_it_may(world: World) -> None:
    notary = Notary(world.layout, world.scratch)
    notary.keys.require(True)
    digest = world.install("1.0").digest
    await world.enable("1.0")
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    assert world.status is not None
    assert "signatures are required" in world.status.why
    assert world.happened() == ["refuse-start", "circuit-open"]
    notary.sign(digest)
    world.supervisor.restart("echo")
    await world.ready("1.0")


async def test_a_plugin_ends_when_its_key_is_taken_away_and_runs_again_when_it_is_back(world: World) -> None:
    """Nobody has to restart anything, or to tell the sidecar."""
    notary = Notary(world.layout, world.scratch)
    registration = world.install("1.0", signer="team.pub")
    notary.sign(registration.digest)
    await world.enable("1.0")
    pid = (await world.ready("1.0")).pid
    notary.keys.remove("team.pub")
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    assert pid is not None
    assert not alive(pid)
    assert world.status is not None
    assert "no trusted key" in world.status.why
    assert world.happened() == ["start", "refuse-run", "exit", "circuit-open"]
    refused = next(one for one in map(json.loads, world.audit.lines()) if one["event"] == "refuse-run")
    assert "It was signed by team.pub" in refused["why"]
    assert refused["digest"] == registration.digest
    notary.trusted()
    await world.ready("1.0")
    world.audit.verify()


async def test_what_nobody_signed_ends_when_signatures_are_required(world: World) -> None:
    notary = Notary(world.layout, world.scratch)
    world.install("1.0")
    await world.enable("1.0")
    await world.ready("1.0")
    notary.keys.require(True)
    await until(lambda: world.status is not None and world.status.state is State.BROKEN)
    notary.keys.require(False)
    await world.ready("1.0")


async def test_a_key_that_is_taken_away_ends_nothing_that_another_one_vouches_for(world: World) -> None:
    notary = Notary(world.layout, world.scratch)
    notary.sign(world.install("1.0", signer="team.pub").digest)
    await world.enable("1.0")
    before = await world.ready("1.0")
    other = world.scratch / "other.pub"
    other.write_bytes((world.layout.trusted_keys / "team.pub").read_bytes())
    notary.keys.add(other)
    notary.keys.remove("team.pub")
    await world.supervisor.look()
    world.supervisor.restart("echo")  # which comes after the question who vouches for it
    await until(lambda: world.status is not None and world.status.instance_id != before.instance_id)
    await world.ready("1.0")
    assert world.happened() == ["start", "exit", "start"]


async def test_a_file_that_is_no_key_ends_nothing(world: World) -> None:
    """Nobody can tell then, and what was vouched for runs on until somebody can."""
    notary = Notary(world.layout, world.scratch)
    notary.sign(world.install("1.0", signer="team.pub").digest)
    await world.enable("1.0")
    before = await world.ready("1.0")
    wrong = world.layout.trusted_keys / "wrong.pem"
    wrong.write_text("no key")
    await until(lambda: world.log.events("error"))
    level, event, fields = next(entry for entry in world.log.entries if entry[0] == "error")
    assert (level, "runs on" in event, "wrong.pem" in fields["error"]) == ("error", True, True)
    assert (await world.ready("1.0")).pid == before.pid
    (world.layout.trusted_keys / "team.pub").unlink()
    wrong.unlink()
    await until(lambda: "refuse-run" in world.events())


async def test_an_update_is_not_taken_over_when_its_key_is_taken_away(world: World) -> None:
    """While it is being tried; the old version, which somebody else signed, runs on."""
    notary = Notary(world.layout, world.scratch)
    world.install("1.0")
    marker = world.scratch / "go"
    wait = f"import time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.01)"
    notary.sign(world.install("2.0", before=wait, signer="team.pub").digest)
    await world.enable("1.0")
    before = await world.ready("1.0")
    await world.enable("2.0")
    await until(lambda: world.events().count("start") == 2)
    notary.keys.remove("team.pub")
    await world.supervisor.look()
    marker.touch()
    await until(lambda: "roll-back" in world.events())
    assert (await world.ready("1.0")).pid == before.pid
    assert "updated" not in world.events()


async def test_an_update_to_what_nobody_vouches_for_is_rolled_back(world: World) -> None:
    notary = Notary(world.layout, world.scratch)
    notary.sign(world.install("1.0").digest)
    notary.keys.require(True)
    world.install("2.0")
    await world.enable("1.0")
    before = await world.ready("1.0")
    await world.enable("2.0")
    await until(lambda: "roll-back" in world.events())
    after = await world.ready("1.0")
    assert after.pid == before.pid
    assert "signatures are required" in after.why
    assert world.events().count("start") == 1
