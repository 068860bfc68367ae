"""The driver's errors as Muvr's: whether a repeat may help, and what a conditional write may be."""

from cassandra import (
    OperationTimedOut,
    RequestExecutionException,
    Unauthorized,
    Unavailable,
    WriteFailure,
    WriteTimeout,
    WriteType,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionException
from cassandra.protocol import BadCredentials, ErrorMessage, ProtocolException, ServerError
from cassandra.protocol import RequestValidationException as InvalidStatement

from schemas.errors import DatabaseUnavailable, RoleRefused, UncertainWrite

UNAUTHORISED = (
    "Cassandra refuses this to the role: {}. Give the rights with `muvr migrate --roles`."
)
MISTAKES = (InvalidStatement, ProtocolException, BadCredentials)
"""Errors of the server that no repeat cures: the statement or the configuration is wrong."""
UNAVAILABLE = (
    NoHostAvailable,
    OperationTimedOut,
    Unavailable,
    RequestExecutionException,
    ConnectionException,
    ErrorMessage,  # what the driver has no exception of its own for
)
CAS_WRITE_UNKNOWN = 0x1700
"""The code of "nobody knows whether the conditional write won": two of them met on several nodes.
The driver knows no class for it."""
UNANSWERED = (OperationTimedOut, WriteTimeout, WriteFailure)
"""Errors after which a write may have happened: no answer in time, or too few copies gave one."""


def is_conditional(cql: str) -> bool:
    """Whether a statement that writes does so only on a condition: `IF NOT EXISTS`, `IF a = ?`."""
    return " IF " in cql


def translated(
    problem: BaseException, *, conditional: bool = False
) -> DatabaseUnavailable | UncertainWrite:
    """The driver's error as one of Muvr's.

    Args:
        problem: what the driver raised.
        conditional: whether the statement was a conditional write.
    """
    if _is_uncertain(problem) or (conditional and isinstance(problem, UNANSWERED)):
        return UncertainWrite(f"Cassandra did not say whether a conditional write won: {problem}")
    return DatabaseUnavailable(f"Cassandra did not answer: {type(problem).__name__}: {problem}")


def _is_uncertain(problem: BaseException) -> bool:
    """Whether a conditional write may have been applied.

    A lost connection and a failing server are reported of conditional writes only; the driver tries
    the next host with all other requests (`store.cluster.RetryUnconditional`).
    """
    if isinstance(problem, WriteTimeout):
        return problem.write_type == WriteType.CAS
    if isinstance(problem, ErrorMessage) and problem.code == CAS_WRITE_UNKNOWN:
        return True
    return isinstance(problem, ConnectionException | ServerError)


class _ErrorsAsOurs:
    """Translates the driver's errors in the body of a `with`; two that never change serve all."""

    def __init__(self, *, conditional: bool) -> None:
        self._conditional = conditional

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: object
    ) -> None:
        if problem is None or isinstance(problem, MISTAKES):
            return
        if isinstance(problem, UNAVAILABLE):
            raise translated(problem, conditional=self._conditional) from problem
        if isinstance(problem, Unauthorized):
            raise RoleRefused(UNAUTHORISED.format(problem)) from problem


ERRORS_AS_OURS = _ErrorsAsOurs(conditional=False)
_OF_CONDITIONAL_WRITES = _ErrorsAsOurs(conditional=True)


def errors_as_ours(cql: str) -> _ErrorsAsOurs:
    """For a `with` around a statement: what translates the errors that it may meet."""
    return _OF_CONDITIONAL_WRITES if is_conditional(cql) else ERRORS_AS_OURS
