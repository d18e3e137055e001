"""What is made of a chart's values: every one with a comment, a type, and a row in the table."""

import json
from pathlib import Path

import pytest
import yaml

from tools.charts import CHART, LIBRARY, SCHEMA, generate_charts, generated_files, values_of

ROOT = Path(__file__).resolve().parents[2]
VALUES = """\
# A file of values.

# Of the part.
part:
  # Whether
  # it is there.
  enabled: false
  # How many.
  # @schema {minimum: 1,
  #  maximum: 9}
  replicas: 2
# Anything.
# @schema {additionalProperties: {type: string}}
labels: {}
# As that one.
# @schema {$ref: "#/$defs/other"}
other: {}
# In order.
list: [a]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(VALUES)
    return path


def test_a_value_has_the_type_of_its_default_and_what_its_comment_says(file: Path) -> None:
    part, labels, other, items = values_of(file)
    enabled, replicas = part.below
    assert (enabled.name, enabled.default, enabled.meaning) == ("part.enabled", False, "Whether it is there.")
    assert enabled.schema(whole=True) == {"description": "Whether it is there.", "type": "boolean"}
    assert replicas.schema(whole=True) == {
        "description": "How many.",
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    assert part.schema(whole=True)["additionalProperties"] is False
    assert part.schema(whole=True)["required"] == ["replicas"]
    assert "required" not in part.schema(whole=False)
    assert labels.schema(whole=True)["additionalProperties"] == {"type": "string"}
    assert other.schema(whole=True) == {"description": "As that one.", "$ref": "#/$defs/other"}
    assert (items.default, items.schema(whole=True)["type"]) == (["a"], "array")


def test_a_value_without_a_comment_is_refused(file: Path) -> None:
    file.write_text(VALUES + "more:\n  # Said.\n  one: 1\n")
    with pytest.raises(ValueError, match=r"values\.yaml: more has no comment"):
        values_of(file)


def test_all_that_is_made_is_compared(tmp_path: Path) -> None:
    generate_charts(ROOT, tmp_path)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {path.relative_to(ROOT) for path in generated_files(ROOT)}
    assert all((tmp_path / path).read_bytes() == (ROOT / path).read_bytes() for path in made)


@pytest.mark.parametrize("chart", [CHART, LIBRARY], ids=str)
def test_the_table_of_a_chart_has_every_value(chart: Path) -> None:
    text = (ROOT / chart / "README.md").read_text()
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    schema = json.loads((ROOT / chart / SCHEMA).read_text())
    for name in yaml.safe_load((ROOT / chart / "values.yaml").read_text()):
        assert name in rows
        assert schema["properties"][name]["description"]
