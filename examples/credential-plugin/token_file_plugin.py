"""A credential plugin: the token of each cluster is a file, named as the cluster's extension says."""

import os
from pathlib import Path

from store_plugin.access.credential_plugin import ExecInfo, ExecStatus, run
from store_plugin.errors import ConfigInvalid


def provide(info: ExecInfo) -> ExecStatus:
    config = info.cluster.config if info.cluster else None
    identity = config.get("identity") if isinstance(config, dict) else None
    if not isinstance(identity, str) or not identity.isalnum():
        raise ConfigInvalid("the cluster's extension has to name an identity, of letters and digits")
    return ExecStatus(token=Path(os.environ["TOKENS"], identity).read_text().strip())


if __name__ == "__main__":
    run(provide)
