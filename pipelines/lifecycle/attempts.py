"""One user's failure is a row with a reason, never a lost job. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.keys import Key, Row
from schemas.errors import CannotLearn, NoKernel
from schemas.statuses import AttemptStatus

T = TypeVar("T")
MAX_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """The result of one user's work.

    Attributes:
        value: None when it failed.
        status: learned; not-learned (too little data for a model); failed (the data is broken, or
            our code).
        reason: a sentence, "" when learned.
    """

    value: T | None
    status: AttemptStatus
    reason: str


def attempted(work: Callable[[], T]) -> Attempt[T]:
    """Do one user's work; an exception becomes the reason in this user's row.

    Raises:
        NoKernel: no user's data is to blame for it, and it would meet all of them: the run fails.

    >>> attempted(lambda: [1, 2][5])
    Attempt(value=None, status='failed', reason='IndexError: list index out of range')
    """
    try:
        return Attempt(work(), "learned", "")
    except CannotLearn as problem:
        return Attempt(None, "not-learned", str(problem)[:MAX_REASON_CHARACTERS])
    except NoKernel:
        raise
    except Exception as problem:  # noqa: BLE001 - reported per user, with its class, in the run
        sentence = f"{type(problem).__name__}: {problem}"
        return Attempt(None, "failed", sentence[:MAX_REASON_CHARACTERS])


def attempted_row(key: Key, work: Callable[[], Row]) -> Row:
    """The row of a partition, a user and an input layout: how the work went, and what it gave."""
    attempt = attempted(work)
    keyed: Row = {"user_id": str(key[0]), "model_id": str(key[1])}
    return keyed | {"status": attempt.status, "reason": attempt.reason} | (attempt.value or {})


def or_reason(work: Callable[[], T]) -> T | str:
    """The result of one user's work, or why there is too little data; other errors are raised.

    >>> or_reason(lambda: 7)
    7
    """
    try:
        return work()
    except CannotLearn as problem:
        return str(problem)[:MAX_REASON_CHARACTERS]
