"""What an answer holds of a secret, in both versions of the KV secrets engine."""

from collections.abc import Mapping, Sequence

from store_plugin.errors import DocumentInvalid
from stores import _document as document
from stores.vault import errors
from stores.vault.http.answer import Answer


def data_of(answer: Answer) -> dict[str, object] | None:
    """An answer's `data`, numbers as text; None where nothing is stored. StoreUnavailable
    where the answer is not Vault's, DocumentInvalid where it cannot be read."""
    try:
        body = document.parse(answer.body)
    except document.TooDeepError:
        raise DocumentInvalid(f"{answer.where}: what is stored there is nested too deeply") from None
    except ValueError:
        body = None
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, dict):
        return data
    if answer.ok or data is not None or not isinstance(body, dict):
        raise errors.not_vault(answer.where)
    return None


def values_in(
    answer: Answer, path: Sequence[str], found: Mapping[str, object], of: str
) -> Mapping[str, bytes]:
    """The values of the document that was `found` at `path` in an answer."""
    plain = document.plain_values(found)
    return document_in(answer, path, of).values if plain is None else plain


def document_in(answer: Answer, path: Sequence[str], of: str) -> document.Document:
    """The document at `path` in an answer, with the text of its values."""
    text = answer.text
    for key in path:
        text = document.members(text, of)[key]
    return document.decode(text, of)
