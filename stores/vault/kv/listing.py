"""The names of all secrets: the server lists one folder at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable

from store_plugin.errors import InvalidRequest
from store_plugin.model import MAX_SEGMENTS, ScopedName
from stores.vault import errors
from stores.vault.http.answer import Answer

List = Callable[[str], Awaitable[Answer]]
"""The answer to LIST of a folder of scoped names."""


async def walk(list_folder: List, folder: str) -> AsyncIterator[ScopedName]:
    """All secrets below a folder. Folders deeper than a scoped name can be are left out,
    and so are secrets whose name is none."""
    answer = await list_folder(folder)
    if not answer.ok:
        return
    prefix = f"{folder}/" if folder else ""
    for entry in _entries(answer):
        if not entry.endswith("/"):
            for name in _parsed(prefix + entry):
                yield name
        elif prefix.count("/") + 1 < MAX_SEGMENTS:
            async for name in walk(list_folder, prefix + entry.rstrip("/")):
                yield name


def _entries(answer: Answer) -> list[str]:
    keys = (answer.json().get("data") or {}).get("keys")
    if not isinstance(keys, list):
        raise errors.not_vault(answer.where)
    return [str(key) for key in keys]


def _parsed(path: str) -> list[ScopedName]:
    try:
        return [ScopedName.parse(path)]
    except InvalidRequest:
        return []
