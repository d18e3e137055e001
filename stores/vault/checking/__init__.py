"""What `config check --connect` finds out about a Vault: why a config does not work, in one
line that says what to do.

It only reads. Rights are asked for at sys/capabilities-self, never tried.
"""

from stores.vault.adapter import VaultAdapter
from stores.vault.checking.mount import check_mount
from stores.vault.checking.rights import check_rights
from stores.vault.checking.token_life import check_token_life
from stores.vault.kv.engine import KeyValue
from stores.vault.spec import VaultSpec

__all__ = ["check"]


async def check(spec: VaultSpec, key_value: KeyValue, adapter: VaultAdapter) -> list[str]:
    """Warnings about what works and should be known.

    ConfigInvalid where the mount is not there or is no KV engine of the configured version,
    StoreDenied where the policies lack what an apply or a delete needs.
    """
    await check_mount(spec, key_value, adapter)
    return [
        *key_value.warnings,
        *await check_rights(spec, key_value, adapter),
        *(await check_token_life(adapter) if spec.auth.method == "Token" else ()),
    ]
