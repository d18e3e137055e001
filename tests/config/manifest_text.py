"""Manifests of the test kind as text, where a test needs lines to count."""

from store_plugin.model import ConfigReference
from tests.support.fakes import GROUP_VERSION


def shelf(name: str, spec: str = "{server: https://one}") -> str:
    return f"apiVersion: {GROUP_VERSION}\nkind: ShelfConfig\nmetadata:\n  name: {name}\nspec: {spec}\n"


def secret(name: str, string_data: str, namespace: str = "vault") -> str:
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"stringData: {string_data}\n"
    )


def documents(*texts: str) -> str:
    return "---\n".join(texts)


def reference(name: str) -> ConfigReference:
    return ConfigReference(GROUP_VERSION, "ShelfConfig", name)
