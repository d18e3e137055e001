"""One file of manifests: which store configs and Secrets it declares, and what is wrong.

A kind's model is imported only when a manifest names the kind. No message shows a value
that stood in the file: a token may have been pasted anywhere.
"""

import re
from collections.abc import Mapping

from pydantic import ValidationError

from store_plugin.config.declarations import (
    DeclaredConfig,
    DeclaredSecret,
    FileReading,
    Problem,
    SecretName,
    broken_file,
)
from store_plugin.config.kinds import KindName, Kinds, awaited, may_come, spelled_like
from store_plugin.config.manifests.documents import (
    Document,
    DocumentError,
    Path,
    Value,
    document_of,
    parse_documents,
)
from store_plugin.config.manifests.names import unknown_field
from store_plugin.config.manifests.secret_data import decode_secret
from store_plugin.config.manifests.validation import MOST_ERRORS, explain
from store_plugin.errors import StorePluginError
from store_plugin.model import ConfigReference
from store_plugin.spec import StoreSpec, credential_references

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
"""How the names of Kubernetes objects are spelled."""
_CONFIG_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
_SECRET_FIELDS = ("apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData")
_SECRET = ("v1", "Secret")


def read_manifests(file: str, text: str, kinds: Kinds) -> FileReading:
    """All documents of a file. A file that is not YAML declares nothing."""
    reader = _FileReader(file, kinds)
    try:
        for document in parse_documents(text):
            if document.value is not None:
                reader.add(document)
    except DocumentError as error:
        return broken_file(Problem(file, error.line, error.message))
    return reader.reading()


def read_object(place: str, manifest: Value, kinds: Kinds) -> FileReading:
    """A manifest that is an object of a cluster; `place` names it in messages."""
    reader = _FileReader(place, kinds)
    reader.add(document_of(manifest))
    return reader.reading()


