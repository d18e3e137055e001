"""What a file declares, and what each mistake in it is told as."""

import base64
from typing import Any

import pytest
import yaml

from store_plugin.config.declarations import FileReading
from store_plugin.config.manifests.reader import read_manifests
from store_plugin.config.manifests.validation import MOST_ERRORS
from store_plugin.errors import KindNotServed
from tests.config.conftest import Kinds
from tests.config.manifest_text import documents, reference, secret, shelf
from tests.support.fakes import GROUP_VERSION, FakeKind

CANARY = "hvs.CAESIcanaryX7f3"


def read(text: str, kinds: Kinds) -> FileReading:
    return read_manifests("shelf.yaml", text, kinds)


def test_several_documents_declare_configs_and_secrets(kinds: Kinds) -> None:
    text = documents(shelf("one"), "", "# nothing\n", secret("login", "{token: abc}"), shelf("two"))
    found = read(text, kinds)
    assert [(str(c.reference), c.source) for c in found.configs] == [
        ("ShelfConfig/one", "shelf.yaml:1"),
        ("ShelfConfig/two", "shelf.yaml:15"),
    ]
    assert [(str(s.reference), s.data) for s in found.secrets] == [("Secret vault/login", {"token": b"abc"})]
    assert found.problems == ()


def test_a_store_is_imported_only_when_a_config_names_its_kind(kinds: Kinds) -> None:
    read(shelf("one"), kinds)
    assert {kind: served.loads for (_, kind), served in kinds.items()} == {"ShelfConfig": 1, "OtherConfig": 0}


def test_defaults_and_camel_case_of_the_model_apply(kinds: Kinds) -> None:
    text = shelf(
        "one", "{server: 'https://x', updatePolicy: IfNotExists, ownership: {requireOnDelete: true}}"
    )
    (config,) = read(text, kinds).configs
    assert config.spec is not None
    assert (config.spec.update_policy, config.spec.ownership.require_on_delete) == ("IfNotExists", True)


