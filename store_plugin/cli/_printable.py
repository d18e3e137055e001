"""What somebody else wrote, for a terminal: a plugin, a server, whoever stored a secret.

A terminal obeys what it is shown: it can be made to show other text than there is, to change its title,
and with some to answer in the name of the person before it. So what is no plain text is spelled out.
"""

import click

LINES = "\n\t"


def printable(text: str, kept: str = "\t") -> str:
    """The text, in which everything but `kept` that does not print stands as an escape."""
    return "".join(c if c.isprintable() or c in kept else _spelled(c) for c in text)


def say(text: str, *, err: bool = False) -> None:
    """Print lines that hold what somebody else wrote."""
    click.echo(printable(text, LINES), err=err)


def printable_json(text: str) -> str:
    """JSON that says the same: what does not print stands in strings only, where it may be escaped."""
    return "".join(c if c.isprintable() or c == "\n" else _in_json(c) for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _in_json(character: str) -> str:
    encoded = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{encoded[at]:02x}{encoded[at + 1]:02x}" for at in range(0, len(encoded), 2))
