"""Signatures are checked before each start, by the keys that are trusted then."""

import base64
import json
import os
import signal
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
from tests.lifecycle.conftest import World
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


async def test_a_plugin_starts_no_more_when_its_key_was_taken_away(world: World) -> None:
    notary = Notary(world.layout, world.scratch)
    notary.keys.require(True)
    digest = world.install("1.0").digest
    await world.enable("1.0")
    await until(lambda: world.status is not None and "signatures are required" in world.status.why)
    notary.sign(digest)
    world.supervisor.restart("echo")
    pid = (await world.ready("1.0")).pid
    notary.keys.remove("team.pub")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: world.status is not None and "no trusted key" in world.status.why)
    last = [json.loads(line) for line in world.audit.lines()][-1]
    assert last["event"] in ("refuse-start", "circuit-open")
    assert "no trusted key" in last["why"]


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
