"""What a plugin says of itself: run with `--describe`, under a keeper, with next to nothing.

It is somebody's program that is run before anybody registered it, so whoever calls this says so to
the person. Its answer is one JSON object on standard output; other lines before it are left out.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from store_plugin.errors import InvalidRequest
from store_plugin.lifecycle.environment import minimal_environment
from store_plugin.lifecycle.registration import PluginName, Version
from store_plugin.lifecycle.supervision.process import Command, PluginProcess
from store_plugin.trust import digest_of

DESCRIBE = "--describe"
DESCRIBE_SECONDS = 30.0
MOST_CHARACTERS = 1024 * 1024
"""Of its answer; what comes after is not listened to."""
_LIMITS = {"open_files": 256, "core_bytes": 0, "memory_bytes": 2 * 1024**3, "processes": None}
_GRACE = 1.0


class _Said(BaseModel):
    """From others' programs: what we do not know is left out, not refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class DescribedKind(_Said):
    """A kind of store config that it serves."""

    api_version: str = Field(max_length=253)
    kind: str = Field(max_length=253)


class Description(_Said):
    """A plugin's manifest, as it tells it itself."""

    name: PluginName
    version: Version
    kinds: tuple[DescribedKind, ...] = Field(default=(), max_length=64)
    services: tuple[str, ...] = Field(default=(), max_length=64)
    protocol_versions: tuple[str, ...] = Field(default=(), max_length=16)
    arguments: tuple[str, ...] = Field(default=(), max_length=64)


async def describe(executable: Path, digest: str) -> Description:
    """Run it and listen. PluginUntrusted where it is not what `digest` says or cannot be run,
    InvalidRequest where it does not answer in time or not with a manifest."""
    lines: list[str] = []
    room = MOST_CHARACTERS

    def hear(line: str) -> None:
        nonlocal room
        room -= len(line) + 1
        if room >= 0:
            lines.append(line)

    command = Command(executable, digest, [executable.name, DESCRIBE], minimal_environment(), _LIMITS, _GRACE)
    process = await PluginProcess.start(command, hear, MOST_CHARACTERS)
    try:
        async with asyncio.timeout(DESCRIBE_SECONDS):
            code = await process.ended()
    except TimeoutError:
        raise InvalidRequest(f"it did not answer {DESCRIBE} within {DESCRIBE_SECONDS:g} s") from None
    finally:
        process.kill()
    await process.drained()
    if code != 0:
        last = lines[-1][:200] if lines else "and says nothing"
        raise InvalidRequest(f"{DESCRIBE} ends with code {code}: {last}. Give --name and --version instead")
    return understood("\n".join(lines))


async def described(executable: Path) -> Description:
    """The same of a file as it is now, for a person who has just named it."""
    return await describe(executable, await asyncio.to_thread(digest_of, executable))


def understood(text: str) -> Description:
    """The manifest in what was said. InvalidRequest."""
    try:
        return Description.model_validate(_object(text))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"its answer to {DESCRIBE} is no manifest: {place}: {first['msg']}") from None


def _object(text: str) -> Any:
    """The JSON object that begins at a line's start and reaches to the end."""
    at = 0 if text.startswith("{") else text.find("\n{") + 1
    try:
        return json.loads(text[at:]) if text[at : at + 1] == "{" else None
    except (ValueError, RecursionError):
        return None
