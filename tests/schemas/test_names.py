"""Normalisation of exercise names."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.names import MAX_NAME_CHARACTERS, ExerciseName, normalised_name

NAME = TypeAdapter(ExerciseName)
SPACES = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2003\u2028\u202f\u205f\u3000"
LETTERS = "aBzäÖéñşøł한국어ガ\u0308\u0301\u0327\u1100\u1161\u212b\u03b1-'10"
letters = st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from(LETTERS))
words = st.text(letters, max_size=MAX_NAME_CHARACTERS)
spaces = st.text(st.sampled_from(SPACES), min_size=1, max_size=4)


@given(words)
def test_name_normalisation_is_idempotent_and_composes_to_nfc(name):
    found = normalised_name(name)
    assert normalised_name(found) == found
    assert unicodedata.is_normalized("NFC", found)
    assert normalised_name(unicodedata.normalize("NFD", name)) == found
    assert normalised_name(unicodedata.normalize("NFC", name)) == found


@given(
    st.lists(st.text(st.sampled_from(LETTERS), min_size=1, max_size=6), min_size=1), spaces, spaces
)
def test_white_space_only_separates_words(parts, some, others):
    expected = normalised_name(" ".join(parts))
    assert normalised_name(others + some.join(parts) + others) == expected
    assert expected.split(" ") == [unicodedata.normalize("NFC", part) for part in parts]


def test_case_is_preserved():
    assert [normalised_name(name) for name in ("Bench Press", "bench press ")] == [
        "Bench Press",
        "bench press",
    ]


@pytest.mark.parametrize("name", ["", " ", "\u00a0\u3000\t", 5, None, ["curl"]])
def test_blank_and_non_string_names_are_refused(name):
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


def test_name_length_is_counted_after_composition():
    apart = unicodedata.normalize("NFD", "\u1f82") * MAX_NAME_CHARACTERS
    assert (len(apart), NAME.validate_python(apart)) == (
        4 * MAX_NAME_CHARACTERS,
        "\u1f82" * MAX_NAME_CHARACTERS,
    )
    for much in (apart + "a", "a" * (MAX_NAME_CHARACTERS + 1), "\u0958" * MAX_NAME_CHARACTERS):
        with pytest.raises(ValidationError, match="at most 100 characters"):
            NAME.validate_python(much)


def test_too_long_names_are_refused_quickly():
    """Composition sorts combining marks in quadratic time: this text would take minutes."""
    began = time.perf_counter()
    with pytest.raises(ValidationError, match="at most 100 characters"):
        NAME.validate_python("a" + "\u0301\u0327" * 200_000)
    assert time.perf_counter() - began < 2
