"""The kinds that manifests are checked against: those installed here, and those that plugins bring.

What a plugin brings is known to the sidecar that it is connected to, and to whoever recorded what
the plugin says of itself. Of the others their API groups tell that a plugin may bring them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store_plugin.cli._control import CONTROL_VARIABLE, connected
from store_plugin.errors import InvalidRequest, NotReachable, StorePluginError

if TYPE_CHECKING:
    from store_plugin.config.kinds import Kinds
    from store_plugin.hub.peer import PluginKind
    from store_plugin.model import ConfigReference

_GROUPS_VARIABLE = "STORE_PLUGIN_HUB_PLUGIN_GROUPS"
_LARGEST = 16 * 1024 * 1024


def with_plugin_kinds(command: Callable[..., None]) -> Callable[..., None]:
    """Options that tell the kinds of plugins; the command gets all kinds as `kinds`. A sidecar that
    the environment names may be away: then its plugins are not known."""

    @click.option(
        "--control-socket",
        type=click.Path(path_type=Path),
        envvar=CONTROL_VARIABLE,
        show_envvar=True,
        metavar="PATH",
        help="Ask the sidecar with this control socket for the kinds of its plugins.",
    )
    @click.option(
        "--plugin",
        "recorded",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        metavar="FILE",
        help="What a plugin says of itself with --describe, recorded; repeatable.",
    )
    @click.option(
        "--hub-plugin-groups",
        "groups",
        multiple=True,
        envvar=_GROUPS_VARIABLE,
        show_envvar=True,
        metavar="PATTERN",
        help="API groups that plugins may bring kinds of, as of serve; repeatable.",
    )
    @click.pass_context
    @wraps(command)
    def run(
        ctx: click.Context,
        /,
        *,
        control_socket: Path | None,
        recorded: Sequence[Path],
        groups: Sequence[str],
        **options: Any,
    ) -> None:
        named = ctx.get_parameter_source("control_socket") is click.core.ParameterSource.COMMANDLINE
        command(kinds=_all_kinds(control_socket, named, recorded, groups), **options)

    return run


def brought(kinds: "Kinds", references: "Iterable[ConfigReference]") -> "list[ConfigReference]":
    """Those that name a kind of a plugin."""
    from store_plugin.store import ServedKind

    of_kind = ((reference, kinds.get((reference.api_version, reference.kind))) for reference in references)
    return [reference for reference, kind in of_kind if kind and not isinstance(kind, ServedKind)]


def _all_kinds(
    control_socket: Path | None, named: bool, recorded: Sequence[Path], groups: Sequence[str]
) -> "Kinds":
    from store_plugin.store import served_kinds

    if control_socket is None and not recorded and not groups:
        return served_kinds()
    plugins, allowed = _asked(control_socket, named)
    told = dict(_recorded(file) for file in recorded)
    own = {kind.api_version.partition("/")[0] for kinds in told.values() for kind in kinds}
    return _with_plugins({**plugins, **told}, {*groups, *allowed, *own})


def _with_plugins(plugins: "dict[str, tuple[PluginKind, ...]]", groups: set[str]) -> "Kinds":
    """InvalidRequest where a plugin could not bring its kinds to a hub either."""
    from store_plugin.hub.peer import Peer
    from store_plugin.hub.registry import Registry
    from store_plugin.hub.store_kinds.kinds import Kinds
    from store_plugin.store import served_kinds

    kinds = Kinds(served_kinds(), Registry(), groups)
    for name, brings in plugins.items():
        peer = Peer(name, "", "", announced_instance=False, kinds=brings)
        try:
            kinds.check(peer)
        except StorePluginError as refusal:
            raise InvalidRequest(f"plugin {name}: {refusal.message}") from None
        kinds.take(peer)
    return kinds


def _asked(
    control_socket: Path | None, named: bool
) -> "tuple[dict[str, tuple[PluginKind, ...]], Sequence[str]]":
    """What a running sidecar knows, by plugin; and the API groups that it lets plugins bring."""
    from store_plugin.hub.peer import PluginKind

    if control_socket is None:
        return {}, ()
    try:
        with connected(control_socket) as control:
            answer = control.kinds()
    except NotReachable:
        if named:
            raise
        return {}, ()
    found: dict[str, tuple[PluginKind, ...]] = {}
    for kind in answer.kinds:
        one = PluginKind(kind.api_version, kind.kind, kind.plural, kind.spec_schema)
        found[kind.plugin] = (*found.get(kind.plugin, ()), one)
    return found, tuple(answer.groups)


def _recorded(file: Path) -> "tuple[str, tuple[PluginKind, ...]]":
    """A plugin's name and kinds, from its answer to --describe. InvalidRequest."""
    from store_plugin.hub.peer import PluginKind
    from store_plugin.model import plural_of

    try:
        with file.open("rb") as content:
            said = json.loads(content.read(_LARGEST))
        return str(said["name"]), tuple(
            PluginKind(
                kind["apiVersion"],
                kind["kind"],
                kind.get("plural") or plural_of(kind["kind"]),
                json.dumps(kind["schema"]).encode(),
            )
            for kind in said.get("kinds", ())
        )
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise InvalidRequest(
            f"{file} is not what a plugin says of itself: record it with PLUGIN --describe > {file.name}"
        ) from None
