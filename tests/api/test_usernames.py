"""All spellings of a username are one name."""

import sys
import unicodedata

import pytest

from api.usernames import normalised_username


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u0390", "\u03aa\u0301"), ("\u1fb7", "\u0391\u0342\u0399"), ("\ufb01", "FI")],
)
def test_spellings_of_one_username_are_one_name(one: str, other: str):
    assert normalised_username(one) == normalised_username(other)


def test_only_letters_that_folding_takes_apart_have_another_normal_form_than_folded():
    letters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    differing = []
    for letter in letters:
        name = normalised_username(letter)
        folded = unicodedata.normalize("NFKC", letter).casefold()
        assert normalised_username(name) == name
        if name != folded:
            differing.append(letter)
            assert not unicodedata.is_normalized("NFKC", folded)
    assert len(differing) < 30
    assert not set("äöüßéñçøåšžăğıłœæ") & set(differing)
