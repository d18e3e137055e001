"""STS on loopback that checks signatures: moto, told to believe nobody any more."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import moto

USER = "crossplane"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class GuardedSTS:
    """Its address, and the keys of the only user whom it knows."""

    address: str
    identity: str
    access_key: str
    secret_key: str = field(repr=False)

    def values(self, block: str = "auth.aws.static") -> dict[str, bytes]:
        """The keys as credentials of a config."""
        keys = {"accessKeyID": self.access_key, "secretAccessKey": self.secret_key}
        return {f"{block}.{name}": value.encode() for name, value in keys.items()}


@contextmanager
def guarded_sts(directory: Path) -> Iterator[GuardedSTS]:
    """A server that ends with the block."""
    with moto.server(directory) as server:
        iam = server.client("iam")
        identity = iam.create_user(UserName=USER)["User"]["Arn"]
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        iam.put_user_policy(UserName=USER, PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING))
        # From the next request on.
        request = urllib.request.Request(
            f"{server.address}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request, timeout=30):
            yield GuardedSTS(server.address, identity, key["AccessKeyId"], key["SecretAccessKey"])
