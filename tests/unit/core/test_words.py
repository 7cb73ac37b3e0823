"""Words of records and of searches."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import InvalidInputError
from services.core.words import MAX_WORD, MAX_WORDS_BYTES, Term, terms_of, words_of


def test_words_are_those_of_id_texts_and_numbers() -> None:
    """Case, accents and compatibility forms do not count; names of fields are no words."""
    content = json.dumps(
        {"heading": "Über Straße", "tags": ["\uff21\uff22\uff23", "no_de"], "year": 1999, "ok": True, "x": None}
    )
    assert set(words_of("lot-0042", content)) == {"lot", "0042", "uber", "strasse", "abc", "no_de", "1999"}


def test_characters_of_chinese_are_words_of_their_own() -> None:
    """What has no spaces between words is found by its characters."""
    assert set(words_of("a", json.dumps({"t": "北京abc"}))) == {"a", "北", "京", "abc"}
    assert terms_of("北京") == [Term("北"), Term("京")]


def test_a_star_makes_a_beginning() -> None:
    """Each word counts once, and a star after one is part of it."""
    assert terms_of("Flood* town flood TOWN") == [Term("flood", prefix=True), Term("town"), Term("flood")]


@pytest.mark.parametrize("query", ["?!", "* * *", " ".join(f"w{n}" for n in range(33))])
def test_a_search_without_words_or_with_too_many_is_refused(query: str) -> None:
    """One line with the remedy."""
    with pytest.raises(InvalidInputError):
        terms_of(query)


@given(st.text(), st.text(max_size=300))
def test_every_text_of_a_record_finds_it(record_id: str, text: str) -> None:
    """Whatever is searched for by its own words is there."""
    found = set(words_of(record_id, json.dumps({"text": text})))
    try:
        terms = terms_of(text)
    except InvalidInputError:
        return
    assert {term.word for term in terms} <= found


def test_words_of_one_record_have_a_limit() -> None:
    """What a database could not hold is cut, word by word."""
    words = words_of("a", json.dumps({"long": "x" * 500, "many": " ".join(f"word{n}" for n in range(200_000))}))
    assert "x" * MAX_WORD in words
    assert sum(map(len, words)) <= MAX_WORDS_BYTES
