"""Credentials whose source is gone, as problems of the configs that use their last values."""

from store_plugin.config.credentials.sources import CredentialSources
from store_plugin.config.declarations import Problem
from store_plugin.config.table import ConfigTable


def credential_problems(table: ConfigTable, sources: CredentialSources) -> list[Problem]:
    """One for each reference that cannot be read any more."""
    if not sources.any_loss:  # the configs may be many, and pages ask often
        return []
    return [
        Problem(*_place(config.source), f"spec.{path}: {loss}; its last value stays in use")
        for config in table.all()
        for path, loss in config.credentials.losses()
    ]


def _place(source: str) -> tuple[str, int]:
    """File and line; an object of a cluster has no line."""
    file, colon, line = source.rpartition(":")
    return (file, int(line)) if colon else (source, 0)
