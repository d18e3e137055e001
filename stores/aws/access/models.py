"""What botocore knows of AWS's services, without the prose."""

from typing import Any

from botocore.loaders import JSONFileLoader, Loader

_PROSE = "documentation"


class _WithoutProse:
    """Reads botocore's files. Most of a model is text for people, which a sidecar would keep in
    memory for good."""

    def __init__(self) -> None:
        self._files = JSONFileLoader()

    def exists(self, file_path: str) -> bool:
        return bool(self._files.exists(file_path))

    def load_file(self, file_path: str) -> Any:
        found = self._files.load_file(file_path)
        if found is not None:
            _strip(found)
        return found


def _strip(value: Any) -> None:
    """Empty the prose in `value`, in place. Where a service calls a member of a structure
    so, its value is a mapping, and stays."""
    if isinstance(value, dict):
        if isinstance(value.get(_PROSE), str):
            value[_PROSE] = ""
        for inner in value.values():
            _strip(inner)
    elif isinstance(value, list):
        for inner in value:
            _strip(inner)


def models() -> Loader:
    """A loader of models, which keeps what it has read: one for all clients."""
    return Loader(file_loader=_WithoutProse())
