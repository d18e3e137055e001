"""Store-plugin keeps a Kubernetes operator's secrets in external stores."""

__version__ = "0.1.0"
