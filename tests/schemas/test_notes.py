"""Quality notes: each has one name, one meaning and one place."""

import ast
from pathlib import Path

from schemas import notes

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = ("schemas", "models", "store", "ingest", "pipelines", "api", "muvr")
KNOWN = [note for several in notes.MEANINGS for note in several]


def test_every_note_has_one_name_and_one_meaning() -> None:
    named = [value for name, value in vars(notes).items() if name.isupper() and value in KNOWN]
    assert sorted(named) == sorted(set(KNOWN)) == sorted(KNOWN)
    assert len(set(notes.MEANINGS.values())) == len(notes.MEANINGS)


def test_notes_of_sessions_are_not_those_of_sets() -> None:
    assert notes.ONLY_OF_SESSIONS.isdisjoint(notes.ONLY_OF_SETS)


def test_no_other_module_spells_a_note() -> None:
    spelled = {
        f"{path.relative_to(CHECKOUT)}: {one.value}"
        for room in ROOMS
        for path in (CHECKOUT / room).rglob("*.py")
        for one in ast.walk(ast.parse(path.read_text()))
        if isinstance(one, ast.Constant) and one.value in KNOWN
    }
    assert spelled == {f"schemas/notes.py: {note}" for note in KNOWN}
