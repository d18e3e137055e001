"""The command `store-plugin`: one module per command, each imported when it is run."""

import gc
import os
import sys

_FIRST_PROCESS = 1


def main() -> None:
    """Run the command line; exits with its code."""
    if os.getpid() == _FIRST_PROCESS:
        from store_plugin.cli._init import keep_a_child

        keep_a_child()
    # gRPC reads it when it is imported, which several commands' modules do. Its lines are
    # noise; ours say what failed.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    command, *arguments = sys.argv[1:] or [""]
    if command == "exec-credential" and not {"-h", "--help"}.intersection(arguments):
        # Run for every connection of a kubectl: without click, which costs a quarter of its start.
        gc.disable()  # it would look through all that is imported, for a process that ends at once
        from store_plugin.cli._exec_credential import main as answer

        answer(arguments)
    try:
        import click  # noqa: F401
    except ImportError:
        print("store-plugin needs its extra 'cli': pip install 'store-plugin[cli]'", file=sys.stderr)
        sys.exit(2)
    from store_plugin.cli._app import cli

    cli(prog_name="store-plugin")
