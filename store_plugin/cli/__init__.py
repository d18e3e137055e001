"""The command `store-plugin`: one module per command, each imported when it is run."""

import sys


def main() -> None:
    """Run the command line; exits with its code."""
    try:
        import click  # noqa: F401
    except ImportError:
        print("store-plugin needs its extra 'cli': pip install 'store-plugin[cli]'", file=sys.stderr)
        sys.exit(2)
    from store_plugin.cli._app import cli

    cli(prog_name="store-plugin")
