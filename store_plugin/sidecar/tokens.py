"""The token that callers of a socket must show, read from a file that may rotate."""

import asyncio
import hmac
from pathlib import Path

from store_plugin.errors import InvalidRequest
from store_plugin.given_files import read_given
from store_plugin.store import Logger

_LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""
_MOST_BYTES = 64 * 1024


class TokenFile:
    """The file's token. InvalidRequest where there is none at the beginning; that is the one
    moment in which it is read on the caller's thread."""

    def __init__(self, path: Path, log: Logger) -> None:
        self._path = path
        self._log = log
        self._problem = ""
        self._token = self._read()

    def matches(self, shown: str) -> bool:
        """Whether `shown` is the token; takes the same time whatever it is."""
        return hmac.compare_digest(shown.strip().encode(), self._token)

    async def follow(self) -> None:
        """Take over what the file says, for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Once. A file that has vanished or become empty leaves the last token in force."""
        try:
            self._token, problem = await asyncio.to_thread(self._read), ""
        except InvalidRequest as error:
            problem = error.message
        if problem and problem != self._problem:  # told once, until it can be read
            self._log.warning("client token not renewed, the last one stays in force", problem=problem)
        self._problem = problem

    def _read(self) -> bytes:
        try:
            token = read_given(self._path, _MOST_BYTES).strip()
        except InvalidRequest as error:
            raise InvalidRequest(f"--client-token-file {error.message}") from None
        if not token:
            raise InvalidRequest(f"--client-token-file {self._path} is empty")
        return token
