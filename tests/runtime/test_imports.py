"""An operator that publishes gets no server, and no library that it does not use itself."""

import subprocess
import sys

NOT_NEEDED = {
    "kubernetes",
    "kopf",
    "aiohttp",
    "structlog",
    "click",
    "yaml",
    "prometheus_client",
    "hvac",
    "stores",
}


def test_the_runtime_adapter_needs_grpc_and_pydantic_only() -> None:
    program = "import sys, store_plugin.runtime; print('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {line.split(".")[0] for line in output.stdout.splitlines()}
    assert {"grpc", "pydantic"} <= loaded
    assert loaded & NOT_NEEDED == set()
