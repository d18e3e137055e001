"""What every store config shares: durations, credential references, unknown fields."""

import math

import pytest
from pydantic import ValidationError

from store_plugin.spec import CredentialReference, Manifest, StoreSpec, credential_references, parse_duration

FROM_FILE = {"source": "Filesystem", "fs": {"path": "/key"}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("1m0.5s", 60.5), ("0s", 0)],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "s", "30 s", "-5s", "5s\n", "1d", "5S", ".5s", "5.s", "1s-1s", "1e3s", "\u0663s\u0663"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "timeout", ["0s", 0, -1, math.inf, math.nan, "9" * 400 + "s", None, "soon", []], ids=repr
)
def test_a_timeout_is_a_positive_number_of_seconds(timeout: object) -> None:
    with pytest.raises(ValidationError):
        StoreSpec.model_validate({"timeout": timeout})


def test_the_defaults_are_those_of_the_document() -> None:
    spec = StoreSpec()
    assert (spec.timeout, spec.update_policy, spec.access) == (30.0, "Overwrite", ())
    assert (spec.ownership.policy, spec.ownership.require_on_delete) == ("Enforce", False)
    limits = spec.limits
    assert (limits.max_concurrent, limits.requests_per_second, limits.burst) == (32, None, None)


@pytest.mark.parametrize(
    "manifest",
    [
        {"acces": []},
        {"updatePolicy": "overwrite"},
        {"ownership": {"policy": "None"}},
        {"ownership": {"requireOnDeletion": True}},
        {"limits": {"maxConcurrent": 0}},
        {"limits": {"requestsPerSecond": 0}},
        {"limits": {"requestsPerSecond": "inf"}},
        {"limits": {"burst": 5}},
        {"access": [{"callers": []}]},
        {"access": [{"scopes": []}]},
        {"access": [{"caller": ["local"]}]},
    ],
    ids=[
        "misspelt",
        "case",
        "policy",
        "misspelt-inside",
        "no-slot",
        "no-rate",
        "any-rate",
        "burst-without-rate",
        "no-caller",
        "no-scope",
        "singular",
    ],
)
def test_a_mistake_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSpec.model_validate(manifest)


def test_a_spec_does_not_change() -> None:
    with pytest.raises(ValidationError):
        StoreSpec().timeout = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ("Secret", {"secretRef": {"namespace": "n", "name": "s", "key": "k"}}),
        ("Environment", {"env": {"name": "TOKEN"}}),
        ("Filesystem", {"fs": {"path": "/key"}}),
        ("None", {}),
    ],
)
def test_a_credential_source_comes_with_its_block(source: str, block: dict[str, object]) -> None:
    assert CredentialReference.model_validate({"source": source, **block}).source == source
    if block:
        with pytest.raises(ValidationError, match=f"needs the block {next(iter(block))}"):
            CredentialReference.model_validate({"source": source})


@pytest.mark.parametrize("manifest", [{}, {"source": "Vault"}, {"source": "None", "file": "x"}])
def test_a_wrong_credential_reference_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CredentialReference.model_validate(manifest)


class Login(Manifest):
    client_token: CredentialReference
    role: str = ""


class ExampleSpec(StoreSpec):
    ca_bundle: CredentialReference | None = None
    login: Login | None = None
    older_keys: tuple[CredentialReference, ...] = ()
    logins: tuple[Login, ...] = ()


def test_credential_references_are_found_at_their_path_in_the_manifest() -> None:
    spec = ExampleSpec.model_validate(
        {
            "caBundle": FROM_FILE,
            "login": {"clientToken": FROM_FILE},
            "olderKeys": [FROM_FILE, {"source": "None"}],
            "logins": [{"clientToken": FROM_FILE}],
        }
    )
    found = dict(credential_references(spec))
    assert list(found) == [
        "caBundle",
        "login.clientToken",
        "olderKeys.0",
        "olderKeys.1",
        "logins.0.clientToken",
    ]
    assert found["olderKeys.1"].source == "None"


def test_a_spec_without_references_has_none() -> None:
    assert list(credential_references(ExampleSpec())) == []