@pytest.mark.parametrize(
    ("spec", "line", "message"),
    [
        pytest.param("", 5, "spec.server: is required", id="empty"),
        pytest.param("\n  server: 5", 6, "spec.server: must be text", id="number for text"),
        pytest.param(
            "\n  server: https://x\n  shelves: many", 7, "spec.shelves: must be a whole number", id="text"
        ),
        pytest.param("\n  server: x", 6, "spec.server: '…' is no URL: write http://HOST or", id="validator"),
        pytest.param(
            "\n  server: https://x\n  updatPolicy: Overwrite",
            7,
            "spec.updatPolicy: there is no such field; did you mean updatePolicy?",
            id="misspelt",
        ),
        pytest.param(
            "\n  server: https://x\n  ownership:\n    zzz: 1",
            8,
            "spec.ownership.zzz: there is no such field; it takes policy, requireOnDelete",
            id="unknown",
        ),
        pytest.param(
            f"\n  server: https://x\n  ownership:\n    {CANARY}: 1",
            8,
            "spec.ownership: there is no such field as on this line; it takes policy, requireOnDelete",
            id="a secret for a field",
        ),
        pytest.param(
            "\n  server: https://x\n  updatePolicy: Never",
            7,
            "spec.updatePolicy: must be 'Overwrite' or 'IfNotExists'",
            id="choice",
        ),
        pytest.param("\n  server: https://x\n  access: local", 7, "spec.access: must be a list", id="list"),
        pytest.param(
            "\n  server: https://x\n  access:\n    - {}\n    - scopes: []",
            9,
            "spec.access[1].scopes: must have at least 1 entries",
            id="inside a list",
        ),
        pytest.param(
            "\n  server: https://x\n  auth:\n    method: Token\n    token:\n      source: Secret",
            9,
            "spec.auth.token: source Secret needs the block secretRef",
            id="block of the source",
        ),
        pytest.param(
            "\n  server: https://x\n  timeout: soon", 7, "spec.timeout: a duration is written", id="duration"
        ),
        pytest.param(
            "\n  server: https://x\n  timeout: 0s", 7, "spec.timeout: must be greater than 0", id="bound"
        ),
        pytest.param(
            "\n  server: https://x\n  auth: Token", 7, "spec.auth: must be a block of fields", id="block"
        ),
        pytest.param(" [1]", 5, "spec: must be a block of fields", id="spec is a list"),
    ],
)
def test_a_mistake_in_a_spec_is_told_with_line_field_and_remedy(
    spec: str, line: int, message: str, kinds: Kinds
) -> None:
    found = read(shelf("one", spec), kinds)
    (problem,) = found.problems
    assert problem.line == line
    assert problem.message.startswith(message)
    assert CANARY not in problem.message
    (config,) = found.configs
    assert config.spec is None
    assert config.error == str(problem)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("- 1", 1, "a manifest is a block", id="list"),
        pytest.param("kind: ShelfConfig", 1, "apiVersion: is required", id="no apiVersion"),
        pytest.param(f"apiVersion: {GROUP_VERSION}", 1, "kind: is required", id="no kind"),
        pytest.param(
            f"apiVersion: {GROUP_VERSION}\nkind: ShelfConfg", 2, "did you mean ShelfConfig?", id="close kind"
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pod", 2, "served are OtherConfig, ShelfConfig, and Secret", id="kind"
        ),
        pytest.param(
            "apiVersion: v1\nkind: ShelfConfig", 1, f"apiVersion: must be {GROUP_VERSION}", id="version"
        ),
        pytest.param(
            f"apiVersion: {GROUP_VERSION}\nkind: ShelfConfig\nspec: {{server: https://one}}",
            1,
            "metadata: is required",
            id="metadata",
        ),
        pytest.param(shelf("Bad_Name"), 4, "metadata.name: must be lower-case", id="name"),
        pytest.param(shelf("''"), 4, "metadata.name: must be lower-case", id="empty name"),
        pytest.param(shelf(""), 4, "metadata.name: is required", id="no name"),
        pytest.param("a: b: c", 1, "not readable as YAML", id="no YAML"),
    ],
)
def test_a_document_that_does_not_tell_what_it_is_leaves_the_file_unidentified(
    text: str, line: int, message: str, kinds: Kinds
) -> None:
    found = read(text, kinds)
    (problem,) = found.problems
    assert problem.line == line
    assert message in problem.message
    assert found.unidentified == problem
    assert found.configs == ()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param(
            shelf("Bad_Name", "\n  server: 5\n  shelves: many") + "specs: {}\n",
            [
                "specs: there is no such field",
                "spec.server: must be text",
                "spec.shelves: must be a whole number",
                "metadata.name: must be",
            ],
            id="config",
        ),
        pytest.param(
            secret("Bad_Name", "{token: [1]}") + "datas: {}\n",
            [
                "datas: there is no such field",
                "stringData: the value on this line",
                "metadata.name: must be",
            ],
            id="Secret",
        ),
        pytest.param(
            secret("login", "{token: [1]}", "Bad_Name"),
            ["stringData: the value on this line", "metadata.namespace: must be"],
            id="namespace of a Secret",
        ),
    ],
)
def test_a_wrong_name_hides_no_other_mistake(text: str, messages: list[str], kinds: Kinds) -> None:
    found = read(text, kinds)
    assert [p.message[: len(m)] for p, m in zip(found.problems, messages, strict=True)] == messages
    assert found.unidentified == found.problems[-1]
    assert (found.configs, found.secrets) == ((), ())


