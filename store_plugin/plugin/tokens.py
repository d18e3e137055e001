"""Where a plugin's bearer token comes from. It is asked for at each connect, before dialling."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from store_plugin.errors import TokenUnavailable

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
OBTAIN_SECONDS = 20.0
"""For getting one, whatever gets it."""
_SENDABLE = re.compile(r"[\x21-\x7e]+\Z")

TokenSource: TypeAlias = str | Path | Callable[[], str] | Callable[[], Awaitable[str]]
"""A token, a file that holds one, or a function that gets one; plain functions run in a thread."""


async def token_of(source: TokenSource) -> str:
    """The token as it is now, without white space around it. TokenUnavailable."""
    try:
        async with asyncio.timeout(OBTAIN_SECONDS) as patience:
            token = (await _obtained(source)).strip()
    except TokenUnavailable:
        raise
    except Exception as error:  # its text may hold the token
        if patience.expired():
            raise TokenUnavailable(f"no token came within {OBTAIN_SECONDS:g} s") from None
        raise TokenUnavailable(f"no token could be obtained ({type(error).__name__})") from None
    if not _SENDABLE.match(token):
        raise TokenUnavailable("the token is empty, or holds characters that no token has")
    return token


async def _obtained(source: TokenSource) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, Path):
        return await asyncio.to_thread(_read, source)
    got: object = source() if inspect.iscoroutinefunction(source) else await asyncio.to_thread(source)
    token: object = await got if inspect.isawaitable(got) else got
    if not isinstance(token, str):
        raise TokenUnavailable(f"what gets the token returned {type(token).__name__}, and no text")
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise TokenUnavailable(f"the token file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenUnavailable(f"the token file {file} holds no text") from None
