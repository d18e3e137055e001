"""The models of AWS's services: all of them, but for the prose."""

from typing import Any

import pytest
from botocore.loaders import Loader

from stores.aws.access.models import models


def emptied(value: Any) -> Any:
    """The same with every text of documentation empty."""
    if isinstance(value, dict):
        return {
            key: "" if key == "documentation" and isinstance(inner, str) else emptied(inner)
            for key, inner in value.items()
        }
    return [emptied(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("service", ["secretsmanager", "ssm", "sts", "kms"])
def test_only_the_prose_is_gone(service: str) -> None:
    whole = Loader().load_service_model(service, "service-2")
    assert whole["operations"]
    lean = models().load_service_model(service, "service-2")
    assert lean == emptied(whole)
    assert len(str(lean)) < len(str(whole)) / 2


def test_a_member_of_that_name_stays(tmp_path: Any) -> None:
    (tmp_path / "some.json").write_text('{"members": {"documentation": {"shape": "S"}}}')
    loader = models()
    assert loader.file_loader.load_file(str(tmp_path / "some")) == {
        "members": {"documentation": {"shape": "S"}}
    }
