"""How far a server's storage has to be so that a request sees what we have written.

An answer carries `X-Vault-Index`, and a standby that serves reads and lags behind refuses a
request that carries it back: Vault Enterprise with 412, OpenBao (2.5 and later) with 429 and
no error. So who writes, and then reads, sees the write, whichever server answers.
"""

import base64
import json
from collections.abc import Mapping

HEADER = "X-Vault-Index"


class LastIndex:
    """The newest index among our writes. Costs nothing with a server that sends none."""

    def __init__(self) -> None:
        self.value: str | None = None
        self._of: Mapping[str, str] | None = None
        self._with: Mapping[str, str] = {}

    def note(self, seen: str) -> None:
        """Answers come in any order: an older index never replaces a newer one."""
        if self.value is None or not _is_older(seen, self.value):
            self.value, self._of = seen, None

    def added(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """`headers` with the index: the same object for the same ones, as they are encoded once."""
        if self.value is None:
            return headers
        if headers is not self._of:
            self._of, self._with = headers, {**headers, HEADER: self.value}
        return self._with


def _is_older(index: str, than: str) -> bool:
    """Only within one cluster; what cannot be told counts as newer."""
    cluster, position = _parsed(index)
    its_cluster, its_position = _parsed(than)
    return cluster is not None and cluster == its_cluster and position < its_position


def _parsed(index: str) -> tuple[str | None, tuple[int, ...]]:
    """Cluster and position. In base64, Vault writes `v1:CLUSTER:LOCAL:REPLICATED:HMAC` and
    OpenBao `{"cluster": "CLUSTER", "value": "POSITION"}`."""
    try:
        text = base64.b64decode(index, validate=True).decode("ascii")
        if text.startswith("v1:"):
            _, cluster, local, replicated, _ = text.split(":")
            return cluster, (int(local), int(replicated))
        found = json.loads(text)
        return str(found["cluster"]), (int(found["value"]),)
    except (ValueError, KeyError, TypeError):
        return None, ()
