"""What is mounted where a config says: asked at sys/internal/ui/mounts, which every token may
ask about the mounts that its policies let it use."""

from difflib import get_close_matches
from urllib.parse import quote

from hvac.api.system_backend import Capabilities as CapabilitiesApi

from store_plugin.errors import ConfigInvalid, StoreDenied
from stores.vault.adapter import VaultAdapter
from stores.vault.checking.policy import given_by, is_root, stanzas
from stores.vault.http.answer import Answer
from stores.vault.kv.engine import KeyValue
from stores.vault.spec import VaultSpec

_MOUNTS = "/v1/sys/internal/ui/mounts"
_KV = ("kv", "generic")
_MOST_NAMED = 5


async def check_mount(spec: VaultSpec, key_value: KeyValue, adapter: VaultAdapter) -> None:
    """ConfigInvalid where something else is mounted there, or nothing; StoreDenied where the
    server does not tell which."""
    mount = spec.mount_path
    try:
        answer: Answer = await adapter.get(f"{_MOUNTS}/{quote(mount)}")
    except StoreDenied as denied:
        # Of a mount that is not there the server says the same, also to the root token.
        await _check_neighbours(spec, key_value, adapter)
        raise denied
    _check_found(spec, answer.json().get("data") or {})


def _check_found(spec: VaultSpec, found: dict[str, object]) -> None:
    mount, kind, options = spec.mount_path, found.get("type"), found.get("options")
    if kind not in _KV:
        raise ConfigInvalid(
            f"the secrets engine mounted at {mount}/ is {kind!r}, not kv; name a KV engine in mountPath"
        )
    at = str(found.get("path") or mount).strip("/")
    if at != mount:
        prefix = "/".join(filter(None, (mount.removeprefix(f"{at}/"), spec.path_prefix)))
        raise ConfigInvalid(
            f"mountPath {mount} is a folder below the mount {at}/: set mountPath: {at} and "
            f"pathPrefix: {prefix}"
        )
    version = f"v{(options.get('version') if isinstance(options, dict) else None) or '1'}"
    if version != spec.version:
        raise ConfigInvalid(
            f"KV at {mount}/ is version {version[1:]}, and the config says {spec.version}: "
            f"set version: {version}"
        )


async def _check_neighbours(spec: VaultSpec, key_value: KeyValue, adapter: VaultAdapter) -> None:
    mount = spec.mount_path
    visible = await _visible(adapter)
    close = get_close_matches(mount, visible, n=1)
    named = f"; it sees {', '.join(f'{one}/' for one in visible[:_MOST_NAMED])}" if visible else ""
    if close:
        raise ConfigInvalid(
            f"the token sees no secrets engine at {mount}/; did you mean mountPath: {close[0]}?"
        )
    if await _may_see_all(mount, adapter):
        raise ConfigInvalid(f"no secrets engine is mounted at {mount}/{named}: set mountPath, or mount a KV")
    raise StoreDenied(
        f"the token sees no secrets engine at {mount}/{named}: set mountPath, or where it is right let a "
        f"policy say {stanzas(key_value.needed('*'))}"
    )


async def _visible(adapter: VaultAdapter) -> list[str]:
    """The KV engines that the token's policies let it use."""
    answer: Answer = await adapter.get(_MOUNTS)
    mounts = (answer.json().get("data") or {}).get("secret") or {}
    return sorted(
        path.strip("/") for path, about in mounts.items() if isinstance(about, dict) and about["type"] in _KV
    )


async def _may_see_all(mount: str, adapter: VaultAdapter) -> bool:
    path = f"{mount}/"
    try:
        return is_root(given_by(await CapabilitiesApi(adapter).get_capabilities([path])), path)
    except StoreDenied:
        return False
