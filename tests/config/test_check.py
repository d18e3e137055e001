"""The check tells everything that is wrong with a directory, by file and line."""

from pathlib import Path

from store_plugin.config.check import check_directory
from tests.config.conftest import Kinds
from tests.config.manifest_text import documents, secret, shelf

SPEC = """
  server: https://vault
  auth:
    method: Token
    token:
      source: Secret
      secretRef: {namespace: vault, name: login, key: token}
  keys:
    - source: Environment
      env: {name: SHELF_KEY}
    - source: Filesystem
      fs: {path: /nowhere/key}"""


def test_credentials_that_are_missing_are_told_where_they_are_referred_to(
    configs: Path, kinds: Kinds
) -> None:
    (configs / "a.yaml").write_text(shelf("a", SPEC))
    check = check_directory(configs, kinds, {})
    assert [str(problem) for problem in check.problems] == [
        "a.yaml:9: spec.auth.token: the Secret vault/login does not exist; "
        "declare it as kind: Secret in the config directory",
        "a.yaml:13: spec.keys.0: the environment variable SHELF_KEY is not set; "
        "provide it, or name another source",
        "a.yaml:15: spec.keys.1: the file /nowhere/key does not exist; provide it, or name another source",
    ]


def test_a_directory_with_everything_in_place_has_no_problem(
    configs: Path, kinds: Kinds, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("value\n")
    text = shelf("a", SPEC.replace("/nowhere/key", str(key)))
    (configs / "a.yaml").write_text(documents(text, secret("login", "{token: t}")))
    check = check_directory(configs, kinds, {"SHELF_KEY": "k"})
    assert check.problems == ()
    assert len(check.warnings) == 1
