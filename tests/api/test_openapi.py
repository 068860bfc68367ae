"""The OpenAPI document as a reader and a code generator see it."""

import base64
import re
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest

from api.app import create_app
from api.problems import METHODS
from ingest.checks import COARSEST_STEPS
from ingest.chunks import Chunk, decode_chunk
from ingest.media_types import CBOR, JSON
from ingest.set_times import TOLERANCE
from models.deviations.model import DEFAULT_TOLERANCES
from schemas import notes
from schemas.config import Config, Limits
from schemas.errors import BadChunk
from schemas.mart import MART
from schemas.wire import MAX_MAGNITUDE

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = create_app(Config()).openapi()
OPERATIONS = {
    f"{method} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
COMPONENTS: dict[str, Any] = DOCUMENT["components"]["schemas"]
each_component = pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)


def test_operation_ids_are_unique_names_without_the_path() -> None:
    """Generated clients name their functions after them."""
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch("[a-z_]+", name) or "v1" in name] == []


@each_operation
def test_operation_has_a_summary_a_description_and_a_described_tag(
    operation: dict[str, Any],
) -> None:
    """The page at /docs shows all three."""
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert operation["summary"]
    assert operation["description"]
    assert set(operation["tags"]) <= described


@each_operation
def test_every_operation_may_be_answered_that_there_are_too_many_connections(
    operation: dict[str, Any],
) -> None:
    assert "crowded" in operation["responses"]["503"]["description"]


@each_operation
def test_every_parameter_of_an_operation_has_a_description(operation: dict[str, Any]) -> None:
    """Those of paths get theirs from one table."""
    parameters = operation.get("parameters", [])
    assert [p["name"] for p in parameters if not p.get("description")] == []


@each_operation
def test_success_of_an_operation_is_described_in_its_own_words(operation: dict[str, Any]) -> None:
    """The framework's default says nothing."""
    responses = [text["description"] for text in operation["responses"].values()]
    assert [text for text in responses if not text or text == "Successful Response"] == []


@each_component
def test_component_has_a_description(component: dict[str, Any]) -> None:
    """Generated clients make it the comment of the type."""
    assert component.get("description")


@each_component
def test_every_property_of_a_component_has_a_description(component: dict[str, Any]) -> None:
    """It says what its name and type do not: unit, range, what null means, whose clock."""
    properties = component.get("properties", {})
    assert [name for name, schema in properties.items() if not schema.get("description")] == []


@pytest.mark.parametrize(("unit", "largest"), MAX_MAGNITUDE.items())
def test_bounds_of_samples_are_in_the_document(unit: str, largest: float) -> None:
    described = {
        f"{name}.{field}": COMPONENTS[name]["properties"][field]["description"]
        for name, field in (("ChunkSchema", "x"), ("CborChunkSchema", "scale"))
    }
    assert [name for name, text in described.items() if f"±{largest:g} {unit}" not in text] == []
    assert f"{largest / COARSEST_STEPS:g} {unit}" in described["CborChunkSchema.scale"]


def decoded(fields: dict[str, Any]) -> Chunk:
    """A chunk of the CBOR form, from fields as the document's example has them: xyz in base64."""
    sent = fields | ({"xyz": base64.b64decode(fields["xyz"])} if "xyz" in fields else {})
    return decode_chunk(cbor2.dumps(sent), CBOR, Limits())


def test_a_cbor_chunk_of_the_required_members_alone_is_accepted() -> None:
    """A generated client sends no more than those."""
    schema = COMPONENTS["CborChunkSchema"]
    fields = {name: schema["example"][name] for name in schema["required"]}
    assert decoded(fields).piece.t_ms is None
    for name in fields:
        lacking = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(BadChunk, match=f"{name} is missing"):
            decoded(lacking)


def test_null_as_times_of_samples_is_in_the_document_where_it_is_accepted() -> None:
    """JSON takes it as left out; CBOR refuses it."""
    cbor, json = (COMPONENTS[name] for name in ("CborChunkSchema", "ChunkSchema"))
    assert cbor["properties"]["t_ms"]["type"] == "array"
    with pytest.raises(BadChunk, match="t_ms"):
        decoded({**cbor["example"], "t_ms": None})
    assert {"type": "null"} in json["properties"]["t_ms"]["anyOf"]
    body = msgspec.json.encode({**json["example"], "t_ms": None})
    assert decode_chunk(body, JSON, Limits()).piece.t_ms is None


def test_every_upload_of_samples_may_say_how_it_is_compressed() -> None:
    named = {
        operation["operationId"]
        for operation in OPERATIONS.values()
        if "Content-Encoding" in {one["name"] for one in operation.get("parameters", ())}
    }
    assert named == {"put_chunk", "post_chunks", "put_acquisition", "classify"}


def test_answers_of_a_sets_operations_are_those_of_the_document() -> None:
    path = "/v1/sessions/{session}/sets/{set}"
    assert "ETag" in OPERATIONS[f"put {path}"]["responses"]["200"]["headers"]
    assert "410" not in OPERATIONS[f"delete {path}"]["responses"], "a repeat is a 204"


def test_tolerances_of_deviations_are_in_the_document_and_in_the_mart() -> None:
    column = next(one for one in MART["deviations"].columns if one.name == "kinds")
    for text in (
        COMPONENTS["DeviationSchema"]["properties"]["kinds"]["description"],
        column.description,
    ):
        assert f"{DEFAULT_TOLERANCES.weight_kg:g} kg" in text
        assert f"more than {DEFAULT_TOLERANCES.intensity:g}" in text


@pytest.mark.parametrize("name", ["SetConfirmation", "SetSchema", "SessionOpening"])
def test_precision_of_times_is_in_the_document(name: str) -> None:
    times = [text for field, text in COMPONENTS[name]["properties"].items() if "ed_at" in field]
    assert times
    assert [text for text in times if "millisecond" not in text["description"]] == []


def test_bound_of_a_sets_end_is_in_the_document() -> None:
    text = COMPONENTS["SetConfirmation"]["properties"]["ended_at"]["description"]
    assert f"at most {TOLERANCE.seconds} s after its samples" in text


@pytest.mark.parametrize(
    "operation", ["put /v1/sessions/{session}", "post /v1/sessions/{session}/complete"]
)
def test_answers_without_sets_say_where_these_are(operation: str) -> None:
    assert "`GET` has its sets and deviations" in " ".join(
        OPERATIONS[operation]["description"].split()
    )


@pytest.mark.parametrize(
    ("component", "foreign"),
    [
        ("CompletedSession", notes.ONLY_OF_SETS),
        ("SessionResponse", notes.ONLY_OF_SETS),
        ("SetSchema", notes.ONLY_OF_SESSIONS),
    ],
)
def test_the_document_says_which_notes_there_are(
    component: str, foreign: frozenset[notes.QualityNote]
) -> None:
    said = COMPONENTS[component]["properties"]["notes"]["description"]
    known = {note for several in notes.MEANINGS for note in several}
    assert {note for note in known if f"`{note}`" in said} == known - foreign


def test_the_guide_gives_the_meaning_of_every_note() -> None:
    guide = (CHECKOUT / "docs" / "clients.md").read_text()
    table = guide.partition("| note | meaning | what to do |")[2].partition("\n\n")[0]
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    said = {tuple(re.findall("`(.+?)`", names)): meaning for names, meaning, _ in rows}
    assert said == notes.MEANINGS
