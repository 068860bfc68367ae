"""Every error of Muvr, named for its situation.

    MuvrError
    ├── BadInput            the sender must change what it sent          (4xx)
    │   ├── BadChunk, BadEvent, BadConfig, BadSamples ...
    ├── NotFound            it does not exist, or belongs to another user (404)
    ├── AccessDenied        not authenticated, or not allowed             (401, 403)
    ├── Conflict            valid, but in conflict with what is stored    (409, 412)
    ├── LimitExceeded       a rate limit or quota is used up              (429)
    ├── RequestTimedOut     the body did not arrive in time               (408)
    ├── Retryable           the same call may go through later            (503)
    │   ├── RoleRefused, UncertainWrite, DatabaseUnavailable ...
    ├── CannotLearn         this user's data is not enough for a model    (a row with a reason)
    ├── NodeError           the embedded Cassandra or its surroundings
    ├── Exhausted           disk, memory or open files of this machine are used up
    └── BadModelBytes, SchemaMismatch, BadBackup ...   what is stored is not what it should be

The message of an error holds the offending value and, where there is one, the next step.
"""


class MuvrError(Exception):
    """Base of all errors that Muvr raises on purpose.

    Attributes:
        message: what is wrong.
        next_step: what the reader can do about it; "" where the message has it or nothing helps.

    >>> str(MuvrError("The node does not run.", next_step="Start it with `muvr up`."))
    'The node does not run. Start it with `muvr up`.'
    """

    def __init__(self, message: str = "", *, next_step: str = "") -> None:
        super().__init__(f"{message} {next_step}" if next_step else message)
        self.message = message
        self.next_step = next_step


