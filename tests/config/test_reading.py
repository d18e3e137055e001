"""Which files of a directory count, and what a file that went wrong keeps."""

from pathlib import Path

import pytest

from store_plugin.config import reading as module
from store_plugin.config.declarations import FileReading, SecretName
from store_plugin.config.manifests.reader import read_manifests
from store_plugin.config.merging import Reading
from store_plugin.config.reading import DirectoryReader, read_directory
from store_plugin.signatures import Signature
from tests.config.conftest import Kinds
from tests.config.manifest_text import documents, secret, shelf


def names(reading: Reading) -> list[str]:
    return [config.reference.name for config in reading.configs]


def reread(reader: DirectoryReader) -> Reading:
    look = reader.look()
    reader.read(look, {*look, *reader.names})
    return reader.reading()


def test_yaml_files_directly_in_the_directory_count_in_order_of_name(configs: Path, kinds: Kinds) -> None:
    for name in ("b.yaml", "a.yml", ".hidden.yaml", "c.yaml~", "d.json", "..data.yaml"):
        (configs / name).write_text(shelf(name.strip(".").replace(".", "-")))
    (configs / "sub").mkdir()
    (configs / "sub" / "e.yaml").write_text(shelf("e"))
    (configs / "f.yaml").mkdir()
    found = read_directory(configs, kinds)
    assert names(found) == ["a-yml", "b-yaml"]
    assert found.problems == ()


def test_a_mounted_config_map_is_read_through_its_links(configs: Path, kinds: Kinds) -> None:
    (configs / "..2024_1").mkdir()
    (configs / "..2024_1" / "a.yaml").write_text(shelf("a"))
    (configs / "..data").symlink_to("..2024_1")
    (configs / "a.yaml").symlink_to("..data/a.yaml")
    assert names(read_directory(configs, kinds)) == ["a"]


def test_a_directory_that_is_not_there_is_one_problem(configs: Path, kinds: Kinds) -> None:
    (problem,) = read_directory(configs / "none", kinds).problems
    assert (
        str(problem) == f"{configs / 'none'}: the config directory cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"a: 1\n\xff\xfe", "a.yaml:2: the file is not UTF-8 text", id="bytes"),
        pytest.param(b"a" * 200, "a.yaml: the file is larger than 100 bytes", id="size"),
    ],
)
def test_a_file_that_cannot_be_text_is_a_problem(
    content: bytes, message: str, configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    (configs / "a.yaml").write_bytes(content)
    (problem,) = read_directory(configs, kinds).problems
    assert str(problem) == message


def test_a_file_that_fails_in_a_way_nobody_foresaw_is_a_problem_of_that_file_only(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(file: str, text: str, kinds: Kinds) -> FileReading:
        if file == "a.yaml":
            raise RuntimeError(text)
        return read_manifests(file, text, kinds)

    monkeypatch.setattr(module, "read_manifests", read)
    for name in ("a", "b"):
        (configs / f"{name}.yaml").write_text(shelf(name))
    reading = read_directory(configs, kinds)
    assert [str(problem) for problem in reading.problems] == [
        "a.yaml: the file cannot be read (RuntimeError)"
    ]
    assert names(reading) == ["b"]


def test_a_byte_order_mark_is_no_problem(configs: Path, kinds: Kinds) -> None:
    (configs / "a.yaml").write_text(shelf("a"), encoding="utf-8-sig")
    assert names(read_directory(configs, kinds)) == ["a"]


def test_of_two_declarations_the_first_counts_and_the_second_is_a_problem(
    configs: Path, kinds: Kinds
) -> None:
    (configs / "b.yaml").write_text(documents(shelf("x", "{server: 'https://b'}"), secret("s", "{k: b}")))
    (configs / "a.yaml").write_text(documents(shelf("x", "{server: 'https://a'}"), secret("s", "{k: a}")))
    found = read_directory(configs, kinds)
    assert [config.source for config in found.configs] == ["a.yaml:1"]
    assert found.secrets == {SecretName("vault", "s"): {"k": b"a"}}
    assert [str(problem) for problem in found.problems] == [
        "b.yaml:1: ShelfConfig/x is declared at a.yaml:1 already; that one counts",
        "b.yaml:7: Secret vault/s is declared at a.yaml:7 already; that one counts",
    ]


def test_a_config_open_to_everyone_is_a_warning(configs: Path, kinds: Kinds) -> None:
    closed = shelf("closed", "{server: 'https://x', access: [{scopes: [a]}]}")
    (configs / "a.yaml").write_text(documents(shelf("open"), closed))
    (warning,) = read_directory(configs, kinds).warnings
    assert str(warning) == "a.yaml:1: ShelfConfig/open has no access rules: every caller may use every scope"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("a: b: c", id="not YAML"),
        pytest.param(documents(shelf("a"), "apiVersion: v1\nkind: Sekret\n"), id="one document unknown"),
        pytest.param(documents(shelf("a"), shelf("'B!'")), id="one name invalid"),
    ],
)
def test_a_file_that_cannot_be_told_removes_nothing(broken: str, configs: Path, kinds: Kinds) -> None:
    path = configs / "a.yaml"
    path.write_text(documents(shelf("a"), shelf("b"), secret("s", "{k: v}")))
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    path.write_text(broken)
    found = reread(reader)
    assert sorted(names(found)) == ["a", "b"]
    assert found.secrets == {SecretName("vault", "s"): {"k": b"v"}}
    (kept,) = [config for config in found.configs if config.reference.name == "b"]
    assert kept.spec is None
    assert kept.error == str(found.problems[0])


