"""Take a file out of a repository: from a directory, or from a web server by https.

The server is trusted with nothing: sizes and times are bounded, redirects stay with https, and the
file counts only if its digest is the one in the index. Who vouches for that digest is a signature.
"""

import asyncio
import hashlib
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from store_plugin.errors import InvalidRequest, PluginUntrusted, StoreUnavailable, TooLarge
from store_plugin.lifecycle.repository.index import INDEX_NAME, MAX_INDEX_BYTES, Index, Release, read_index

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS = 10.0
INDEX_SECONDS = 30.0
FILE_SECONDS = 600.0
MOST_REDIRECTS = 5
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A release, and the file that was fetched."""

    release: Release
    file: Path
    where: str
    """The repository, without what may be secret in its address."""


def fetch(repository: str, name: str, version: str | None, directory: Path) -> Fetched:
    """Get one plugin into `directory`. InvalidRequest, PluginNotFound, PluginUntrusted for a file
    that is not the one in the index, TooLarge, StoreUnavailable. Blocking."""
    if "://" in repository:
        return asyncio.run(_fetch_by_http(_checked_url(repository), name, version, directory))
    return _fetch_from(Path(repository), name, version)


def _fetch_from(repository: Path, name: str, version: str | None) -> Fetched:
    """Nothing is copied here: installing copies, and checks the digest of the copy."""
    file = repository / INDEX_NAME
    try:
        with file.open("rb") as opened:
            index = read_index(opened.read(MAX_INDEX_BYTES + 1), str(repository))
    except OSError as error:
        raise InvalidRequest(f"{repository} is no repository: {INDEX_NAME}: {error.strerror}") from None
    release = index.find(name, version)
    if (repository / release.file).is_symlink():
        raise InvalidRequest(f"{release.file} is a symbolic link: a repository holds the files themselves")
    return Fetched(release, repository / release.file, str(repository))


async def _fetch_by_http(url: str, name: str, version: str | None, directory: Path) -> Fetched:
    import aiohttp

    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=CONNECT_SECONDS)
    # trust_env: people behind a proxy have it in their environment.
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        try:
            async with asyncio.timeout(INDEX_SECONDS):
                index = await _index(session, url)
            release = index.find(name, version)
            async with asyncio.timeout(FILE_SECONDS):
                file = await _file(session, url, release, directory)
        except TimeoutError:
            raise StoreUnavailable(f"{shown(url)} did not answer in time") from None
        except aiohttp.ClientError as error:
            raise StoreUnavailable(f"{shown(url)} cannot be reached: {type(error).__name__}") from None
        except OSError as error:
            raise StoreUnavailable(f"what {shown(url)} sends cannot be kept: {error.strerror}") from None
    return Fetched(release, file, shown(url))


async def _index(session: "aiohttp.ClientSession", url: str) -> Index:
    content = bytearray()
    async with _got(session, url + INDEX_NAME) as response:
        async for chunk in response.content.iter_chunked(_CHUNK):
            content += chunk
            if len(content) > MAX_INDEX_BYTES:
                raise TooLarge(f"the index of {shown(url)} is larger than {MAX_INDEX_BYTES} bytes")
    return read_index(bytes(content), shown(url))


async def _file(session: "aiohttp.ClientSession", url: str, release: Release, directory: Path) -> Path:
    target, digest, size = directory / release.file, hashlib.sha256(), 0
    async with _got(session, url + quote(release.file)) as response:
        with target.open("wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > release.size:
                    raise PluginUntrusted(f"{release.file} is larger than its index says")
                digest.update(chunk)
                file.write(chunk)
    if digest.hexdigest() != release.digest:
        raise PluginUntrusted(
            f"{release.file} is not the file in the index: its digest is {digest.hexdigest()}"
        )
    return target


@asynccontextmanager
async def _got(session: "aiohttp.ClientSession", url: str) -> "AsyncIterator[aiohttp.ClientResponse]":
    """The answer with status 200, behind redirects that stay safe."""
    for _ in range(MOST_REDIRECTS + 1):
        async with session.get(url, allow_redirects=False) as response:
            if response.status == 200:
                yield response
                return
            if response.status not in (301, 302, 303, 307, 308):
                raise _refused(url, response.status)
            url = _redirected(url, response.headers.get("Location", ""))
    raise StoreUnavailable(f"{shown(url)} redirects more than {MOST_REDIRECTS} times")


def _redirected(url: str, location: str) -> str:
    """Where an answer sends us. InvalidRequest; what began with https stays with it, also where the
    other place is this machine, whose services are nobody else's to ask."""
    target = _checked_url(urljoin(url, location), directory=False)
    if url.startswith("https://") and not target.startswith("https://"):
        raise InvalidRequest(f"{shown(url)} redirects to {shown(target)}, which is not encrypted")
    return target


def _refused(url: str, status: int) -> InvalidRequest | StoreUnavailable:
    if status >= 500 or status == 429:
        return StoreUnavailable(f"{shown(url)} answers {status}: try again later")
    return InvalidRequest(f"{shown(url)} answers {status}: is it the address of a repository?")


def _checked_url(url: str, *, directory: bool = True) -> str:
    """https, or http to this machine itself. InvalidRequest."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise InvalidRequest("the address of the repository is not a URL") from None
    if not host or parts.scheme not in ("http", "https") or port == 0:
        raise InvalidRequest(f"{shown(url)} is no https:// address")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidRequest(f"{shown(url)} is not encrypted: write https:// (http:// only for this machine)")
    if directory and parts.query:
        raise InvalidRequest("the address of a repository has no query: files are named below it")
    return url if not directory or url.endswith("/") else f"{url}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(url: str) -> str:
    """The URL without user, password and query: for messages and records."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