class BadInput(MuvrError):
    """Input that can never be accepted as it is.

    Attributes:
        field: dotted name of the offending field, or "" when the whole body is meant.
        value: the offending value, shortened for people.
    """

    def __init__(
        self, message: str, *, field: str = "", value: object = None, next_step: str = ""
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.field = field
        self.value = value


class BadConfig(BadInput):
    """conf.yaml, or an override of it, holds a key or value that is not understood."""


class BadChunk(BadInput):
    """A chunk that is neither of the forms of `schemas.wire`."""


class BadEvent(BadInput):
    """A session, set, plan or profile that contradicts itself or its session."""


class ClockSkew(BadEvent):
    """An id or a time that is too far from the server's clock."""


class BadSamples(BadInput):
    """Stored or sent sample bytes that do not decode."""


class BadSets(MuvrError):
    """Confirmed sets that cannot be read: of one user, or of all."""


class TooLarge(BadInput):
    """A body over its cap, before or after decompression."""


class BadCursor(BadInput):
    """A cursor that this server did not sign, or not for this list."""


class NotAcceptable(BadInput):
    """The requested format of the answer does not exist."""


class UnsupportedMedia(BadInput):
    """A Content-Type or Content-Encoding that is not understood."""


class BadQuery(BadInput):
    """SQL that is wrong, or that does more than read the mart's tables."""


class QueryTooLong(BadInput):
    """SQL that did not end within its time."""


class NotFound(MuvrError):
    """It does not exist, or belongs to another user: callers cannot tell which."""


class Deleted(NotFound):
    """Its owner deleted it; its id is never used again."""


class NoModel(NotFound):
    """No trained model exists yet that could answer."""


class NotComputedYet(NotFound):
    """A batch result that no run has produced for this user yet."""


class NoMart(NotFound):
    """The analysts' tables have not been built yet."""


class BadMart(MuvrError):
    """A file of the analysts' tables cannot be read."""


class AccessDenied(MuvrError):
    """The caller is not authenticated, or not allowed to do this."""


class NotAuthenticated(AccessDenied):
    """No token, or one that is expired, revoked or not issued here."""


class TokenReused(NotAuthenticated):
    """A refresh token that was replaced long ago came back: its whole login is revoked."""


class WrongPassword(NotAuthenticated):
    """No such user, or a wrong password: callers cannot tell which."""


class MissingScope(AccessDenied):
    """A valid token that lacks the scope of the operation."""


class Conflict(MuvrError):
    """Valid in itself, but in conflict with what is stored."""


class NameTaken(Conflict):
    """Another user has registered this name."""


class EventConflict(Conflict):
    """The same event id was sent with another payload."""


class AmbiguousChunks(Conflict):
    """A chunk number has two stored bodies, and no list of the client says yet which counts."""


class MissingChunks(Conflict):
    """`complete` lists chunks that are not stored.

    Attributes:
        missing: stream name to the list of missing chunk numbers.
    """

    def __init__(self, message: str, *, missing: dict[str, list[int]]) -> None:
        super().__init__(message)
        self.missing = missing


class StaleRevision(Conflict):
    """If-Match names another revision than the stored one."""


class LostChampionRace(Conflict):
    """Another writer moved the champion pointer since it was read."""


class RunWithdrawn(Conflict):
    """An operator withdrew this run: none of its results are shown."""


class LeaseHeld(Conflict):
    """Another process holds the lease of this job or migration."""


class LeaseLost(LeaseHeld):
    """A run held its lease and lost it: it changes nothing more, and has failed."""


class AlreadyServing(Conflict):
    """Another process is the service of this run folder."""


class Retryable(MuvrError):
    """The same call may go through later."""


class LimitExceeded(MuvrError):
    """A rate limit or quota is used up; the same call may succeed after `retry_after_s` (429).

    Attributes:
        limit: the name of the limit, as in the RateLimit headers.
        retry_after_s: whole seconds until it is worth trying again.
    """

    def __init__(self, message: str, *, limit: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s


class RequestTimedOut(MuvrError):
    """The request body did not arrive in time (408)."""


class NotReady(Retryable):
    """The service runs, but lacks something that it needs; the message says what."""


class ResponseTimedOut(Retryable):
    """The response was not ready in time."""


class DatabaseUnavailable(Retryable):
    """Cassandra cannot be reached, or did not answer at the requested consistency."""


class CannotLearn(MuvrError):
    """This user's data is not enough for a model; the message is the reason stored in the run."""


class NotEnoughLabels(CannotLearn):
    """Too few labelled sets or too few different exercises."""


class BadModelBytes(MuvrError):
    """Stored model bytes that are not what their tag says."""


class RoleRefused(NotReady):
    """Cassandra refuses a role's login, or its access to a table; the message says what to do.

    To clients it is an outage like any other: the same call goes through when rights are granted.
    """


class UncertainWrite(Retryable):
    """A conditional write got no answer: it may have won. Read at SERIAL, then decide."""


class SpanBroken(MuvrError):
    """A Cassandra partition came out of the reader in more than one span."""


class PlanViolated(MuvrError):
    """A Spark plan holds a step (a shuffle, a full scan) that the job promises not to take."""


class NoKernel(MuvrError):
    """The compiled code of this environment is missing, or of another release."""

    NEXT_STEP = "Run `make .venv/runtime` in the checkout; it compiles what is missing."

    def __init__(self, message: str, *, next_step: str = NEXT_STEP) -> None:
        super().__init__(message, next_step=next_step)


class OtherRules(MuvrError):
    """Somewhere the rules of time zones are of another version than those of who asks."""


class IncompleteRun(MuvrError):
    """Not all rows of a run are in its table: it must not go live."""


class Exhausted(MuvrError):
    """Disk, memory or open files of a machine are used up, or a disk fails."""


class BadBackup(MuvrError):
    """A backup that is incomplete, does not fit this release, or cannot be written or restored."""


class SchemaMismatch(MuvrError):
    """The tables in the keyspace are not the ones this code was written for."""


class BadMigration(SchemaMismatch):
    """A schema file that was changed after it was applied, or that cannot be applied safely."""


class NodeError(MuvrError):
    """The embedded Cassandra, or something that it depends on, is not usable."""


class NoJava(NodeError):
    """No Java 17 was found."""


class BadJar(NodeError):
    """A jar is missing or its hash is not the locked one."""


class PortBusy(NodeError):
    """Another process listens on a port that the node needs."""


class FolderInUse(NodeError):
    """Another node owns this data folder."""


class DiskFull(NodeError):
    """Too little space left for the node to start or go on."""


class NodeFailed(NodeError):
    """The node died or did not become ready; the message holds the end of its log."""


class NotDurable(NodeError):
    """The cluster would acknowledge writes that a crash could lose."""
