"""Hostile input: requests drawn from the OpenAPI document, and mutated bodies into the decoders."""

import asyncio
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from bench.fuzz_user import (
    WITHIN_S,
    FuzzUser,
    example,
    log_in,
    opened,
    prepare_fuzz_user,
    with_known,
)
from bench.generated_requests import generated_cases, operations_of, register_serializers
from bench.hostile import attack_in_subprocess
from muvr.context import CommandContext
from muvr.deployment import PASSWORD, Deployment, deployed
from schemas.progress import Progress
from schemas.report import Figure

CASES = 10_000
DECODER_CASES = 1_000_000
GROWTH_MB = 64.0
SEED = 1
LAST = "DELETE /v1/me"  # ends the user whose token all others use
SERVER_ERROR = "not_a_server_error"
SCHEMA = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SHOWN = 5
ROUNDS = 20


@dataclass(slots=True)
class FuzzResult:
    """Results of the fuzzed requests.

    Attributes:
        operations: all that the document describes, by method and path.
        cases: requests sent.
        about_known: of these, requests that named existing resources.
        problems: kind of problem to the number of responses with it.
        answered: operations that answered 2xx at least once.
    """

    operations: frozenset[str]
    cases: int = 0
    about_known: int = 0
    problems: Counter[str] = field(default_factory=Counter[str])
    answered: set[str] = field(default_factory=set[str])

    @property
    def silent(self) -> frozenset[str]:
        """Operations that never answered 2xx."""
        return self.operations - self.answered


def run(
    context: CommandContext, *, cases: int = CASES, decoder_cases: int = DECODER_CASES
) -> list[Figure]:
    """Ask everything that the document describes, right and wrong, then attack the decoders."""
    with context.terminal:
        with deployed(context) as deployment:
            result = ask_everything(
                deployment.service.url, lambda: _operator(deployment), cases, context.terminal
            )
        context.terminal.step("hostile bodies, in a process of their own", 0, decoder_cases)
        hostile = attack_in_subprocess(decoder_cases, SEED)
    return [
        *_asked(result),
        Figure(
            "decoder_cases",
            hostile.cases,
            floor=DECODER_CASES,
            protocol=f"valid bodies twisted in structure or bytes; {hostile.accepted} were "
            "still valid",
        ),
        _none("decoder_crashes", sum(hostile.crashes.values()), _shown(hostile.crashes) or "none"),
        Figure(
            "decoder_growth_mb",
            hostile.growth_mb,
            "MB",
            floor=GROWTH_MB,
            ceiling=True,
            protocol="largest resident size of a process that does nothing else, after all bodies "
            "less before the first",
        ),
    ]


def _asked(result: FuzzResult) -> list[Figure]:
    schema = {what: n for what, n in result.problems.items() if not what.startswith(SERVER_ERROR)}
    server = {what: n for what, n in result.problems.items() if what.startswith(SERVER_ERROR)}
    silent = f"; silent: {', '.join(sorted(result.silent))}" if result.silent else ""
    return [
        Figure("cases", result.cases, floor=CASES, protocol=_protocol(result)),
        Figure(
            "operations_answered",
            len(result.answered),
            floor=len(result.operations),
            protocol=f"of all that the document describes, answered 2xx at least once{silent}",
        ),
        _none("server_errors", sum(server.values()), _shown(server) or "answers 500 and above"),
        _none("schema_violations", sum(schema.values()), _shown(schema) or ", ".join(SCHEMA)),
    ]


def _operator(deployment: Deployment) -> FuzzUser:
    """A new user who may operate, has every model, and knows of other people."""
    name, other = (f"fuzz-{os.urandom(6).hex()}" for _ in range(2))
    for username in (name, other):
        deployment.register(username)
    with closing(deployment.database()) as database:
        ids = asyncio.run(prepare_fuzz_user(database, name, other))
    return log_in(deployment.service.url, name, PASSWORD, ids)


