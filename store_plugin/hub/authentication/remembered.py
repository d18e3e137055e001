"""Answers that hold for some seconds, so that a plugin which knocks, comes in and reconnects is
asked about once. Bounded: strangers with many tokens push each other out, not the process' memory."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MOST = 4096

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Remembered(Generic[Question, Answer]):
    """The newest `most` answers, each until its time is over."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._answers: dict[Question, tuple[Answer, float]] = {}

    def get(self, question: Question) -> Answer | None:
        answer, until = self._answers.get(question, (None, 0.0))
        return answer if until > self._clock() else None

    def put(self, question: Question, answer: Answer, seconds: float) -> None:
        self._answers.pop(question, None)
        if len(self._answers) >= self._most:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = answer, self._clock() + seconds

    def __len__(self) -> int:
        return len(self._answers)
