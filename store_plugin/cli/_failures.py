"""Exit codes: the one place that decides which error ends the command in which way."""

import click

from store_plugin.cli._printable import printable
from store_plugin.errors import Code, StorePluginError

EXIT_REFUSED = 1
EXIT_NOT_REACHABLE = 3

_NOT_REACHABLE = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}


class Failure(click.ClickException):
    """Ends the command with an error on standard error."""

    exit_code = EXIT_REFUSED


class NotReachableFailure(Failure):
    """Nobody answers: trying again later may help."""

    exit_code = EXIT_NOT_REACHABLE


class MissingExtra(Failure):
    """A command needs a library that is not installed."""

    def __init__(self, error: ModuleNotFoundError) -> None:
        if (error.name or "").startswith("store_plugin"):
            raise error  # not something to install
        super().__init__(f"this needs the module {error.name!r}: pip install 'store-plugin[all]'")


def failure_of(error: StorePluginError) -> Failure:
    """How a typed error ends the command."""
    failure = NotReachableFailure if error.code in _NOT_REACHABLE else Failure
    message = printable(error.message, "\t\n")  # it may quote what a plugin or a server wrote
    return failure(f"{message} ({error.reason})" if error.reason else message)
