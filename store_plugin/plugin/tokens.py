"""Where a plugin's bearer token comes from. It is asked for at each connect, before dialling."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from store_plugin.errors import TokenUnavailable

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_SENDABLE = re.compile(r"[\x21-\x7e]+\Z")

TokenSource: TypeAlias = str | Path | Callable[[], str] | Callable[[], Awaitable[str]]
"""A token, a file that holds one, or a function that gets one; plain functions run in a thread."""


async def token_of(source: TokenSource) -> str:
    """The token as it is now, without white space around it. TokenUnavailable."""
    try:
        token = (await _obtained(source)).strip()
    except TokenUnavailable:
        raise
    except OSError as error:
        raise TokenUnavailable(f"the token file {source} cannot be read: {error.strerror}") from None
    except Exception as error:  # its text may hold the token
        raise TokenUnavailable(f"no token could be obtained ({type(error).__name__})") from None
    if not _SENDABLE.match(token):
        raise TokenUnavailable("the token is empty, or holds characters that no token has")
    return token


async def _obtained(source: TokenSource) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, Path):
        return await asyncio.to_thread(source.read_text)
    got: object = source() if inspect.iscoroutinefunction(source) else await asyncio.to_thread(source)
    return str(await got if inspect.isawaitable(got) else got)
