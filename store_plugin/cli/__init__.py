"""The command `store-plugin`: one module per command, each imported when it is run."""

import os
import sys


def main() -> None:
    """Run the command line; exits with its code."""
    try:
        import click  # noqa: F401
    except ImportError:
        print("store-plugin needs its extra 'cli': pip install 'store-plugin[cli]'", file=sys.stderr)
        sys.exit(2)
    # gRPC reads it when it is imported, which several commands' modules do. Its lines are
    # noise; ours say what failed.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from store_plugin.cli._app import cli

    cli(prog_name="store-plugin")
