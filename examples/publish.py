"""What an operator does with its connection details: publish, read, clean up.

python examples/publish.py VaultConfig/vault [ENDPOINT]
"""

import sys

from store_plugin.client import Client
from store_plugin.errors import NotOwner

if len(sys.argv) < 2:
    sys.exit(__doc__)
CONFIG = sys.argv[1]
ENDPOINT = sys.argv[2] if len(sys.argv) > 2 else "unix:///@crossplane/secret/default.sock"
OWNER = "0b1f7c9e-5f0a-4c55-9d2e-3a6f0a2f6f11"  # metadata.uid of the object that owns the secret

with Client(ENDPOINT) as client:
    details = {"username": b"admin", "password": b"correct horse battery staple"}
    applied = client.apply(CONFIG, "team-a/orders", details, owner=OWNER)
    print("changed:", ", ".join(f"{change.key} {change.kind.name}" for change in applied.changes))

    again = client.apply(CONFIG, "team-a/orders", details, owner=OWNER)
    print("the same again:", "changed" if again.changed else "unchanged, nothing was written")

    try:
        client.apply(CONFIG, "team-a/orders", {"password": b"mine now"}, owner="somebody-else")
    except NotOwner as error:
        print("somebody else:", error.reason)

    print("stored keys:", ", ".join(sorted(client.get(CONFIG, "team-a/orders").data)))
    client.delete(CONFIG, "team-a/orders", owner=OWNER)
    print("after delete:", len(client.get(CONFIG, "team-a/orders").data), "keys")
