"""What is imported when: a consumer without clients yet, and a plugin, start without a library of either."""

import subprocess
import sys

import pytest

NOT_YET = {"kubernetes", "aiohttp", "urllib3", "grpc", "structlog", "prometheus_client"}


@pytest.mark.parametrize(
    ("module", "not_needed"),
    [
        ("store_plugin.access.config", NOT_YET),
        ("store_plugin.access.watched", NOT_YET),
        ("store_plugin.access.options", NOT_YET | {"click"}),
        ("store_plugin.access.exec_credential", NOT_YET | {"pydantic", "yaml", "cryptography"}),
        ("store_plugin.access.credential_plugin", NOT_YET | {"pydantic", "yaml", "cryptography"}),
    ],
)
def test_what_is_not_needed_yet_is_not_imported(module: str, not_needed: set[str]) -> None:
    program = f"import sys, {module}; print('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {line.split(".")[0] for line in output.stdout.splitlines()}
    assert loaded & not_needed == set()