def ask_everything(
    url: str, register: Callable[[], FuzzUser], cases: int, progress: Progress
) -> FuzzResult:
    """Requests for every operation, half of them against its description, round after round.

    Each round opens a session, a set and a plan. Every second request is about them and whatever
    else is known to be there, the first with the document's own example.

    Args:
        url: of a running service.
        register: gives somebody new; a round erases its user in the end.
        cases: at least so many.
        progress: told how many were sent.
    """
    load_all_checks()
    register_serializers()
    document = schemathesis.openapi.from_url(f"{url}/openapi.json", timeout=WITHIN_S)
    operations = list(operations_of(document))
    operations.sort(
        key=lambda operation: (_name(operation) == LAST, operation.method.upper() == "DELETE")
    )
    runs = [(operation, mode) for operation in operations for mode in GenerationMode]
    result = FuzzResult(frozenset(map(_name, operations)))
    for number in range(ROUNDS):
        if result.cases >= cases:
            break
        with requests.Session() as session:
            round_ = _begun(url, session, document.raw_schema, register(), result)
            for at, (operation, mode) in enumerate(runs):
                progress.step("requests from the document", result.cases, cases)
                wanted = max(1, math.ceil((cases - result.cases) / (len(runs) - at)))
                drawn = list(generated_cases(operation, mode, wanted, SEED + number))
                round_.ask(operation, drawn, with_example=mode is GenerationMode.POSITIVE)
    return result


@dataclass(slots=True)
class _Round:
    """Requests of one asker.

    Attributes:
        known: what is there, by the name of a parameter or of a field.
        result: the results of these requests and of those of other rounds.
    """

    url: str
    session: requests.Session
    document: Mapping[str, Any]
    known: dict[str, Any]
    result: FuzzResult

    def ask(self, operation: Any, drawn: Sequence[Case[Any]], *, with_example: bool) -> None:
        """The document's example and every second drawn case about what is there, if it can be."""
        has_ids = bool(self._told(operation, "path") or self._told(operation, "query"))
        body, media_type = example(self.document, operation.path, operation.method.lower())
        if with_example and (has_ids or media_type):
            case = operation.Case(path_parameters={}, body=body, media_type=media_type)
            self._send(operation, case, knows=has_ids or with_known(body, self.known) != body)
        for number, case in enumerate(drawn):
            self._send(operation, case, knows=has_ids and number % 2 == 0)

    def _send(self, operation: Any, case: Case[Any], *, knows: bool) -> None:
        if knows:
            if operation.method.upper() == "DELETE":  # the case before ended it
                names = _parameters(operation, "path")
                self.known = opened(self.url, self.session, self.document, self.known, names)
            case.path_parameters.update(self._told(operation, "path"))
            case.query.update(self._told(operation, "query"))
            case.body = with_known(case.body, self.known)
        self.result.about_known += knows
        self.result.cases += 1
        if _judge(case, self.session, self.url, self.result.problems):
            self.result.answered.add(_name(operation))

    def _told(self, operation: Any, place: str) -> dict[str, Any]:
        """What is known for the parameters in a place."""
        names = _parameters(operation, place)
        return {name: self.known[name] for name in names if name in self.known}


def _begun(
    url: str,
    session: requests.Session,
    document: Mapping[str, Any],
    asker: FuzzUser,
    result: FuzzResult,
) -> _Round:
    session.headers["Authorization"] = f"Bearer {asker.token}"
    known = opened(url, session, document, asker.known)
    return _Round(url, session, document, known, result)


def _parameters(operation: Any, place: str) -> list[str]:
    described = operation.definition.raw.get("parameters", [])
    return [parameter["name"] for parameter in described if parameter["in"] == place]


def _judge(case: Case[Any], session: requests.Session, url: str, problems: Counter[str]) -> bool:
    """Count what is wrong with the answer; whether it was 2xx."""
    try:
        response = case.call(base_url=url, session=session, timeout=WITHIN_S)
    except requests.RequestException as problem:
        problems[
            f"{SERVER_ERROR}: no answer: {type(problem).__name__}: {_name(case.operation)}"
        ] += 1
        return False
    for name in (SERVER_ERROR, *SCHEMA):
        check: Any = CHECKS.get_one(name)
        try:
            case.validate_response(response, checks=[check])
        except (Failure, FailureGroup):
            problems[f"{name}: {_name(case.operation)} answered {response.status_code}"] += 1
    return 200 <= response.status_code < 300


def _name(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


def _protocol(result: FuzzResult) -> str:
    return (
        f"schemathesis, every operation, requests by the document and against it, {result.cases} "
        f"sent, {result.about_known} of them about what is there"
    )


def _none(name: str, number: int, protocol: str) -> Figure:
    return Figure(name, number, floor=0, ceiling=True, protocol=protocol)


def _shown(problems: Mapping[str, int]) -> str:
    worst = Counter(problems).most_common(SHOWN)
    return "; ".join(f"{count} × {what}" for what, count in worst)
