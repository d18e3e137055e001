"""Bytes to answers, without a network: framing, limits, and that the network's cuts mean nothing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.vault.http.answer import Answer
from stores.vault.http.response import MAX_BODY_BYTES, MAX_HEAD_BYTES, HttpFailure, ResponseReader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes, head_only: bool = False, ends: bool = True) -> tuple[Answer, bool]:
    """The answer in these pieces, and whether the connection may go on."""
    reader = ResponseReader()
    reader.start("GET /", head_only=head_only)
    for piece in pieces:
        if (answer := reader.feed(piece)) is not None:
            return answer, reader.keep
    assert ends, "there is no answer yet"
    return reader.end(), reader.keep


def outcome(*pieces: bytes) -> Answer | str:
    try:
        return read(*pieces)[0]
    except HttpFailure as failure:
        return str(failure)


@pytest.mark.parametrize(
    ("response", "status", "body", "keep"),
    [
        pytest.param(OK, 200, b"hi", True, id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 0\r\n\r\n", 200, b"", True, id="no-length"),
        pytest.param(CHUNKED + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n", 200, b"hi", True, id="chunks"),
        pytest.param(CHUNKED + b"2\r\nhi\r\n0\r\nDate: no\r\n\r\n", 200, b"hi", True, id="trailers-left-out"),
        pytest.param(CHUNKED + b"0\r\n\r\n", 200, b"", True, id="no-chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhi", 200, b"hi", False, id="until-the-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", 200, b"", False, id="nothing-until-the-end"),
        pytest.param(b"HTTP/1.0 400 No\r\n\r\nhi", 400, b"hi", False, id="1.0-until-the-end"),
        pytest.param(OK.replace(b"1.1", b"1.0"), 200, b"hi", False, id="1.0"),
        pytest.param(OK.replace(b"Con", b"Connection: close\r\nCon", 1), 200, b"hi", False, id="close"),
        pytest.param(
            OK.replace(b"1.1", b"1.0").replace(b"Con", b"Connection: keep-alive\r\nCon", 1),
            200, b"hi", True, id="1.0-keep-alive",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", 304, b"", True, id="304-with-length"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"hi", True, id="100"),
        pytest.param(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 3 + OK, 200, b"hi", True, id="103s"),
        pytest.param(OK + OK, 200, b"hi", False, id="another-response-behind"),
        pytest.param(OK + b"x", 200, b"hi", False, id="garbage-behind"),
        pytest.param(b"HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\nhi", 204, b"", False, id="204-with-body"),
    ],
)  # fmt: skip
def test_framing(response: bytes, status: int, body: bytes, keep: bool) -> None:
    answer, kept = read(response)
    assert (answer.status, answer.body, kept) == (status, body, keep)


@pytest.mark.parametrize("framing", [b"Content-Length: 7", b"Transfer-Encoding: chunked", b"X: y"])
def test_a_head_alone_is_an_answer_to_head(framing: bytes) -> None:
    answer, keep = read(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing, head_only=True, ends=False)
    assert (answer.status, answer.body, keep) == (200, b"", False)


@pytest.mark.parametrize(
    ("response", "said"),
    [
        pytest.param(b"", "before the end", id="nothing"),
        pytest.param(b"HTTP/1.1 200", "before the end", id="cut-in-the-status"),
        pytest.param(OK[:30], "before the end", id="cut-in-a-header"),
        pytest.param(OK[:-1], "before the end", id="cut-in-the-body"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", "before the end", id="interim-only"),
        pytest.param(CHUNKED + b"2\r\nhi\r\n", "before the end", id="no-last-chunk"),
        pytest.param(CHUNKED + b"zz\r\nhi\r\n0\r\n\r\n", "chunk size", id="bad-chunk-size"),
        pytest.param(CHUNKED + b"-1\r\nhi\r\n0\r\n\r\n", "chunk size", id="negative-chunk-size"),
        pytest.param(CHUNKED + b"f" * 17 + b"\r\n", "overflow", id="endless-chunk"),
        pytest.param(CHUNKED + b"1\r\nhi\r\n0\r\n\r\n", "HTTP/1.1", id="chunk-longer-than-it-says"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP", id="garbage"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", "does not speak HTTP", id="tls"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", "status", id="status-no-number"),
        pytest.param(b"HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n", "status 0", id="status-0"),
        pytest.param(b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "101", id="upgrade"),
        pytest.param(OK.replace(b": 2", b": -2"), "Content-Length", id="negative-length"),
        pytest.param(OK.replace(b": 2", b": 2\r\nContent-Length: 3"), "Content-Length", id="two-lengths"),
        pytest.param(CHUNKED[:-2] + b"Content-Length: 2\r\n\r\nhi", "Content-Length", id="length-and-chunks"),
        pytest.param(OK.replace(b": 2", b": 9" + b"9" * 30), "overflow", id="length-overflow"),
        pytest.param(
            CHUNKED.replace(b"chunked", b"gzip") + b"hi", "transfer encoding", id="gzip-until-the-end"
        ),
        pytest.param(
            CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
            "transfer encoding",
            id="gzip-chunks",
        ),
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nA: b\r\n c\r\n\r\n"), "HTTP/1.1", id="folded-header"),
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nA: b\x00\r\n\r\n"), "HTTP/1.1", id="nul-in-header"),
    ],
)
def test_what_is_no_answer_is_told(response: bytes, said: str) -> None:
    with pytest.raises(HttpFailure, match=said):
        read(response)


def test_the_headers_that_matter_are_kept() -> None:
    answer, _ = read(OK.replace(b"\r\n\r\n", b"\r\nDATE: today\r\nRetry-After: 7\r\n\r\n"))
    assert (answer.date, answer.retry_after) == ("today", 7.0)


def test_interim_headers_are_not_those_of_the_answer() -> None:
    answer, _ = read(b"HTTP/1.1 103 E\r\nDate: early\r\nRetry-After: 7\r\n\r\n" + OK)
    assert (answer.date, answer.retry_after) == (None, None)


def padded(size: int) -> bytes:
    """A response whose head has `size` bytes."""
    bare = OK[:-2].replace(b"\r\n\r\n", b"\r\nX: \r\n\r\n")
    return bare.replace(b"X: ", b"X: " + b"x" * (size - len(bare))) + b"hi"


def cuts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


LARGEST = MAX_BODY_BYTES
TOO_LARGE = [
    pytest.param(padded(MAX_HEAD_BYTES + 1), "head .* 64 KiB", id="head"),
    pytest.param(b"HTTP/1.1 100 C\r\n\r\n" * 4000 + OK, "head .* 64 KiB", id="interim-responses"),
    pytest.param(OK.replace(b": 2", b": %d" % (LARGEST + 1)), "body .* 16384 KiB", id="length"),
    pytest.param(CHUNKED + (b"100000\r\n" + b"x" * 2**20 + b"\r\n") * 17, "body .* 16384 KiB", id="chunks"),
    pytest.param(CHUNKED + b"1;" + b"x" * 34_000_000, "body .* 16384 KiB", id="chunk-extension"),
    pytest.param(CHUNKED + b"0\r\nX: " + b"x" * 34_000_000, "body .* 16384 KiB", id="trailer"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LARGEST + 1), "body .* 16384 KiB", id="until-the-end"),
]


@pytest.mark.parametrize(("response", "said"), TOO_LARGE)
def test_too_large(response: bytes, said: str) -> None:
    for pieces in ([response], cuts(response, 65_536), cuts(response, 250_007)):
        with pytest.raises(HttpFailure, match=said):
            read(*pieces)


def test_the_largest_are_taken() -> None:
    body = b"x" * LARGEST
    for response in (
        padded(MAX_HEAD_BYTES),
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (LARGEST, body),
        b"HTTP/1.1 200 OK\r\n\r\n" + body,
    ):
        for pieces in ([response], cuts(response, 65_537)):
            assert read(*pieces)[0].body in (b"hi", body)


# However the network cuts it.

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 404 \r\n",
        b"HTTP/1.1 204 No\r\n", b"HTTP/1.1 101 Up\r\n", b"Content-Length: 2\r\n", b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
        b"Connection: upgrade\r\n", b"Upgrade: x\r\n", b"Date: today\r\n", b"Retry-After: 3\r\n", b"A:\r\n",
        b"\r\n", b"hi", b"0\r\n", b"2\r\nhi\r\n", b"{}", b"\n", b"\x00", b": ",
    ]
)  # fmt: skip
VALID = st.sampled_from([OK, CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", b"HTTP/1.1 103 E\r\n\r\n" + OK])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    response = bytearray(draw(VALID))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(response) - 1))
        response[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
        response = response or bytearray(b"x")
    return bytes(response)


RESPONSES = st.one_of(mutated(), st.lists(LINES, max_size=12).map(b"".join), st.binary(max_size=200))


@given(RESPONSES, st.lists(st.integers(0, 250), max_size=12))
def test_however_it_is_cut_it_means_the_same(response: bytes, at: list[int]) -> None:
    places = [0, *sorted(min(place, len(response)) for place in at), len(response)]
    pieces = [response[begin:end] for begin, end in pairwise(places)]
    whole = outcome(response)
    assert outcome(*pieces) == whole
    assert outcome(*cuts(response, 1)) == whole


@given(st.lists(VALID, min_size=1, max_size=5))
def test_one_reader_reads_one_response_after_the_other(responses: list[bytes]) -> None:
    reader = ResponseReader()
    for response in responses:
        reader.start("GET /", head_only=False)
        answer = reader.feed(response)
        assert answer is not None
        assert (answer.status, answer.body, reader.keep) == (200, b"hi", True)
