"""What `store-plugin exec-credential` is told, and how it is read.

A profile's author may be allowed to add arguments and variables to a plugin's. So an option
counts once and is never replaced by a second one, config and name cannot come from the
environment, and nothing is taken for an option after `--`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store_plugin.access.stored.credential import Keys
from store_plugin.access.stored.template import NameTemplate, Template
from store_plugin.endpoints import DEFAULT_ENDPOINT
from store_plugin.errors import InvalidRequest
from store_plugin.model import check_keys

USAGE = "KIND/NAME SCOPE/NAME [OPTIONS]"


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as the help tells of it. `variable` is read where it is not given."""

    name: str
    metavar: str
    help: str
    default: str = ""
    variable: str = ""


OPTIONS = (
    Option("token-key", "KEY", "Key of the secret that holds the token.", Keys().token),
    Option("certificate-key", "KEY", "Key that holds the client certificate, PEM.", Keys().certificate),
    Option("key-key", "KEY", "Key that holds the certificate's private key, PEM.", Keys().key),
    Option("kubeconfig-key", "KEY", "Key that holds a kubeconfig instead.", Keys().kubeconfig),
    Option("context", "NAME", "Context of the kubeconfig; left out: its current one."),
    Option("server-key", "KEY", "Key that says which server the credential is for.", Keys().server),
    Option("authority-key", "KEY", "Key that holds that server's authority, PEM.", Keys().authority),
    Option("audience", "NAME", "Refuse a token that is for another audience."),
    Option("expiry-label", "LABEL", "Label of the secret that says when the credential ends."),
    Option("config-dir", "DIR", "Open the store in this process, as the manifests in DIR say."),
    Option(
        "endpoint",
        "ADDR",
        "Where the sidecar listens: unix:///@name, unix:///path or host:port (TLS).",
        DEFAULT_ENDPOINT,
        "STORE_PLUGIN_ENDPOINT",
    ),
    Option("token-file", "FILE", "File with the bearer token to show.", variable="STORE_PLUGIN_TOKEN_FILE"),
    Option(
        "certs-dir",
        "DIR",
        "Directory with ca.crt, tls.crt and tls.key; needed for host:port.",
        variable="STORE_PLUGIN_CERTS_DIR",
    ),
    Option(
        "server-name",
        "NAME",
        "Name in the sidecar's certificate where it is not the host's.",
        variable="STORE_PLUGIN_SERVER_NAME",
    ),
    Option("timeout", "SECONDS", "Longest until the answer.", "10", "STORE_PLUGIN_TIMEOUT"),
    Option(
        "connect-timeout",
        "SECONDS",
        "Longest to wait for a sidecar that does not answer.",
        "5",
        "STORE_PLUGIN_CONNECT_TIMEOUT",
    ),
)
_NAMES = {f"--{option.name}": option for option in OPTIONS}


@dataclass(frozen=True, slots=True)
class Connecting:
    """The way to the sidecar."""

    endpoint: str
    token_file: Path | None
    certs_dir: Path | None
    server_name: str | None
    connect_timeout: float


@dataclass(frozen=True, slots=True)
class Options:
    """One plugin's arguments."""

    config: str
    name: NameTemplate
    keys: Keys
    context: Template | None
    audience: Template | None
    expiry_label: str | None
    config_dir: Path | None
    connecting: Connecting
    timeout: float


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The options. InvalidRequest says what is wrong with the arguments."""
    named, positional = _split(arguments)
    if len(positional) != 2:
        raise InvalidRequest(
            f"it takes two arguments beside options, and got {len(positional)}: write {USAGE}; see --help"
        )

    def value(name: str) -> str:
        option = _NAMES[f"--{name}"]
        return named.get(name) or environ.get(option.variable, "") or option.default

    timeout = _seconds(value("timeout"), "timeout")
    return Options(
        config=positional[0],
        name=NameTemplate.parse(positional[1]),
        keys=_keys(value),
        context=_template(value("context")),
        audience=_template(value("audience")),
        expiry_label=value("expiry-label") or None,
        config_dir=_path(value("config-dir")),
        connecting=Connecting(
            endpoint=value("endpoint"),
            token_file=_path(value("token-file")),
            certs_dir=_path(value("certs-dir")),
            server_name=value("server-name") or None,
            connect_timeout=min(timeout, _seconds(value("connect-timeout"), "connect-timeout")),
        ),
        timeout=timeout,
    )


def _split(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Options by name, and what is none. `--name value` or `--name=value`, nothing shortened."""
    named: dict[str, str] = {}
    positional: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            positional += left
        elif argument.startswith("-"):
            name, value = _option(argument, left)
            if name in named:
                raise InvalidRequest(f"--{name} is given twice")
            named[name] = value
        else:
            positional.append(argument)
    return named, positional


def _option(argument: str, left: Iterator[str]) -> tuple[str, str]:
    spelled, equals, value = argument.partition("=")
    option = _NAMES.get(spelled)
    if option is None:
        raise InvalidRequest(f"there is no option {spelled[:40]!r}; see --help")
    given = value if equals else next(left, "")
    if not given or (not equals and given.startswith("--")):
        raise InvalidRequest(f"{spelled} needs a value: {spelled} {option.metavar}")
    return option.name, given


def _keys(value: Callable[[str], str]) -> Keys:
    keys = Keys(
        token=value("token-key"),
        certificate=value("certificate-key"),
        key=value("key-key"),
        kubeconfig=value("kubeconfig-key"),
        server=value("server-key"),
        authority=value("authority-key"),
    )
    check_keys(dict.fromkeys(keys.all(), b""))
    return keys


def _template(text: str) -> Template | None:
    return Template(text) if text else None


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _seconds(text: str, name: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"--{name} is not a number of seconds above 0")
    return seconds
