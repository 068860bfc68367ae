"""Requests generated from an OpenAPI document, with bodies in CBOR where it asks for them."""

from collections.abc import Callable, Iterator
from typing import Any

import cbor2
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Err
from schemathesis.transport import SerializationContext, register_serializer
from schemathesis.transport.serialization import Binary

HEALTH_CHECKS: Any = list(HealthCheck)  # its stub does not say that it iterates over its members


def operations_of(document: Any) -> Iterator[Any]:
    """All operations that a document describes.

    Raises:
        InvalidSchema: the document describes one of them wrongly.
    """
    for result in document.get_all_operations():
        if isinstance(result, Err):
            raise result.err()
        yield result.ok()


def generated_cases(
    operation: Any, mode: GenerationMode, wanted: int, number: int
) -> Iterator[Case[Any]]:
    """Requests of one operation; none where it cannot be asked in that way.

    Args:
        operation: of `operations_of`.
        mode: by the description, or against it.
        wanted: at most so many.
        number: seed: the same requests for the same number.
    """
    cases: list[Case[Any]] = []

    def keep(case: Case[Any]) -> None:
        """Keep what was drawn."""
        cases.append(case)

    draw: Callable[[], None] = seed(number)(
        settings(
            max_examples=wanted,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=HEALTH_CHECKS,
        )(given(operation.as_strategy(generation_mode=mode))(keep))
    )
    try:
        draw()
    except Unsatisfiable:  # nothing in it can be wrong: no parameters, no body
        return
    yield from cases[:wanted]


def register_serializers() -> None:
    """Let drawn bodies be sent as CBOR, one item or a sequence of them."""
    register_serializer(_as_cbor, "application/cbor")
    register_serializer(_as_sequence, "application/cbor-seq")


def _as_cbor(context: SerializationContext, value: Any) -> dict[str, bytes]:
    """A drawn value as a CBOR body; drawn bytes are the body."""
    if isinstance(value, Binary):
        return {"data": value.data}
    if isinstance(value, bytes):
        return {"data": value}
    return {
        "data": cbor2.dumps(value, default=lambda encoder, unknown: encoder.encode(str(unknown)))
    }


def _as_sequence(context: SerializationContext, value: Any) -> dict[str, bytes]:
    """A drawn value as a sequence of CBOR items: those of a list one after the other."""
    if isinstance(value, list):
        return {"data": b"".join(_as_cbor(context, item)["data"] for item in value)}
    return _as_cbor(context, value)
