"""Hostile input: requests drawn from the OpenAPI document, and mutated bodies into the decoders."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.transport import SerializationContext, register_serializer
from schemathesis.transport.serialization import Binary

from bench.deployment import deployed
from bench.hostile import attack_apart
from muvr.door import Door
from schemas.progress import Progress
from schemas.report import Figure

CASES = 10_000
DECODER_CASES = 1_000_000
GROWTH_MB = 64.0
SEED = 1
LAST = (("DELETE", "/v1/me"),)  # ends the user whose token all others use
SERVER_ERROR = "not_a_server_error"
SCHEMA = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SHOWN = 5
ROUNDS = 20


def run(door: Door, *, cases: int = CASES, decoder_cases: int = DECODER_CASES) -> list[Figure]:
    """Ask everything that the document describes, right and wrong, then attack the decoders."""
    with door.terminal:
        with deployed(door) as deployment:
            asked, found = ask_everything(
                deployment.service.url,
                lambda: deployment.register(f"fuzz-{time.monotonic_ns()}"),
                cases,
                door.terminal,
            )
        door.terminal.step("hostile bodies, in a process of their own", 0, decoder_cases)
        hostile = attack_apart(decoder_cases, SEED)
    schema = {what: n for what, n in found.items() if not what.startswith(SERVER_ERROR)}
    server = {what: n for what, n in found.items() if what.startswith(SERVER_ERROR)}
    return [
        Figure("cases", asked, floor=CASES, protocol=_protocol(asked)),
        _none("server_errors", sum(server.values()), _shown(server) or "answers 500 and above"),
        _none("schema_violations", sum(schema.values()), _shown(schema) or ", ".join(SCHEMA)),
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


def ask_everything(
    url: str, register: Callable[[], str], cases: int, progress: Progress
) -> tuple[int, Counter[str]]:
    """Requests for every operation, half of them against its description, round after round.

    Args:
        url: of a running service.
        register: gives the access token of somebody new; a round may erase its user.
        cases: at least so many.
        progress: told how many were sent.

    Returns:
        how many were sent, and what was wrong with how many of the answers.
    """
    load_all_checks()
    register_serializer(_as_cbor, "application/cbor", "application/cbor-seq")
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    operations.sort(key=lambda one: (one.method.upper(), one.path) in LAST)
    asked, found = 0, Counter[str]()
    for number in range(ROUNDS):
        runs = [(one, mode) for one in operations for mode in GenerationMode]
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {register()}"
            for at, (operation, mode) in enumerate(runs):
                progress.step("requests from the document", asked, cases)
                wanted = max(1, math.ceil((cases - asked) / (len(runs) - at)))
                for case in _drawn(operation, mode, wanted, SEED + number):
                    asked += 1
                    _judge(case, session, url, found)
        if asked >= cases:
            return asked, found
    return asked, found


def _drawn(operation: Any, mode: GenerationMode, wanted: int, number: int) -> Iterator[Case]:
    """Cases of one operation; none where it cannot be asked in that way."""
    cases: list[Case] = []

    def keep(case: Case) -> None:
        cases.append(case)

    draw: Callable[[], None] = seed(number)(
        settings(
            max_examples=wanted,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(given(operation.as_strategy(generation_mode=mode))(keep))
    )
    try:
        draw()
    except Unsatisfiable:  # nothing in it can be wrong: no parameters, no body
        return
    yield from cases[:wanted]


def _as_cbor(context: SerializationContext, value: Any) -> dict[str, bytes]:  # their shape
    """A drawn value as a CBOR body; drawn bytes are the body."""
    if isinstance(value, Binary):
        return {"data": value.data}
    if isinstance(value, bytes):
        return {"data": value}
    return {"data": cbor2.dumps(value, default=lambda encoder, one: encoder.encode(str(one)))}


def _judge(case: Case, session: requests.Session, url: str, found: Counter[str]) -> None:
    try:
        response = case.call(base_url=url, session=session, timeout=30)
    except requests.RequestException as problem:
        found[f"{SERVER_ERROR}: no answer: {type(problem).__name__}: {_place(case)}"] += 1
        return
    for name in (SERVER_ERROR, *SCHEMA):
        try:
            case.validate_response(response, checks=[CHECKS.get_one(name)])
        except (Failure, FailureGroup):
            found[f"{name}: {_place(case)} answered {response.status_code}"] += 1


def _place(case: Case) -> str:
    return f"{case.method.upper()} {case.operation.path}"


def _protocol(asked: int) -> str:
    return f"schemathesis, every operation, requests by the document and against it, {asked} sent"


def _none(name: str, number: int, protocol: str) -> Figure:
    return Figure(name, number, floor=0, ceiling=True, protocol=protocol)


def _shown(found: dict[str, int] | Counter[str] | Any) -> str:
    worst = Counter(dict(found)).most_common(SHOWN)
    return "; ".join(f"{count} × {what}" for what, count in worst)
