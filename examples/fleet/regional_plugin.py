"""A credential plugin that is told who asks, and for which cluster.

Who asks is the application's own: its access config gives this plugin an identity (an argument)
and a client id (a variable). The audience is the cluster's: its ClusterProfile brings it along in
the extension client.authentication.k8s.io/exec. A real one would exchange the three for a token at
an identity provider; here each has a file.
"""

import argparse
import os
from pathlib import Path

from store_plugin.access.credential_plugin import ExecInfo, ExecStatus, run
from store_plugin.errors import ConfigInvalid, LoginRefused

parser = argparse.ArgumentParser()
parser.add_argument("--identity", required=True)


def provide(info: ExecInfo) -> ExecStatus:
    config = info.cluster.config if info.cluster else None
    audience = config.get("audience") if isinstance(config, dict) else None
    if not isinstance(audience, str) or not audience.isalnum():
        raise ConfigInvalid("the extension of the profile has to name an audience, of letters and digits")
    client, tokens = os.environ["CLIENT_ID"], Path(os.environ["TOKENS"])
    file = tokens / f"{parser.parse_args().identity}.{client}.{audience}"
    if not file.exists():
        raise LoginRefused(f"there is no token for the audience {audience}: put one into {tokens}")
    return ExecStatus(token=file.read_text().strip())


if __name__ == "__main__":
    run(provide)
