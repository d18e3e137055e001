"""The consumer's file: which exec plugin gives credentials for which kind of cluster.

The fields are those of cluster-inventory-api's access config, in JSON or YAML; an unknown one is
an error. What is wrong is told with file, line and field, and nothing of what stands there.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError

from store_plugin.access.exec_credential import API_VERSIONS
from store_plugin.config.manifests.documents import Document, DocumentError, document_of, parse_documents
from store_plugin.config.manifests.validation import explain
from store_plugin.errors import ConfigInvalid
from store_plugin.spec import Manifest

_MOST_BYTES = 1024 * 1024

ApiVersion: TypeAlias = Literal["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
ArgumentsPolicy: TypeAlias = Literal["Append", "Ignore"]
VariablesPolicy: TypeAlias = Literal["AppendIfNotExists", "Replace", "Ignore"]


def _given(value: object) -> object:
    """Go writes an empty list as null."""
    return () if value is None else value


def _chosen(value: object) -> object:
    """And a policy that nobody chose as an empty text."""
    return "Ignore" if value in (None, "") else value


Text: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""What a program can be given."""


class Variable(Manifest):
    """One variable of a plugin's environment."""

    name: str = Field(pattern=r"^[^=\x00]+$")
    value: Text = Field(default="", repr=False)


class ExecConfig(Manifest):
    """How a plugin is run: as `exec` of a user in a kubeconfig."""

    command: str = Field(min_length=1, pattern=r"^[^\x00]+$")
    """A name is looked for on PATH; a relative path is one from the file's directory."""
    args: Annotated[tuple[Text, ...], BeforeValidator(_given)] = Field(default=(), repr=False)
    env: Annotated[tuple[Variable, ...], BeforeValidator(_given)] = Field(default=(), repr=False)
    api_version: ApiVersion
    install_hint: Text = ""
    """Told where the plugin is missing."""
    provide_cluster_info: bool = False
    """Whether the plugin is told of the cluster."""
    interactive_mode: Literal["Never", "IfAvailable", "Always"] | None = None
    """Left out: `IfAvailable` for v1beta1, as in a kubeconfig, and `Never` for v1."""


class Provider(Manifest):
    """Gives credentials for every cluster whose ClusterProfile names it."""

    name: str = Field(min_length=1)
    exec_config: ExecConfig
    arguments_policy: Annotated[ArgumentsPolicy, BeforeValidator(_chosen)] = Field(
        default="Ignore", alias="profileSourcedCLIArgsPolicy"
    )
    """What happens to arguments that a profile brings."""
    variables_policy: Annotated[VariablesPolicy, BeforeValidator(_chosen)] = Field(
        default="Ignore", alias="profileSourcedEnvVarsPolicy"
    )
    """What happens to variables that a profile brings."""
    inherit_env: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Variables of our own environment that its plugin sees too, by name; ours, not of the
    cluster-inventory-api, as are the following."""
    digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 that its executable has to have, in lower-case hexadecimal."""
    signature: str = Field(default="", max_length=4096)
    """Of its executable, as `cosign sign-blob --key` writes it, by one of the trusted keys."""


class AccessFile(Manifest):
    """All of the file. The order is the consumer's choice between providers of one profile."""

    providers: Annotated[tuple[Provider, ...], BeforeValidator(_given)] = ()


def read_providers(file: Path) -> tuple[Provider, ...]:
    """The providers in `file`, in its order. ConfigInvalid names file, line and field. Blocking."""
    document = _parsed(file)
    if document.value is None:
        return ()
    try:
        found = AccessFile.model_validate(document.value)
    except ValidationError as error:
        problems = [(one.line, one.message) for one in explain(error, AccessFile, document, ())]
    else:
        problems = list(_duplicates(found, document))
    if problems:
        raise ConfigInvalid("; ".join(f"{_place(file, line)}: {message}" for line, message in problems))
    return tuple(_located(provider, file) for provider in found.providers)


def _duplicates(found: AccessFile, document: Document) -> Iterator[tuple[int, str]]:
    seen: dict[str, int] = {}
    for index, provider in enumerate(found.providers):
        line = document.line(("providers", index, "name"))
        if provider.name in seen:
            first = seen[provider.name]
            yield line, f"providers[{index}].name: is the name of providers[{first}] too; keep one of them"
        seen.setdefault(provider.name, index)


def _located(provider: Provider, file: Path) -> Provider:
    command = provider.exec_config.command
    if os.sep not in command or Path(command).is_absolute():
        return provider
    absolute = str(file.absolute().parent / command)
    exec_config = provider.exec_config.model_copy(update={"command": absolute})
    return provider.model_copy(update={"exec_config": exec_config})


def _parsed(file: Path) -> Document:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigInvalid(f"the access config {file} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigInvalid(f"the access config {file} is longer than {_MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigInvalid(f"the access config {file} is not UTF-8 text") from None
    return _json(text, file) if text.lstrip()[:1] in ("{", "[") else _yaml(text, file)


def _json(text: str, file: Path) -> Document:
    """JSON by its own rules. Where its fields stand is found out by reading it as YAML, to which
    tabs between fields mean something else: inside of texts JSON has none."""
    value, problem = _loaded(text)
    if problem is not None and file.suffix != ".json":
        return _yaml(text, file)
    if problem is not None:
        raise ConfigInvalid(f"{_place(file, problem)}: not readable as JSON")
    try:
        return Document(value, next(parse_documents(text.replace("\t", " "))).lines)
    except DocumentError as error:
        if "twice" in error.message:
            raise ConfigInvalid(f"{_place(file, error.line)}: {error.message}") from None
        return document_of(value)


def _loaded(text: str) -> tuple[Any, int | None]:
    """The value, or the line of the mistake. The parser's error holds all of the text, so it is
    no context of what is raised."""
    try:
        return json.loads(text), None
    except RecursionError:
        return None, 1
    except ValueError as error:
        return None, getattr(error, "lineno", 1)


def _yaml(text: str, file: Path) -> Document:
    try:
        documents = list(parse_documents(text))
    except DocumentError as error:
        raise ConfigInvalid(f"{_place(file, error.line)}: {error.message}") from None
    if len(documents) > 1:
        line = documents[1].line(())
        raise ConfigInvalid(f"{_place(file, line)}: there is one document to an access config")
    return documents[0] if documents else document_of(None)


def _place(file: Path, line: int) -> str:
    return f"{file}:{line}" if line else str(file)


assert set(API_VERSIONS) == set(ApiVersion.__args__)  # type: ignore[attr-defined]
