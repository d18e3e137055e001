"""A token bucket lets through what it promises, no more and no less."""

from hypothesis import given
from hypothesis import strategies as st

from store_plugin.bucket import TokenBucket

RATES = st.floats(0.1, 1000)
PAUSES = st.lists(st.floats(0, 3), max_size=60)


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(now) for now in (0.4, 0.5, 0.6, 1.0)] == [False, True, False, True]


def test_a_rest_fills_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=2, now=0)
    assert [bucket.take(1000) for _ in range(3)] == [True, True, False]


@given(RATES, st.integers(1, 50), PAUSES)
def test_never_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, burst, 0), 0.0, 0
    for pause in pauses:
        now += pause
        while bucket.take(now):
            taken += 1
        assert taken <= burst + rate * now + 1e-3


@given(RATES, st.integers(1, 50), PAUSES, st.integers(0, 5))
def test_the_delay_is_the_time_until_a_token(
    rate: float, burst: int, pauses: list[float], ahead: int
) -> None:
    bucket, now = TokenBucket(rate, burst, 0), 0.0
    for pause in pauses:
        now += pause
        bucket.take(now)
    delay = bucket.delay(now, min(ahead, burst - 1))
    for _ in range(min(ahead, burst - 1) + 1):
        assert bucket.take(now + delay + 1e-6)
    if delay > 1e-3:
        assert not TokenBucket(rate, burst, 0).delay(0)
        assert bucket.delay(now + delay) > 0
