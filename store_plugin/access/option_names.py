"""How options about exec plugins are spelled and explained, by whatever command or program takes them.

Apart from what reads them: a sidecar's command line is made without the libraries of a consumer.
"""

REQUIRE_DIGEST = "--access-require-digest"
REQUIRE_DIGEST_SHORT = "--require-digest"
REQUIRE_DIGEST_HELP = "Run only exec plugins whose provider has a digest or a signature."
TRUSTED_KEYS = "--access-trusted-keys"
TRUSTED_KEYS_SHORT = "--trusted-keys"
TRUSTED_KEYS_HELP = "Directory of the keys that signatures of exec plugins count of."


def switch(name: str) -> str:
    """A flag for click, with its opposite."""
    return f"{name}/--no-{name.removeprefix('--')}"
