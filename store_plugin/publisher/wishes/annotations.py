"""The words that Secrets ask with, and the ones that the publisher answers with."""

_GROUP = "secrets.crossplane.io"

PUBLISH_TO = f"{_GROUP}/publish-to"
"""StoreConfig to publish the Secret with; a label as well. Empty: not at all."""
FETCH_FROM = f"{_GROUP}/fetch-from"
"""StoreConfig to fill the Secret from; a label as well."""
REMOTE_NAME = f"{_GROUP}/remote-name"
"""Template of the name in the store, below the namespace."""
KEYS = f"{_GROUP}/keys"
"""Which keys, and under which names: `username, password=db-password`, `*, !kubeconfig`."""
UPDATE_POLICY = f"{_GROUP}/update-policy"
DELETION_POLICY = f"{_GROUP}/deletion-policy"
REFRESH_INTERVAL = f"{_GROUP}/refresh-interval"
STATUS = f"{_GROUP}/status"
"""What the publisher says; nobody else writes it."""
ALLOWED_NAMESPACES = f"{_GROUP}/allowed-namespaces"
"""On a StoreConfig: whose Secrets may use it, `team-a, team-b-*`; left out: all."""
FINALIZER = f"{_GROUP}/publisher"

ASKING = frozenset({PUBLISH_TO, FETCH_FROM, STATUS})
"""A Secret with one of them concerns the publisher."""
WISHES = (PUBLISH_TO, FETCH_FROM, REMOTE_NAME, KEYS, UPDATE_POLICY, DELETION_POLICY, REFRESH_INTERVAL)
