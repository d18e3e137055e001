"""Bytes in, an answer out: what counts as an HTTP/1.1 response, without any network.

httptools finds the message; here are the rules about it. Limits are counted in bytes of
the stream, so that an answer means the same however the network cuts it.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from stores.vault.http.answer import MAX_BODY_BYTES, Answer, seconds

MAX_HEAD_BYTES = 64 * 1024
"""Most that comes before the body, interim responses included."""
_MAX_STREAM_BYTES = MAX_HEAD_BYTES + 2 * MAX_BODY_BYTES
"""Head and body, with the framing of chunks."""
_KEPT = frozenset(
    {b"content-length", b"transfer-encoding", b"date", b"retry-after", b"location", b"x-vault-index"}
)
_WITHOUT_BODY = (204, 304)


class HttpFailure(Exception):
    """No answer, or one that is not HTTP. Its text is safe to show."""


class ResponseReader:
    """Reads one response after the other: `start`, then `feed` until there is an answer."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.start("", head_only=False)

    def start(self, where: str, *, head_only: bool) -> None:
        """Expect the response to a request; `head_only`: it has no body, whatever it says."""
        self.keep = False
        """Whether another response may follow: the answer is complete, with nothing behind it."""
        self.received = 0
        self._where = where
        self._head_only = head_only
        self._limit = MAX_HEAD_BYTES
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._until_end = False
        self._answer: Answer | None = None
        self._failure: HttpFailure | None = None

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is complete. HttpFailure where it cannot become one."""
        if self.received + len(data) > self._limit:
            return self._feed_to_limit(data)
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(f"what answers does not speak HTTP/1.1 ({error})")
        if self._failure is not None:
            raise self._failure
        return self._answer

    def end(self) -> Answer:
        """The answer that the orderly end of the stream completes. HttpFailure where more
        should have come."""
        if self._until_end:
            self._complete(keep=False)
        if self._answer is None:
            raise HttpFailure("the server closed the connection before the end of its answer")
        return self._answer

    # What the parser calls. Nothing raises in here: httptools would lose the reason.

    def on_message_begin(self) -> None:
        if self._answer is not None:
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # With a status the head is over: trailers count for nothing.
        if not self._status and (key := name.lower()) in _KEPT:
            self._headers[key] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._begin_body(status)
        elif status < 100 or status == 101:
            self._fail(f"the server answers with status {status}")

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES:
            self._too_large("body", MAX_BODY_BYTES)
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._status:
            self._complete(keep=self._parser.should_keep_alive())
        else:
            # An interim response: the final one follows.
            self._headers, self._body, self._body_bytes = {}, [], 0

    # The rules.

    def _feed_to_limit(self, data: bytes) -> Answer | None:
        limit = self._limit
        room = limit - self.received
        if (answer := self.feed(data[:room])) is not None:
            self.keep = False
            return answer
        if self._limit > limit:
            return self.feed(data[room:])
        part = ("head", MAX_HEAD_BYTES) if limit == MAX_HEAD_BYTES else ("body", MAX_BODY_BYTES)
        raise self._too_large(*part)

    def _begin_body(self, status: int) -> None:
        self._status, self._limit = status, _MAX_STREAM_BYTES
        length = self._headers.get(b"content-length")
        encoding = self._headers.get(b"transfer-encoding")
        if self._head_only:
            # The parser would wait for the body that the headers tell of.
            self._complete(keep=False)
        elif encoding is not None and encoding.lower() != b"chunked":
            self._fail("the answer has a transfer encoding other than chunked")
        elif length is not None and int(length) > MAX_BODY_BYTES:
            self._too_large("body", MAX_BODY_BYTES)
        elif length is None and encoding is None:
            self._until_end = status not in _WITHOUT_BODY

    def _complete(self, *, keep: bool) -> None:
        if self._answer is not None or self._failure is not None:
            return
        self.keep = keep
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        header = self._headers.get
        self._answer = Answer(
            self._where,
            self._status,
            body,
            _text(header(b"date")),
            seconds(_text(header(b"retry-after"))),
            _text(header(b"location")),
            _text(header(b"x-vault-index")),
        )

    def _fail(self, why: str) -> HttpFailure:
        self.keep = False
        if self._answer is None and self._failure is None:
            self._failure = HttpFailure(why)
        return self._failure or HttpFailure(why)

    def _too_large(self, part: str, limit: int) -> HttpFailure:
        return self._fail(f"the {part} of the answer is larger than {limit // 1024} KiB")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
