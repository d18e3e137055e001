"""What an AWSConfig may say, and what is imported to read it."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from store_plugin.spec import credential_references
from stores.aws.spec import AWSSpec
from tests.stores.aws.opening import GIVEN, STATIC

ROLE = "arn:aws:iam::123456789012:role/store-plugin"


def test_little_is_needed() -> None:
    spec = AWSSpec.model_validate({"region": "eu-west-1"})
    assert (spec.service, spec.auth.method, spec.secrets_manager.recovery_window_days) == (
        "SecretsManager",
        "Default",
        7,
    )


def test_everything_can_be_said() -> None:
    spec = AWSSpec.model_validate(
        {
            "region": "us-gov-west-1",
            "service": "SecretsManager",
            "prefix": "/prod/crossplane/",
            "useFIPS": True,
            "useDualStack": True,
            "auth": {
                "method": "WebIdentity",
                "webIdentity": {"roleARN": ROLE, "tokenSource": GIVEN},
                "roles": [{"roleARN": ROLE, "externalID": "x1", "sessionTags": {"team": "a"}}],
            },
            "secretsManager": {
                "kmsKeyID": "alias/a",
                "recoveryWindowDays": 30,
                "replicaRegions": [{"region": "us-gov-east-1", "kmsKeyID": "alias/b"}],
                "tags": {"team": "a"},
            },
        }
    )
    assert spec.prefix == "prod/crossplane"
    assert [path for path, _ in credential_references(spec)] == ["auth.webIdentity.tokenSource"]


def test_references_are_found_where_the_manifest_has_them() -> None:
    spec = AWSSpec.model_validate({"region": "eu-west-1", "auth": STATIC})
    paths = [path for path, _ in credential_references(spec)]
    assert paths == ["auth.static.accessKeyID", "auth.static.secretAccessKey"]


PARAMETERS = {"service": "ParameterStore"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "Ireland"},
        {"region": None},
        {"service": "S3"},
        {"unknown": 1},
        {"endpoint": "vpce.example.com"},
        {"endpoint": "https://user@vpce.example.com"},
        {"endpoint": "https://vpce.example.com", "useFIPS": True},
        {"prefix": "a//b"},
        {"prefix": "../a"},
        {"prefix": "aws", **PARAMETERS},
        {"prefix": "a@b", **PARAMETERS},
        {"prefix": "a/b/c/d/e/f/g/h", **PARAMETERS},
        {"parameterStore": {}},
        {"secretsManager": {}, **PARAMETERS},
        {"parameterStore": {"type": "String", "kmsKeyID": "alias/a"}, **PARAMETERS},
        {"parameterStore": {"tier": "Huge"}, **PARAMETERS},
        {"secretsManager": {"recoveryWindowDays": 6}},
        {"secretsManager": {"recoveryWindowDays": 31}},
        {"secretsManager": {"recoveryWindowDays": 7, "forceDelete": True}},
        {"secretsManager": {"replicaRegions": [{"region": "eu-west-1"}]}},
        {"secretsManager": {"tags": {"aws:a": "b"}}},
        {"secretsManager": {"tags": {"a": "b,c"}}},
        {"auth": {"method": "Static"}},
        {"auth": {"method": "WebIdentity"}},
        {"auth": {"static": STATIC["static"]}},
        {"auth": {"roles": [{"roleARN": "store-plugin"}]}},
        {"auth": {"roles": [{"roleARN": ROLE, "sessionName": "a b"}]}},
        {"auth": {"roles": [{"roleARN": ROLE, "externalID": "x"}]}},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AWSSpec.model_validate({"region": "eu-west-1", **wrong})


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_boto3_is_not_imported_before_a_store_is_opened() -> None:
    wanted = "{'boto3', 'botocore', 'hvac', 'aiohttp'}"
    assert printed(f"import sys, stores.aws; print({wanted} & set(sys.modules))") == "set()"


def test_an_open_store_brings_nothing_of_the_other_stores() -> None:
    """Not asked about: cryptography, which botocore brings where pyOpenSSL is installed."""
    code = """
import asyncio, sys
from stores.aws import factory
from store_plugin.testing.environment import memory_environment
async def main():
    spec = factory.spec_model.model_validate({"region": "eu-west-1"})
    await (await factory.open(spec, memory_environment())).aclose()
asyncio.run(main())
others = {"hvac", "aiohttp", "kubernetes", "stores.local", "stores.vault"}
print(sorted({"boto3", *others} & set(sys.modules)))
"""
    assert printed(code) == "['boto3']"