def test_an_unknown_field_beside_the_spec_is_a_problem(kinds: Kinds) -> None:
    (problem,) = read(shelf("one") + "specs: {}\n", kinds).problems
    assert problem.line == 6
    assert problem.message.startswith("specs: there is no such field; ")
    assert "takes apiVersion, kind, metadata, spec" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(shelf("one") + "".join(f"f{n}: 1\n" for n in range(1000)), id="fields of a manifest"),
        pytest.param(shelf("one", "{" + ", ".join(f"f{n}: 1" for n in range(1000)) + "}"), id="of a spec"),
        pytest.param(secret("one", "{" + ", ".join(f"f{n}: 1" for n in range(1000)) + "}"), id="of a Secret"),
    ],
)
def test_of_many_mistakes_in_a_document_the_first_are_told(text: str, kinds: Kinds) -> None:
    found = read(text, kinds)
    assert 0 < len(found.problems) <= MOST_ERRORS
    assert all(len(config.error or "") < 4000 for config in found.configs)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        pytest.param(
            {"data": {"k": base64.b64encode(b"\x00\xff").decode()}}, {"k": b"\x00\xff"}, id="base64"
        ),
        pytest.param({"data": {"k": "YWJj\nZGVm\n"}}, {"k": b"abcdef"}, id="folded base64"),
        pytest.param({"data": {"k": "YQ=="}, "stringData": {"k": "b"}}, {"k": b"b"}, id="text wins"),
        pytest.param({"data": None, "stringData": {"k": None}}, {"k": b""}, id="empty"),
        pytest.param({}, {}, id="none"),
    ],
)
def test_secret_data_is_read_as_kubernetes_reads_it(
    data: dict[str, Any], values: dict[str, bytes], kinds: Kinds
) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "Opaque", **data}
    found = read(yaml.safe_dump(manifest), kinds)
    assert found.problems == ()
    assert [(secret.reference.namespace, secret.data) for secret in found.secrets] == [("default", values)]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(KindNotServed("install store-plugin[shelf]"), id="library missing"),
        pytest.param(AttributeError(CANARY), id="broken store"),
    ],
)
def test_a_store_that_cannot_be_imported_is_a_problem_of_its_configs(failure: Exception) -> None:
    broken: Kinds = {(GROUP_VERSION, "ShelfConfig"): FakeKind(failure=failure)}
    found = read(shelf("one"), broken)
    assert [(config.reference, config.spec) for config in found.configs] == [(reference("one"), None)]
    assert len(found.problems) == 1
    assert CANARY not in str(found.problems)


WHOLE: dict[str, Any] = {
    "apiVersion": GROUP_VERSION,
    "kind": "ShelfConfig",
    "metadata": {"name": "one"},
    "spec": {
        "server": "https://vault",
        "shelves": 2,
        "timeout": "5s",
        "access": [{"callers": ["local"], "scopes": ["team-*"]}],
        "ownership": {"policy": "Adopt"},
        "auth": {
            "method": "Token",
            "token": {"source": "Secret", "secretRef": {"namespace": "n", "name": "s", "key": "k"}},
        },
        "keys": [{"source": "Environment", "env": {"name": "KEY"}}],
    },
}
LOGIN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login", "namespace": "n"},
    "data": {"token": "YWJj"},
    "stringData": {"other": "x"},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a manifest where something could be pasted."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def pasted(value: Any, path: tuple[Any, ...], what: Any, *, as_name: bool = False) -> Any:
    """`value` with `what` in the place of the value, or of the name, at `path`."""
    if not path:
        return what
    head, *rest = path
    if isinstance(value, list):
        return [pasted(item, tuple(rest), what) if at == head else item for at, item in enumerate(value)]
    if as_name and not rest:
        return {what if key == head else key: item for key, item in value.items()}
    return {
        key: pasted(item, tuple(rest), what, as_name=as_name) if key == head else item
        for key, item in value.items()
    }


def shown(text: str, kinds: Kinds) -> str:
    """All that a reading of `text` shows to anybody."""
    found = read(text, kinds)
    return f"{found.problems} {[config.error for config in found.configs]} {found.secrets!r}"


MANIFESTS = [pytest.param(WHOLE, id="config"), pytest.param(LOGIN, id="secret")]


@pytest.mark.parametrize("manifest", MANIFESTS)
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(CANARY, id="text"),
        pytest.param([CANARY], id="list"),
        pytest.param({CANARY: CANARY}, id="block"),
        pytest.param(f"{CANARY}\n{CANARY}", id="lines"),
    ],
)
def test_a_token_pasted_as_a_value_is_shown_nowhere(
    manifest: dict[str, Any], shape: Any, kinds: Kinds
) -> None:
    for place in places(manifest):
        assert CANARY not in shown(yaml.safe_dump(pasted(manifest, place, shape)), kinds), place


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_token_pasted_as_the_name_of_a_field_is_shown_nowhere(
    manifest: dict[str, Any], kinds: Kinds
) -> None:
    for place in places(manifest):
        if place and isinstance(place[-1], str):
            text = yaml.safe_dump(pasted(manifest, place, CANARY, as_name=True))
            assert CANARY not in shown(text, kinds), place


def test_a_token_in_broken_yaml_is_not_shown(kinds: Kinds) -> None:
    for text in (f"a: {CANARY}: b", f"{CANARY}", f"[{CANARY}", f"a: !{CANARY} x", f"*{CANARY}", f"%{CANARY}"):
        assert CANARY not in str(read(text, kinds).problems)
