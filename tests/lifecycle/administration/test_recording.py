"""What cannot be done after all is recorded as not done, whatever it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from store_plugin.errors import StoreUnavailable
from store_plugin.lifecycle.administration.installing import Incoming, Installer
from store_plugin.lifecycle.administration.registering import Registrar
from store_plugin.lifecycle.layout import Layout
from tests.lifecycle.administration.conftest import events


def replaced(directory: Path) -> None:
    """A file in the place of an empty directory: nothing can be put in there."""
    directory.rmdir()
    directory.touch()


def installing(layout: Layout, executable: Path, key: Path) -> None:
    replaced(layout.installed)
    Installer(layout).install(Incoming(executable, str(executable)))


def removing(layout: Layout, executable: Path, key: Path) -> None:
    (layout.content / ("d" * 64)).mkdir()
    Registrar(layout).delete_content("d" * 64)


def trusting(layout: Layout, executable: Path, key: Path) -> None:
    replaced(layout.trusted_keys)
    Installer(layout).keys.add(key)


def demanding(layout: Layout, executable: Path, key: Path) -> None:
    layout.settings.mkdir()
    Installer(layout).keys.require(True)


CHANGES = {"install": installing, "remove": removing, "trust": trusting, "require-signature": demanding}


@pytest.mark.parametrize(("event", "change"), CHANGES.items(), ids=CHANGES)
def test_a_change_that_fails_after_its_record_is_recorded_as_not_done(
    layout: Layout, executable: Path, key: Path, event: str, change: Callable[[Layout, Path, Path], None]
) -> None:
    with pytest.raises(StoreUnavailable):
        change(layout, executable, key)
    assert events(layout) == [event, "not-done"]