def test_a_config_moved_out_of_a_broken_file_is_taken_from_where_it_is_now(
    configs: Path, kinds: Kinds
) -> None:
    (configs / "a.yaml").write_text(shelf("a"))
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    (configs / "a.yaml").write_text("a: b: c")
    (configs / "b.yaml").write_text(shelf("a", "{server: 'https://moved'}"))
    found = reread(reader)
    assert [config.source for config in found.configs] == ["b.yaml:1"]
    assert len(found.problems) == 1


def test_a_secret_that_turns_invalid_keeps_its_data(configs: Path, kinds: Kinds) -> None:
    path = configs / "a.yaml"
    path.write_text(secret("s", "{k: v}"))
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    for text in ("{k: [1]}", "[1]"):
        path.write_text(secret("s", text))
        found = reread(reader)
        assert found.secrets == {SecretName("vault", "s"): {"k": b"v"}}
        assert len(found.problems) == 1


def test_a_mended_file_forgets_its_problem(configs: Path, kinds: Kinds) -> None:
    path = configs / "a.yaml"
    reader = DirectoryReader(configs, kinds)
    for text, problems in ((shelf("a"), 0), ("a: b: c", 1), ("d: e: f", 1), (shelf("a"), 0)):
        path.write_text(text)
        found = reread(reader)
        assert (names(found), len(found.problems)) == (["a"], problems)


def test_a_link_to_nothing_keeps_what_it_pointed_to(configs: Path, kinds: Kinds, tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(shelf("a"))
    (configs / "a.yaml").symlink_to(target)
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    target.unlink()
    found = reread(reader)
    assert names(found) == ["a"]
    assert str(found.problems[0]) == "a.yaml: the file cannot be read: No such file or directory"


def test_only_files_that_changed_are_read_again(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (configs / f"{name}.yaml").write_text(shelf(name))
    parsed: list[str] = []
    original = module.read_manifests
    monkeypatch.setattr(
        module, "read_manifests", lambda file, *rest: parsed.append(file) or original(file, *rest)
    )
    reader = DirectoryReader(configs, kinds)
    before = reread(reader)
    (configs / "b.yaml").write_text(shelf("b", "{server: 'https://two'}"))
    after = reread(reader)
    assert (sorted(parsed[:3]), parsed[3:]) == (["a.yaml", "b.yaml", "c.yaml"], ["b.yaml"])
    same = [old.spec is new.spec for old, new in zip(before.configs, after.configs, strict=True)]
    assert same == [True, False, True]


def test_a_change_within_one_step_of_the_clock_is_seen(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configs / "a.yaml"
    path.write_text(shelf("a", "{server: 'https://one'}"))
    taken = module.signature_of(path)
    monkeypatch.setattr(module, "signature_of", lambda _: taken)
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    path.write_text(shelf("a", "{server: 'https://two'}"))
    assert reread(reader).configs[0].spec.server == "https://two"


def test_a_file_that_has_been_still_for_long_is_not_even_opened(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configs / "a.yaml"
    path.write_text(shelf("a"))
    monkeypatch.setattr(module, "lasting", lambda signature: signature)
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    monkeypatch.setattr(module, "_content", None)
    assert names(reread(reader)) == ["a"]


def test_a_file_that_gets_another_name_while_one_looks_is_not_taken_for_gone(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configs / "a.yaml").write_text(shelf("a"))
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    signature_of = module.signature_of

    def listed_and_gone(path: Path) -> Signature | None:
        if path.name == "a.yaml" and path.exists():
            path.rename(configs / "b.yaml")
        return signature_of(path)

    monkeypatch.setattr(module, "signature_of", listed_and_gone)
    assert reader.look().keys() == {"b.yaml"}


def test_a_file_that_comes_and_goes_without_end_does_not_hold_up_the_look(
    configs: Path, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.yaml", "c.yaml"):
        (configs / name).write_text(shelf(name[0]))
    reader = DirectoryReader(configs, kinds)
    reread(reader)
    (configs / "a.yaml").unlink()
    signature_of = module.signature_of

    def restless(path: Path) -> Signature | None:
        found = signature_of(path)
        there, other = sorted((configs / "c.yaml", configs / "d.yaml"), key=Path.exists, reverse=True)
        there.rename(other)
        return found

    monkeypatch.setattr(module, "signature_of", restless)
    assert len(reader.look()) == 1
