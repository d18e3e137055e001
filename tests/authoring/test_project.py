"""A new project runs and tests itself, is built, and the file keeps the contract over a hub."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from store_plugin.authoring.project import Names, write_project
from store_plugin.cli._app import cli
from store_plugin.cli.plugin._launching import launch_of
from store_plugin.errors import AlreadyRegistered, InvalidRequest
from store_plugin.lifecycle.packages.building import build


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("authoring") / "paper-box"
    write_project(directory, Names("paper-box", "boxes.example.org"))
    return directory


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    return build(project, project / "paper-box.pyz").file


def store_plugin(*arguments: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "store_plugin.cli", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def test_its_own_tests_pass(project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    ended = subprocess.run(
        command,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={"PYTHONPATH": str(project)},
    )
    assert ended.returncode == 0, ended.stdout
    assert "skipped" not in ended.stdout


def test_nothing_of_the_template_is_left_in_it(project: Path) -> None:
    texts = [file for file in project.rglob("*") if file.suffix in (".py", ".md", ".toml", ".yaml")]
    assert len(texts) >= 5
    for file in texts:
        assert not re.search(r"@\w+@", file.read_text()), file


def test_the_built_file_keeps_the_contract(project: Path, built: Path) -> None:
    shown = store_plugin("plugin", "test", "--config", project / "store.yaml", built, "-o", "json")
    report = json.loads(shown)
    assert report["failed"] == 0
    assert report["passed"] > 30


def test_a_rule_can_be_chosen_and_is_shown(project: Path, built: Path) -> None:
    shown = store_plugin("plugin", "test", "--config", project / "store.yaml", "-k", "dry run", built)
    assert "ok      a dry run writes nothing\n" in shown
    assert shown.endswith("passed, 0 failed\n")


BROKEN = (
    "self._secrets[str(name)] = StoredSecret(",
    "self._secrets.setdefault(str(name), ABSENT); StoredSecret(",
)


def test_a_broken_rule_is_told_and_is_exit_code_1(project: Path, tmp_path: Path) -> None:
    program = (project / "paper_box" / "__init__.py").read_text()
    assert BROKEN[0] in program
    broken = tmp_path / "broken.py"
    broken.write_text(program.replace(*BROKEN) + "\nmain()\n")
    command = (sys.executable, broken)
    shown = store_plugin("plugin", "test", "--config", project / "store.yaml", "-k", "byte", *command, code=1)
    assert "failed  a value comes back byte for byte" in shown
    assert "0 failed" not in shown


def test_a_plugin_is_run_and_tried(project: Path, built: Path) -> None:
    shown = store_plugin("plugin", "run", built, "--dev", "--once", "--config", project / "store.yaml")
    assert "connected: paper-box 0.1.0" in shown
    assert "kind: PaperBoxConfig (boxes.example.org/v1)" in shown
    assert [line.partition(" ")[0] for line in shown.splitlines()[-4:]] == [
        "check:",
        "apply",
        "get",
        "delete",
    ]


def test_what_does_not_connect_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    script = tmp_path / "plugin"
    script.write_text("#!/bin/sh\necho cannot find my settings\nexit 3\n")
    script.chmod(0o755)
    result = CliRunner().invoke(cli, ["plugin", "run", "--dev", str(script)])
    assert result.exit_code == 1
    assert "ended with code 3 before it connected" in result.output
    assert "cannot find my settings" in result.output


def test_nothing_is_run_without_being_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    result = CliRunner().invoke(cli, ["plugin", "run", str(script)])
    assert result.exit_code == 2
    assert "pass --dev to run it nevertheless" in result.output
    assert not (tmp_path / "ran").exists()


def test_a_config_of_another_kind_is_told_with_the_kinds_there_are(project: Path, built: Path) -> None:
    other = project / "other.yaml"
    other.write_text("apiVersion: e.org/v1\nkind: Other\nspec: {}\n")
    command = ["plugin", "run", "--dev", "--once", "--config", str(other), str(built)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1
    assert "it has PaperBoxConfig (boxes.example.org/v1)" in result.output


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(AlreadyRegistered, match="not empty"):
        write_project(tmp_path, Names("box", "e.org"))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("Box", "e.org"),
        ("../x", "e.org"),
        ("1box", "e.org"),
        ("box", "no"),
        ("json", "e.org"),
        ("tests", "e.org"),
    ],
)
def test_names_are_checked(tmp_path: Path, name: str, group: str) -> None:
    with pytest.raises(InvalidRequest):
        write_project(tmp_path / "new", Names(name, group))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["run", "--dev", "."], "plugin build .' makes one executable file"),
        (["run", "--dev", "plain"], "chmod +x plain"),
        (["run", "--dev", "missing"], "missing is not there"),
        (["test", "--config", "store.yaml", "."], "plugin build .' makes one executable file"),
    ],
    ids=["directory", "no right to run it", "nothing", "test of a directory"],
)
def test_what_cannot_be_started_is_told_with_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], told: str
) -> None:
    monkeypatch.chdir(project)
    (project / "plain").write_text("")
    result = CliRunner().invoke(cli, ["plugin", *command])
    assert result.exit_code == 1
    assert told in result.output


def test_a_rule_that_there_is_not_is_told(project: Path, built: Path) -> None:
    command = ["plugin", "test", "--config", str(project / "store.yaml"), "-k", "nonsense", str(built)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1
    assert "no rule that applies to it has 'nonsense' in its name" in result.output


def test_a_word_among_the_arguments_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "module").mkdir()
    (tmp_path / "file").write_text("")
    launch = launch_of(("python3", "-m", "module", "./module", "file", "{endpoint}"), ())
    assert launch.arguments == ("-m", "module", f"{tmp_path}/module", f"{tmp_path}/file", "{endpoint}")


def test_the_command_tells_what_it_wrote(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["plugin", "new", "box", "--directory", str(tmp_path / "box")])
    assert f"now: make -C {tmp_path}/box test" in result.output
    assert "BoxConfig" in (tmp_path / "box" / "box" / "__init__.py").read_text()


def test_the_built_file_says_what_it_is(built: Path, tmp_path: Path) -> None:
    plugins = ("--plugins-dir", tmp_path / "plugins")
    store_plugin("plugin", "install", built, *plugins)
    assert "registered paper-box 0.1.0" in store_plugin("plugin", "register", built, *plugins)
