"""Every error of Muvr, named for its situation.

    MuvrError
    ├── BadInput            the sender must change what it sent          (4xx)
    │   ├── BadChunk, BadEvent, BadConfig, BadSamples ...
    ├── NotThere            a thing that is not there, or somebody else's (404)
    ├── Refused             known who, not allowed                        (401, 403)
    ├── Conflict            true, but not with what is already kept       (409, 412)
    ├── Retryable           the same call may go through later            (503)
    ├── CannotLearn         this user's data does not carry a model       (a row with a reason)
    └── NodeProblem         the embedded Cassandra or its surroundings

The text of an error holds the offending value and, where there is one, the next step.
"""


class MuvrError(Exception):
    """Base of all errors that Muvr raises on purpose. Its text is what it says, then what to do.

    Attributes:
        says: what is wrong.
        next_step: what whoever reads it can do, where that is told apart; else "".

    >>> str(MuvrError("The node does not run.", next_step="Start it with `muvr up`."))
    'The node does not run. Start it with `muvr up`.'
    """

    def __init__(self, says: str = "", *, next_step: str = "") -> None:
        super().__init__(f"{says} {next_step}" if next_step else says)
        self.says = says
        self.next_step = next_step


class BadInput(MuvrError):
    """Input that can never be accepted as it is.

    Attributes:
        field: dotted name of the offending field, or "" when the whole body is meant.
        value: the offending value, shortened for people.
    """

    def __init__(
        self, says: str, *, field: str = "", value: object = None, next_step: str = ""
    ) -> None:
        super().__init__(says, next_step=next_step)
        self.field = field
        self.value = value


class BadConfig(BadInput):
    """conf.yaml, or an override of it, holds a key or value that is not understood."""


class BadChunk(BadInput):
    """A chunk that is neither of the forms of `schemas.wire`."""


class BadEvent(BadInput):
    """A session, set, plan or profile that contradicts itself or its session."""


class ClockSkew(BadEvent):
    """An id or a time that lies too far from the server's clock."""


class BadSamples(BadInput):
    """Stored or sent sample bytes that do not decode."""


class BadSets(MuvrError):
    """Confirmed sets that cannot be read: one person's, or everybody's."""


class TooLarge(BadInput):
    """A body over its cap, before or after decompression."""


class BadCursor(BadInput):
    """A cursor that this server did not sign, or not for this list."""


class NotAcceptable(BadInput):
    """A form of the answer was asked for that does not exist."""


class UnsupportedMedia(BadInput):
    """A Content-Type or Content-Encoding that is not understood."""


class BadQuery(BadInput):
    """SQL that is wrong, or that does more than read the mart's tables."""


class QueryTooLong(BadInput):
    """SQL that did not end within its time."""


class NotThere(MuvrError):
    """A thing that is not there, or belongs to somebody else: both look alike."""


class Deleted(NotThere):
    """A thing that its owner deleted: its id is never used again."""


class NoModel(NotThere):
    """Nothing has been learned yet that could answer."""


class NotComputedYet(NotThere):
    """A batch result that no run has produced for this user yet."""


class NoMart(NotThere):
    """Nobody has made the analysts' tables yet."""


class Refused(MuvrError):
    """The caller is not allowed to do this."""


class NotAuthenticated(Refused):
    """No token, or one that is expired, revoked or not ours."""


class TokenReused(NotAuthenticated):
    """A refresh token that was replaced long ago came back: its whole login is revoked."""


class WrongPassword(NotAuthenticated):
    """No such user, or another password: both look alike."""


class MissingScope(Refused):
    """A good token that lacks the scope of the operation."""


class Conflict(MuvrError):
    """True in itself, but it contradicts what is already kept."""


class NameTaken(Conflict):
    """Somebody else has registered this name."""


class EventConflict(Conflict):
    """The same event id was sent with another payload."""


class UndecidedChunks(Conflict):
    """A chunk number holds two bodies and no list of the client decides yet."""


class MissingChunks(Conflict):
    """`complete` names chunks that the server does not hold.

    Attributes:
        missing: stream name to the list of missing chunk numbers.
    """

    def __init__(self, says: str, *, missing: dict[str, list[int]]) -> None:
        super().__init__(says)
        self.missing = missing


class StaleRevision(Conflict):
    """If-Match named another revision than the one that is kept."""


class LostChampionRace(Conflict):
    """The champion pointer was moved by somebody else since it was read."""


class RunTakenBack(Conflict):
    """A person took this run back: nothing of it appears."""


class LeaseHeld(Conflict):
    """Another process holds the lease of this job or migration."""


class Retryable(MuvrError):
    """The same call may go through later."""


class OverLimit(MuvrError):
    """More than a limit allows; the same call goes through after `retry_after_s` (429).

    Attributes:
        limit: the name of the limit, as in the RateLimit headers.
        retry_after_s: whole seconds until it is worth trying again.
    """

    def __init__(self, says: str, *, limit: str, retry_after_s: int) -> None:
        super().__init__(says)
        self.limit = limit
        self.retry_after_s = retry_after_s


class TooSlow(MuvrError):
    """The body did not arrive in the time it had (408)."""


class NotReady(Retryable):
    """The service runs, but something that it needs is missing; the sentence says what."""


class TookTooLong(Retryable):
    """The answer was not ready in the time it had."""


class DatabaseAway(Retryable):
    """Cassandra cannot be reached, or did not answer at the asked consistency."""


class CannotLearn(MuvrError):
    """This user's data does not carry a model; the sentence is the reason kept in the run."""


class NotEnoughLabels(CannotLearn):
    """Too few labelled sets or too few different exercises."""


class BadModelBytes(MuvrError):
    """Stored model bytes that are not what their tag says."""


class NotAllowed(NotReady):
    """Cassandra does not let a role in, or refuses it a table; the sentence says what to do."""


class UncertainWrite(Retryable):
    """A conditional write timed out: it may have won. Read at SERIAL, then decide."""


class SpanBroken(MuvrError):
    """A Cassandra partition came out of the reader in more than one span."""


class PlanViolated(MuvrError):
    """A Spark plan holds a step (a shuffle, a full scan) that the job promises not to take."""


class NoKernel(MuvrError):
    """The compiled code of this environment is missing, or of another release."""

    def __init__(self, says: str) -> None:
        super().__init__(says, next_step="Run `make` in the checkout; it compiles what is missing.")


class IncompleteRun(MuvrError):
    """A run's rows are not all in the table: it must not go live."""


class BadBackup(MuvrError):
    """A backup that is not whole, does not fit this release, or has no place to go."""


class SchemaMismatch(MuvrError):
    """The tables in the keyspace are not the ones this code was written for."""


class BadMigration(SchemaMismatch):
    """A schema file that was changed after it was applied, or that cannot be applied safely."""


class NodeProblem(MuvrError):
    """The embedded Cassandra, or what it stands on, is not usable."""


class NoJava(NodeProblem):
    """No Java 17 was found."""


class BadJar(NodeProblem):
    """A jar is missing or its hash is not the locked one."""


class PortBusy(NodeProblem):
    """Another process listens on a port that the node needs."""


class FolderOwned(NodeProblem):
    """Another node owns this data folder."""


class DiskFull(NodeProblem):
    """Too little space left for the node to start or go on."""


class NodeFailed(NodeProblem):
    """The node died or did not become ready; the sentence holds its last words."""


class NotDurable(NodeProblem):
    """The cluster would acknowledge writes that a crash could lose."""
