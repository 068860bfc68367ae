"""Cursors of lists: only those that were sealed here are read, and only for their own list."""

import string
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import Cursors
from schemas.errors import BadCursor

CURSORS = Cursors(b"k" * 32)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_a_sealed_position_is_read_again(position: str):
    assert CURSORS.unseal(CURSORS.seal(position)) == position


def test_a_cursor_with_any_character_changed_is_refused():
    cursor = CURSORS.seal("plans 777")  # 21 bytes: no bit of its 28 characters is unused
    for at, character in enumerate(cursor):
        others = set(string.ascii_letters + string.digits + "-_") - {character}
        for other in sorted(others)[::9]:
            changed = cursor[:at] + other + cursor[at + 1 :]
            with pytest.raises(BadCursor):
                CURSORS.unseal(changed)
    with pytest.raises(BadCursor):
        CURSORS.unseal(f"{cursor}!!!!")  # which a lenient decoder leaves out


@pytest.mark.parametrize(
    "cursor",
    ["", "made-up", "ä", "\ud83d", "a" * 200, Cursors(b"l" * 32).seal("sessions 7")],
    ids=["empty", "made up", "not ASCII", "half an emoji", "long", "of another key"],
)
def test_a_cursor_that_was_not_sealed_here_is_refused(cursor: str):
    with pytest.raises(BadCursor) as refused:
        CURSORS.unseal(cursor)
    assert (refused.value.field, refused.value.value) == ("cursor", cursor)


def test_a_cursor_is_good_for_its_own_list_only():
    id_ = uuid4()
    cursor = CURSORS.seal(f"sessions {id_}")
    assert CURSORS.unseal_id("sessions ", cursor) == id_
    assert CURSORS.unseal_id("sessions ", None) is None
    for call in (CURSORS.unseal_for, CURSORS.unseal_id):
        with pytest.raises(BadCursor, match="another list"):
            call("plans ", cursor)
    with pytest.raises(BadCursor, match="another list"):
        CURSORS.unseal_id("sessions ", CURSORS.seal("sessions seven"))


@pytest.mark.parametrize(("count", "more"), [(0, False), (2, False), (3, True)])
def test_a_page_has_a_cursor_only_if_rows_follow(count: int, more: bool):
    rows = list(range(7, 7 + count))
    page, cursor = CURSORS.page("numbers ", rows, 2, lambda row: row * 10)
    assert page == rows[:2]
    assert cursor == (CURSORS.seal("numbers 80") if more else None)
