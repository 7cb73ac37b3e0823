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


def without_null(value: Value) -> Value:
    """Make a value one that TOML can hold."""
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value if item is not None] if isinstance(value, list) else value


def toml(record: dict[str, Value]) -> dict[str, Value]:
    """Make a record one that TOML can hold."""
    return {key: without_null(item) for key, item in record.items() if item is not None}


toml_records = records.map(toml)


@st.composite
def changes(draw: st.DrawFn, value: Value) -> Value:
    """Give a value that differs here and there: fields and items gone, changed, new."""
    if isinstance(value, dict):
        kept = {key: draw(changes(item)) for key, item in value.items() if draw(st.integers(0, 5))}
        added: list[Value] = [1, "s", "a\nb", {"p": 1}, [{"p": 1}, {"q": {"r": 2}}], [], {}, "2024-01-01"]
        if draw(st.integers(0, 2)) == 0:
            kept[draw(st.sampled_from(["n", "m", "k k"]))] = draw(st.sampled_from(added))
        return kept
    if isinstance(value, list):
        items = [draw(changes(item)) for item in value if draw(st.integers(0, 4))]
        if draw(st.integers(0, 2)) == 0:
            new: list[Value] = [1, {"p": 1}, {"p": {"q": 1}}, "x: y"]
            items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(new)))
        return items
    scalars_to_be: list[Value] = [value, value, "new", 2, "2025-05-05", "two\nlines", "no", [1], {"a": "b"}]
    return draw(st.sampled_from(scalars_to_be))
