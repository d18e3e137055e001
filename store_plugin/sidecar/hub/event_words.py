"""What is said of a plugin in an Event of Kubernetes."""

from store_plugin.hub.events import EventKind, RegistryEvent


def reason(event: RegistryEvent) -> str:
    """A word for programs, as `PluginReady`."""
    return f"Plugin{event.kind.value.capitalize()}"


def message(event: RegistryEvent) -> str:
    """What happened, for people."""
    who = f"plugin {event.name}" if event.name else "a plugin that has not said its name"
    user = f" as {event.user}" if event.user else ""
    match event.kind:
        case EventKind.CONNECTED:
            return f"{who} {event.version} (instance {event.instance_id}) has connected{user}"
        case EventKind.READY:
            return f"{who} {event.version} (instance {event.instance_id}) takes calls"
        case EventKind.DRAINING:
            return f"{who} (instance {event.instance_id}) takes no more calls, and finishes those it has"
        case EventKind.GONE:
            return f"{who} (instance {event.instance_id}) is gone: {event.why}"
        case EventKind.REFUSED:
            return f"{who} was refused{user}: {event.why}"


def is_bad(event: RegistryEvent) -> bool:
    """Whether somebody should look at it."""
    return event.kind is EventKind.REFUSED or (event.kind is EventKind.GONE and not event.drained)
