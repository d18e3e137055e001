"""`python -m store_plugin.cli`, where the command is not on the PATH."""

from store_plugin.cli import main

main()
