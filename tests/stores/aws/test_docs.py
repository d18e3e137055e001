"""The page about AWSConfig tells the truth: its manifests work, its fields are all there."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from store_plugin.config.reading import read_directory
from store_plugin.model import OWNER_LABEL, ScopedName, Secret
from store_plugin.spec import CredentialReference, Manifest, StoreSpec
from store_plugin.store import served_kinds
from store_plugin.testing.environment import MemoryCredentials, memory_environment
from stores.aws import AWSFactory
from stores.aws.spec import AWSSpec
from tests.docs.pages import DOCS, blocks, code
from tests.stores.aws.opening import KEYS, engine_over, soon
from tests.support.moto import Moto

PAGE = DOCS / "stores" / "aws.md"
SECRET = Secret({"password": b"\xff\x00"}, {OWNER_LABEL: "uid-1"})


@pytest.mark.parametrize(
    "manifest", blocks(PAGE, "yaml"), ids=re.findall(r"  name: (\S+)\nspec", PAGE.read_text())
)
async def test_a_manifest_of_the_page_works(
    moto: Moto, manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands there, but for the address of AWS and for the place of the Pod's token."""
    (tmp_path / "manifest.yaml").write_text(manifest)
    token = tmp_path / "token"
    token.write_text("pod-token")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    reading = read_directory(tmp_path, served_kinds())
    assert reading.problems == ()
    (config,) = reading.configs
    spec = config.spec
    assert isinstance(spec, AWSSpec)
    auth = spec.auth.model_copy(update={"sts_endpoint": moto.address})
    spec = spec.model_copy(update={"endpoint": moto.address, "auth": auth})
    for alias in set(re.findall(r"kmsKeyID: (alias/\S+)", manifest)):
        moto.key(alias)
    store = await AWSFactory(token).open(spec, memory_environment(MemoryCredentials(KEYS)))
    engine, name = engine_over(store), ScopedName.parse(f"{tmp_path.name}/db")
    await engine.apply(name, SECRET, deadline=soon())
    assert (await engine.get(name)).secret == SECRET
    await engine.delete(name, [], deadline=soon())
    assert not (await engine.get(name)).present
    await store.check()
    await store.aclose()


def test_there_is_a_manifest_for_every_login() -> None:
    text = "\n".join(blocks(PAGE, "yaml"))
    for shown in (
        "method: Default",
        "method: Static",
        "method: WebIdentity",
        "roles:",
        "service: ParameterStore",
    ):
        assert shown in text


def fields(model: type[Manifest]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in StoreSpec.model_fields:
            yield field.alias or name
            for inner in models_in(field.annotation):
                yield from fields(inner)


def models_in(annotation: object) -> Iterator[type[Manifest]]:
    if (
        isinstance(annotation, type)
        and issubclass(annotation, Manifest)
        and annotation is not CredentialReference
    ):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


@pytest.mark.parametrize("field", sorted(set(fields(AWSSpec))))
def test_a_field_is_documented(field: str) -> None:
    assert re.search(rf"\b{field}\b", code(PAGE.read_text()))
