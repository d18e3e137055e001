"""What an exec plugin sees of our environment: as little as a program can be run with.

client-go hands plugins everything. A controller's environment holds more than its plugin should
know, so only what programs need to find files and servers passes, and what the provider's
`inheritEnv` names.
"""

import os
from collections.abc import Mapping, Sequence

ALLOWED = frozenset(
    {
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
    }
)  # fmt: skip
"""Variables that every plugin sees."""
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def inherited(names: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What passes of `environ` (left out: of this process), by the list and `names`."""
    # The one place of this package that looks: there is no plugin without a PATH.
    ours = os.environ if environ is None else environ
    allowed = ALLOWED | set(names)
    return {"PATH": _DEFAULT_PATH, **{name: value for name, value in ours.items() if name in allowed}}
