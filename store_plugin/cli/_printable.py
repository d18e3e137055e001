"""What programs of others wrote, for a terminal."""


def printable(text: str, kept: str = "\t") -> str:
    """The text, in which whatever would steer a terminal is spelled out, but for characters that are
    `kept`."""
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)
