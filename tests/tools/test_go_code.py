"""Generated Go code whose .proto has changed is found without Go."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tools.go_code import stale

OPF = ROOT / "tests" / "interop" / "opf"

CHANGES = {
    "nothing": ("", "", False),
    "a comment": ("// The frames", "// These frames", False),
    "a number": ("string name = 1;", "string name = 7;", True),
    "a type": ("string name = 1;", "bytes name = 1;", True),
    "a field more": ("string name = 1;", "string name = 1; string more = 9;", True),
}


@pytest.mark.parametrize(("before", "after", "drifts"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_proto_is_told(tmp_path: Path, before: str, after: str, drifts: bool) -> None:
    text = (OPF / "stream.proto").read_text()
    assert before in text
    (tmp_path / "stream.proto").write_text(text.replace(before, after, 1) if before else text)
    assert stale(tmp_path / "stream.proto", OPF / "stream.pb.go", []) is drifts


def test_code_that_is_not_there_is_stale(tmp_path: Path) -> None:
    assert stale(OPF / "stream.proto", tmp_path / "nothing.go", [])