class _Unidentified(Exception):
    """A document that does not tell which config or Secret it declares."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class _FileReader:
    """Collects what the documents of one file declare."""

    def __init__(self, file: str, kinds: Kinds) -> None:
        self._file = file
        self._kinds = kinds
        self._configs: list[DeclaredConfig] = []
        self._secrets: list[DeclaredSecret] = []
        self._problems: list[Problem] = []
        self._unidentified: Problem | None = None

    def reading(self) -> FileReading:
        return FileReading(
            tuple(self._configs), tuple(self._secrets), tuple(self._problems), self._unidentified
        )

    def add(self, document: Document) -> None:
        try:
            self._identify(document)
        except _Unidentified as error:
            problem = Problem(self._file, document.line(error.path), error.message)
            self._problems.append(problem)
            self._unidentified = self._unidentified or problem

    def _identify(self, document: Document) -> None:
        manifest = document.value
        if not isinstance(manifest, dict):
            raise _Unidentified((), "a manifest is a block with apiVersion, kind, metadata and spec")
        kind = _kind_of(manifest, self._kinds)
        try:
            name = _name_of(manifest)
        except _Unidentified:
            self._problems += self._mistakes(document, manifest, kind)
            raise
        if kind == _SECRET:
            self._secrets.append(self._secret(document, manifest, name))
        else:
            reference = ConfigReference(*kind, name)
            self._configs.append(self._config(document, manifest, reference))

    def _config(
        self, document: Document, manifest: dict[str, Value], reference: ConfigReference
    ) -> DeclaredConfig:
        line = document.line(())
        spec, problems = self._checked(document, manifest, (reference.api_version, reference.kind))
        if problems or spec is None:
            self._problems += problems
            error = "; ".join(map(str, problems))
            return DeclaredConfig(file=self._file, line=line, reference=reference, spec=None, error=error)
        lines = {path: document.line(_path_of(path)) for path, _ in credential_references(spec)}
        return DeclaredConfig(
            file=self._file, line=line, reference=reference, spec=spec, credential_lines=lines
        )

    def _mistakes(self, document: Document, manifest: dict[str, Value], kind: KindName) -> list[Problem]:
        """What is wrong besides the name, so that who mends that is not told the rest one by one."""
        if kind == _SECRET:
            return self._data(document, manifest)[1]
        return [] if may_come(self._kinds, *kind) else self._checked(document, manifest, kind)[1]

    def _checked(
        self, document: Document, manifest: dict[str, Value], kind: KindName
    ) -> tuple[StoreSpec | None, list[Problem]]:
        problems = self._unknown_fields(document, manifest, _CONFIG_FIELDS)
        spec, spec_problems = self._spec(document, manifest, kind)
        return spec, [*problems, *spec_problems][:MOST_ERRORS]

    def _spec(
        self, document: Document, manifest: dict[str, Value], of_kind: KindName
    ) -> tuple[StoreSpec | None, list[Problem]]:
        kind = of_kind[1]
        if may_come(self._kinds, *of_kind):
            return None, [self._problem(document, ("kind",), f"kind: {awaited(kind)}")]
        try:
            model = self._kinds[of_kind].load().spec_model
        except StorePluginError as error:
            return None, [self._problem(document, ("kind",), error.message)]
        except Exception as error:  # an installed store of somebody else may fail in any way
            message = f"the store of kind {kind} cannot be imported ({type(error).__name__})"
            return None, [self._problem(document, ("kind",), message)]
        try:
            return model.model_validate({} if manifest.get("spec") is None else manifest["spec"]), []
        except ValidationError as error:
            told = explain(error, model, document, ("spec",))
            return None, [Problem(self._file, one.line, one.message) for one in told]
        except Exception as error:  # so may its validators
            message = f"spec: kind {kind} cannot check it ({type(error).__name__})"
            return None, [self._problem(document, ("spec",), message)]

    def _secret(self, document: Document, manifest: dict[str, Value], name: str) -> DeclaredSecret:
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", "default") if isinstance(metadata, dict) else "default"
        if not isinstance(namespace, str) or not NAME.match(namespace):
            self._problems += self._mistakes(document, manifest, _SECRET)
            raise _Unidentified(("metadata", "namespace"), f"metadata.namespace: {_NAME_RULE}")
        data, problems = self._data(document, manifest)
        self._problems += problems
        return DeclaredSecret(
            file=self._file,
            line=document.line(()),
            reference=SecretName(namespace, name),
            data=None if problems else data,
        )

    def _data(
        self, document: Document, manifest: dict[str, Value]
    ) -> tuple[Mapping[str, bytes] | None, list[Problem]]:
        problems = self._unknown_fields(document, manifest, _SECRET_FIELDS)
        data, errors = decode_secret(document, manifest)
        problems += [Problem(self._file, error.line, error.message) for error in errors]
        return data, problems[:MOST_ERRORS]

    def _unknown_fields(
        self, document: Document, manifest: dict[str, Value], known: tuple[str, ...]
    ) -> list[Problem]:
        hint = f"a manifest of this kind takes {', '.join(known)}"
        return [
            self._problem(document, (field,), unknown_field(field, "", hint))
            for field in manifest
            if field not in known
        ]

    def _problem(self, document: Document, path: Path, message: str) -> Problem:
        return Problem(self._file, document.line(path), message)


_NAME_RULE = "must be lower-case letters, digits, '-' or '.', beginning and ending with a letter or digit"


def _kind_of(manifest: dict[str, Value], kinds: Kinds) -> tuple[str, str]:
    """(apiVersion, kind), one of those served or a Secret's."""
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        missing = "kind" if isinstance(api_version, str) else "apiVersion"
        raise _Unidentified((missing,), f"{missing}: is required, as text")
    served = (api_version, kind) in kinds or (api_version, kind) == _SECRET
    if served or may_come(kinds, api_version, kind):
        return api_version, kind
    elsewhere = sorted(served for served, name in (*kinds, _SECRET) if name == kind)
    if elsewhere:
        raise _Unidentified(("apiVersion",), f"apiVersion: must be {' or '.join(elsewhere)} for kind {kind}")
    names = sorted({name for _, name in kinds})
    close = spelled_like(kind, [*names, "Secret"])
    hint = f"did you mean {close}?" if close else f"served are {', '.join(names) or 'none'}, and Secret"
    if not close and _group_of(api_version) not in {_group_of(served) for served, _ in kinds}:
        hint += "; where a plugin brings it, its API group goes into --hub-plugin-groups"
    raise _Unidentified(("kind",), f"kind: is not one that is served here; {hint}")


def _group_of(api_version: str) -> str:
    return api_version.partition("/")[0]


def _name_of(manifest: dict[str, Value]) -> str:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise _Unidentified(("metadata",), "metadata: is required, with a name")
    name = metadata.get("name")
    if name is None:
        raise _Unidentified(("metadata", "name"), "metadata.name: is required")
    if not isinstance(name, str) or not NAME.match(name):
        raise _Unidentified(("metadata", "name"), f"metadata.name: {_NAME_RULE}")
    return name


def _path_of(path: str) -> Path:
    """The document's path for a credential path such as `auth.token` or `key.0`."""
    return ("spec", *(int(part) if part.isdigit() else part for part in path.split(".")))
