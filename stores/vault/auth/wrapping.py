"""Unwrapping a secret ID. A token that no longer unwraps is a warning: if it did not expire,
somebody else holds the secret ID."""

from hvac.api.system_backend import Wrapping

from store_plugin.errors import InvalidRequest, LoginRefused, StoreDenied
from stores.vault.adapter import VaultAdapter
from stores.vault.http.answer import Answer


async def unwrapped_secret_id(adapter: VaultAdapter, reference: str) -> str:
    """The secret ID in the token that `adapter` carries and `reference` names. LoginRefused
    where it cannot be unwrapped, or holds something else."""
    try:
        answer: Answer = await Wrapping(adapter).unwrap()
    except (InvalidRequest, StoreDenied) as refused:
        raise LoginRefused(
            f"{refused.message}; it expired, or somebody else may have unwrapped it: then revoke its secret "
            f"ID; put a new wrapping token in {reference}"
        ) from None
    data = answer.json().get("data")
    secret_id = data.get("secret_id") if isinstance(data, dict) else None
    if not isinstance(secret_id, str) or not secret_id:
        raise LoginRefused(
            f"{answer.where}: what is wrapped is no secret ID; wrap the answer to role/NAME/secret-id "
            f"and put that token in {reference}"
        )
    return secret_id
