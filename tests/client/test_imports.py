"""An operator that installs the client gets no server with it."""

import subprocess
import sys

NOT_NEEDED = {"pydantic", "structlog", "aiohttp", "click", "rich", "yaml", "prometheus_client", "hvac"}


def test_client_needs_grpc_and_protobuf_only() -> None:
    program = "import sys, store_plugin.client; print('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {line.split(".")[0] for line in output.stdout.splitlines()}
    assert "grpc" in loaded
    assert loaded & NOT_NEEDED == set()
