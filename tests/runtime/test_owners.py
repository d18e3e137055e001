"""Owners in every form that operators hold them in."""

from typing import Any, ClassVar

import kubernetes.aio.client
import kubernetes.client
import pytest
from kopf._cogs.structs.bodies import Body, RawBody

from store_plugin.errors import InvalidRequest
from store_plugin.runtime import Owner, PublishTo
from tests.runtime.conftest import Thing

THING = Thing("team-a", "db", "uid-1")
PUBLISH_TO = {
    "name": "db",
    "metadata": {"labels": {"l": "1"}, "annotations": None, "type": "t"},
    "configRef": {"name": "vault", "policy": {"resolve": "Always"}},
}


class OldModel:
    """As models of the kubernetes client were made before 37."""

    attribute_map: ClassVar = {"metadata": "metadata", "spec": "spec"}

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class OldMetadata:
    """Its metadata."""

    attribute_map: ClassVar = {"uid": "uid", "namespace": "namespace", "owner_references": "ownerReferences"}
    uid, namespace, owner_references = "uid-1", "team-a", None


class OldSpec:
    """Its spec, with Python's name for the field."""

    attribute_map: ClassVar = {"publish_connection_details_to": "publishConnectionDetailsTo"}
    publish_connection_details_to = PUBLISH_TO


class DynamicObject:
    """As the dynamic client gives objects: attributes, and a dictionary on demand."""

    def __init__(self, manifest: Any) -> None:
        self._manifest = manifest

    def __getattr__(self, name: str) -> Any:
        try:
            return DynamicObject(self._manifest[name])
        except KeyError:
            raise AttributeError(name) from None

    def to_dict(self) -> Any:
        return self._manifest


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param(THING.manifest(**PUBLISH_TO), id="dictionary"),
        pytest.param(Body(RawBody(**THING.manifest(**PUBLISH_TO))), id="body of kopf"),
        pytest.param(OldModel(metadata=OldMetadata(), spec=OldSpec()), id="model of before 37"),
        pytest.param(DynamicObject(THING.manifest(**PUBLISH_TO)), id="object of the dynamic client"),
    ],
)
def test_an_owner_is_read_from(owner: object) -> None:
    found = Owner.of(owner)
    assert (found.uid, found.namespace) == ("uid-1", "team-a")
    assert found.publish_to == PublishTo.model_validate(PUBLISH_TO)
    assert found.publish_to.name == "db"
    assert found.publish_to.config_ref.name == "vault"
    assert dict(found.publish_to.metadata.labels) == {"l": "1"}
    assert dict(found.publish_to.metadata.annotations) == {}


@pytest.mark.parametrize("library", [kubernetes.client, kubernetes.aio.client], ids=["threads", "asyncio"])
def test_a_model_without_the_field_publishes_as_it_is_told(library: Any) -> None:
    metadata = library.V1ObjectMeta(name="web", namespace="team-a", uid="uid-2")
    model = library.V1ConfigMap(metadata=metadata)
    assert Owner.of(model).publish_to is None
    assert Owner.of(model, PublishTo(name="web")) == Owner("uid-2", "team-a", PublishTo(name="web"))


def test_an_owner_is_an_owner() -> None:
    owner = Owner("uid-1", None, PublishTo(name="db"))
    assert Owner.of(owner) is owner


@pytest.mark.parametrize(
    ("block", "told"),
    [
        pytest.param({}, "spec.publishConnectionDetailsTo.name", id="no name"),
        pytest.param({"name": 3}, "spec.publishConnectionDetailsTo.name", id="number"),
        pytest.param("db", "spec.publishConnectionDetailsTo", id="text"),
        pytest.param({"name": "db", "configRef": {"name": ""}}, "configRef.name", id="empty reference"),
        pytest.param({"name": "db", "metadata": {"labels": {"a": 1}}}, "metadata.labels.a", id="label"),
    ],
)
def test_a_wrong_block_is_told_with_its_field(block: object, told: str) -> None:
    manifest = {"metadata": {"uid": "1"}, "spec": {"publishConnectionDetailsTo": block}}
    with pytest.raises(InvalidRequest, match=told.replace(".", r"\.")):
        Owner.of(manifest)


@pytest.mark.parametrize("thing", [None, 3, "text", {}, {"spec": None, "metadata": None}], ids=repr)
def test_what_publishes_nothing_publishes_nothing(thing: object) -> None:
    assert Owner.of(thing).publish_to is None
