"""Answers that hold for a while."""

from store_plugin.hub.authentication.remembered import Remembered
from tests.support.clock import FakeClock


def test_an_answer_holds_for_its_time() -> None:
    clock = FakeClock()
    answers: Remembered[str, bool] = Remembered(clock=clock)
    answers.put("may a", True, 10.0)
    answers.put("may b", False, 2.0)
    clock.now += 1.9
    assert (answers.get("may a"), answers.get("may b"), answers.get("may c")) == (True, False, None)
    clock.now += 0.2
    assert (answers.get("may a"), answers.get("may b")) == (True, None)
    clock.now += 8.0
    assert answers.get("may a") is None


def test_many_questions_push_out_the_oldest() -> None:
    answers: Remembered[int, int] = Remembered(most=3, clock=FakeClock())
    for number in range(100):
        answers.put(number, number, 10.0)
    assert len(answers) == 3
    assert [answers.get(number) for number in (96, 97, 98, 99)] == [None, 97, 98, 99]


def test_an_answer_renewed_is_the_newest() -> None:
    answers: Remembered[str, int] = Remembered(most=2, clock=FakeClock())
    for question in ("a", "b", "a", "c"):
        answers.put(question, 1, 10.0)
    assert [answers.get(question) for question in ("a", "b", "c")] == [1, None, 1]
