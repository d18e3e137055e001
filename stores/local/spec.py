"""The fields of LocalConfig: where the file is and what seals it."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from store_plugin.spec import CredentialReference, Rule, StoreSpec


class LocalSpec(StoreSpec):
    """An encrypted file of secrets.

    Each key is 32 bytes, written in base64 (`head -c 32 /dev/urandom | base64`). To change
    the key, put the new one in `key` and the one before it first in `olderKeys`: reading
    tries all of them, writing seals with `key` only.
    """

    columns: ClassVar[Mapping[str, str]] = {"Path": "path"}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.key.source != 'None' && (!has(self.olderKeys) || "
            "self.olderKeys.all(k, k.source != 'None'))",
            "a key needs a source: Secret, Environment or Filesystem",
        ),
    )

    path: str = Field(min_length=1, pattern=r"^[^\x00]+$")
    """The SQLite file; made with mode 0600 where it is missing. Its directory must exist
    on a local disk: SQLite's locks do not hold on network file systems."""
    key: CredentialReference
    """Seals everything that is written."""
    older_keys: tuple[CredentialReference, ...] = Field(default=(), max_length=100)
    """Open what was sealed before the key was changed."""

    @model_validator(mode="after")
    def _keys_have_a_source(self) -> Self:
        if any(reference.source == "None" for reference in (self.key, *self.older_keys)):
            raise ValueError("a key needs a source: Secret, Environment or Filesystem")
        return self

    @property
    def key_paths(self) -> tuple[str, ...]:
        """The credential paths of all keys, the sealing one first."""
        return ("key", *(f"olderKeys.{position}" for position in range(len(self.older_keys))))
