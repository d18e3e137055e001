"""Says what was being done when something failed, and keeps the class of the failure.

The texts are those of Crossplane's runtime, so that who knows one knows the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from store_plugin.errors import StorePluginError

GET_STORE_CONFIG = "cannot get store config"
CONNECT = "cannot connect to secret store"
WRITE = "cannot write to secret store"
READ = "cannot read from secret store"
DELETE = "cannot delete from secret store"
CONFLICT = "cannot establish control of existing connection secret"
DISABLED = "cannot publish to secret store, feature is not enabled"


def not_owned_by(uid: str) -> str:
    return f'existing secret is not owned by UID "{uid}"'


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Put `what` before the message of any error of ours that is raised inside."""
    try:
        yield
    except StorePluginError as error:
        raise _saying(f"{what}: {error.message}", error) from error


def _saying(message: str, error: StorePluginError) -> StorePluginError:
    """The same error with another message. Not made by its constructor, because that of
    each class is its own."""
    again = type(error).__new__(type(error), message)
    vars(again).update(vars(error))
    again.message = message
    return again
