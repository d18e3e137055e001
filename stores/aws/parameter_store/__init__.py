"""Parameter Store: a parameter a secret, its document encrypted, metadata as tags
(docs/stores/aws.md, "Parameter Store")."""

from stores.aws.parameter_store.service import WARNING, ParameterStore

__all__ = ["WARNING", "ParameterStore"]
