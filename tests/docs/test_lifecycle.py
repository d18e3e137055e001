"""The page about the life of plugins: each command of the walk answers as it is shown."""

import re
from pathlib import Path

import pytest

from store_plugin.lifecycle.administration.describing import Description
from store_plugin.lifecycle.administration.registering import RegistrationConfig
from store_plugin.lifecycle.layout import Layout
from store_plugin.lifecycle.repository.index import Release
from store_plugin.spec import Manifest
from tests.docs.pages import DOCS, rows, section
from tests.docs.walks import take_walk
from tests.support.ports import free_port

PAGE = DOCS / "lifecycle.md"


@pytest.mark.timeout(480)
def test_the_walk_goes_as_it_is_shown(tmp_path: Path) -> None:
    here = f"unix://{tmp_path}/ess.sock"
    apart = {
        "STORE_PLUGIN_LISTEN": here,
        "STORE_PLUGIN_ENDPOINT": here,
        "STORE_PLUGIN_ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
    }
    take_walk(PAGE, tmp_path, apart, seconds=450)


def spelled(model: type[Manifest], path: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        inner = field.annotation
        deeper = isinstance(inner, type) and issubclass(inner, Manifest)
        found |= spelled(inner, f"{here}.") if deeper else {here}  # type: ignore[arg-type]
    return found


def named(title: str) -> set[str]:
    return {name for row in rows(section(PAGE, title)) for name in re.findall(r"`([\w.-]+)`", row[0])}


def test_the_fields_of_a_registration_are_documented() -> None:
    assert named("Registration") == spelled(RegistrationConfig)


def test_the_fields_of_a_description_are_documented() -> None:
    fields = {field.alias or name for name, field in Description.model_fields.items()}
    assert named("What a plugin says of itself") == fields


@pytest.mark.parametrize("field", Release.model_fields)
def test_the_fields_of_an_index_are_documented(field: str) -> None:
    assert f"`{field}`" in section(PAGE, "Repositories")


def test_the_files_of_a_plugins_directory_are_documented() -> None:
    text = section(PAGE, "The plugins directory")
    layout = Layout(Path("/x"))
    paths = [value for value in (getattr(layout, name) for name in dir(Layout)) if isinstance(value, Path)]
    assert len(paths) > 5
    for path in set(paths) - {layout.root}:
        assert f"`{path.name}/`" in text or f"`{path.name}`" in text, path
