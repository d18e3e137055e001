"""What a plugin is written with: see docs/plugins.md."""

from store_plugin.plugin.plugin import Plugin
from store_plugin.plugin.tokens import SERVICE_ACCOUNT_TOKEN, TokenSource
from store_plugin.stream.audit_notes import note_for_audit

__all__ = ["SERVICE_ACCOUNT_TOKEN", "Plugin", "TokenSource", "note_for_audit"]
