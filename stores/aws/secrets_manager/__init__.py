"""Secrets Manager: compare-and-set by version stages, metadata as tags, deletion that can be
taken back (docs/stores/aws.md, "Secrets Manager")."""

from stores.aws.secrets_manager.service import SecretsManager

__all__ = ["SecretsManager"]
