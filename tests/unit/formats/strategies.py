"""Records to try formats with: every kind of value, and texts that readers tend to misread."""

import re
from decimal import Decimal

from hypothesis import strategies as st

from services.core.values import Value

MISREAD = [
    *("", " ", "~", "null", "no", "No", "yes", "on", "off", "y", "n", "true", "False", "1", "-1", "+1", "01", "1_000"),
    *("0x1F", "0o17", "0b1", "1e3", "1.5", ".5", "5.", ".inf", "-.INF", ".nan", "1:30", "12:30:45", "2025-01-01"),
    *("2025-01-01T10:00:00Z", "=", "<<", "-", "- a", "-a", "? a", "?", ":", "a:", "a: b", "a #b", "#b", "a#b", "&a"),
    *("*a", "!a", "|", ">", "%a", "@a", "`a", "'a'", '"a"', "a'b", "{a}", "[a", "a]", "a,b", "---", "...", "--- a"),
    *(
        "a\n",
        "a\nb",
        "a\n\nb\n",
        "\na",
        " a\nb",
        "a\n b",
        "a \nb",
        "a\n\n",
        "\n",
        "\ta",
        "a\tb",
        "a ",
        " a",
        "a\r",
        "é",
    ),
    *("\u2028", "\x85", "\xa0", "\ufeff", "\x7f", "\x00", "😀", "a\\b", "a\\", 'it\'s "so"', "https://e.org/x?y=1#z"),
    *("long " * 40, "50% of $10", "one: two: three", "x" * 1100),
]

texts = st.one_of(
    st.sampled_from(MISREAD),
    st.text(alphabet=st.sampled_from("ab \n:#-'\"\\[]{},&*!|>%@`?\té\u2028"), max_size=12),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
)
keys = st.one_of(st.sampled_from(["id", "title", "tags", "no", "1", "a b", "é", "<<", "a: b", ""]), texts)
decimals = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("1.10"), Decimal("1E+30"), Decimal("-0.0"), Decimal("1E-400"), Decimal(100)]),
)
scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**60),
    decimals,
    texts,
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
records: st.SearchStrategy[dict[str, Value]] = st.dictionaries(keys, values, max_size=6)


def markdown(record: dict[str, Value]) -> dict[str, Value]:
    """Make a record one that Markdown can hold: a body is text without CRLF line ends."""
    body = record.get("body")
    if body is None:
        return {key: value for key, value in record.items() if key != "body"}
    return {**record, "body": re.sub(r"\r+(\n|\Z)", r"\1", str(body))}


markdown_records = st.one_of(
    records.map(markdown),
    st.tuples(records, texts).map(lambda pair: markdown({**pair[0], "body": pair[1]})),
)
