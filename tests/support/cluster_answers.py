"""An API server that says anything, where a real one cannot be made to."""

import json
from collections.abc import Sequence
from typing import Any


class Answers:
    """An ApiClient that answers with these, one after another; the last for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []

    def param_serialize(self, *_: Any, query_params: Sequence[tuple[str, str]], **__: Any) -> Any:
        self.asked.append(dict(query_params))
        return ()

    async def call_api(self, *_: Any, **__: Any) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Answer:
    """One answer; each chunk of a watch comes on its own, an exception breaks it."""

    def __init__(self, *chunks: bytes | Exception, status: int = 200) -> None:
        self.status = status
        self.response = self
        self.content = self
        self._chunks = list(chunks)

    async def read(self) -> bytes:
        return b"".join(chunk for chunk in self._chunks if isinstance(chunk, bytes))

    async def readany(self) -> bytes:
        if not self._chunks:
            return b""
        chunk = self._chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None: ...


def listing(*names: str, version: str = "1", after: str = "") -> Answer:
    """One page of a list; `after`: where the next one begins."""
    metadata = {"resourceVersion": version, "continue": after}
    return Answer(json.dumps({"metadata": metadata, "items": [_object(name) for name in names]}).encode())


def event(name: str, version: str, kind: str = "ADDED") -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": _object(name, resourceVersion=version)}).encode() + b"\n"


def error(code: int) -> bytes:
    """A line that says that the watch cannot go on."""
    return json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code}}).encode() + b"\n"


def _object(name: str, **metadata: str) -> dict[str, Any]:
    """It may be a StoreConfig."""
    return {"metadata": {"name": name, **metadata}, "spec": {"defaultScope": "crossplane-system"}}
