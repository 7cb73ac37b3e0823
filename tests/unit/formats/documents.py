"""Files to try formats with, as people write them and as they break: put together from pieces, or any bytes."""

from typing import Final

import yaml
from hypothesis import strategies as st

_YAML: Final = [
    *("a: 1\n", "b: x y\n", "c: 'it''s'  # note\n", 'd: "q\\n"\n', "e: no\n", "f: 2024-01-02\n", "g: 1.10\n", "h:\n"),
    *("a: {x: 1, 'y': [2, {z: no}]}\n", "i: [1, # one\n  2,\n  3]\n", "j: []\n", "# note\n", "\n", "  # deep\n"),
    *("k:\n- 1\n- b: 2\n  c: 3\n", "l:\n    - x\n    # two\n    - - y\n      - z\n", "m:\n  n: 1\n\n  o:\n    p: q\n"),
    *(
        "r: |\n  one\n\n  two\n",
        "s: >-\n  one\n  two\n\n  three\n",
        "t: one\n  two\n",
        "u: |+\n  x\n\n",
        "v: |2\n    x\n",
    ),
    *(
        "w: &w [1, {x: 2}]\n",
        "x: *w\n",
        "y:\n  <<: *w\n  z: 1\n",
        "z: &z\n  p: 1\n",
        "za:\n  <<: *z\n",
        "zb: !!str 1\n",
    ),
    *("? long key\n: v\n", "'q r': 1\n", "---\n", "...\n", "1: 2\n", "? |\n  k\n: v\n", "zc: - \n", "zd: 'a\n  b'\n"),
]
_TOML: Final = [
    *("a = 1\n", 'b = "x"\n', "c=2024-01-01\n", "a.b = 1\n", 'a.c = "y"\n', "a.b.c = 2\n", "b.c.d = [1, 2]\n"),
    *("c = {x = 1, y = [{z = 1}]}\n", "[a]\n", "[b] # c\n", "[a.b]\n", "[a.b.c]\n", "[[d]]\n", "[[d.e]]\n", "[d.f]\n"),
    *("[a.c]\n", "x = 1 # c\n", "y=[\n  1, # one\n  # above\n  2 # two\n]\n", 'z = """\nl1\nl2"""\n', "w = '''k'''\n"),
    *(
        "\n",
        "# note\n",
        "  [c.x]\n",
        "  q = 1\n",
        "[x.y]\n",
        "[x]\n",
        "n = 1_0\n",
        "t = 07:30:00\n",
        "v = { a.b = 1 }\n",
    ),
    *("u = 1979-05-27 07:32:00.1234567891+01:00\n", '"k k" = 0x1F\n', "f = -1.50e3\n", "o = [ ]\n", "p = [[1], {}]\n"),
    *('s = "\\u00e9\\t"\n', 'm = """a \\\n   b"""\n', "h = 1.10\n", "[ e . 'f' ]\n", "[[d]]\n"),
]
_BREAKS: Final = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    '"',
    "'",
    "\\",
    "#",
    " ",
    "\t",
    "\r",
    "é",
    "\x07",
    "\ufeff",
    "---\n",
]

_yaml = st.lists(st.sampled_from(_YAML), max_size=8, unique=True).map("".join)
_toml = st.lists(st.sampled_from(_TOML), max_size=12).map("".join)
_json = st.recursive(
    st.sampled_from(
        ["1", "-0.0", "1.10", "1e3", "true", "null", '"x"', '"\\u00e9\\n"', "[]", "{ }", '"é"', "10000000000000000000"]
    ),
    lambda inner: st.one_of(
        st.tuples(st.lists(inner, max_size=3), st.sampled_from([",", ", ", ",\n    ", "\n,"])).map(
            lambda pair: "[" + pair[1].join(pair[0]) + "]"
        ),
        st.tuples(st.lists(inner, max_size=3), st.sampled_from([":", ": ", " :\t"])).map(
            lambda pair: "{" + ", ".join(f'"{n}"{pair[1]}{item}' for n, item in enumerate(pair[0])) + " }"
        ),
    ),
    max_leaves=8,
)
_json_records = st.lists(_json, max_size=4).map(
    lambda items: "{\n" + ",\n".join(f'  "{"abcd"[n]}": {item}' for n, item in enumerate(items)) + "\n}\n"
)
_bodies = st.sampled_from(["", "\n", "text", "\ntext\n", "\n\n# H\n\n---\n+++\n", "a  \nb"])


def _fenced(mark: str, fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(fields, _bodies).map(lambda pair: f"{mark}\n{pair[0]}{mark}\n{pair[1]}")


_TEXTS: Final = {
    "json": _json_records,
    "yaml": _yaml,
    "toml": _toml,
    "markdown": st.one_of(_fenced("---", _yaml), _fenced("+++", _toml)),
}


@st.composite
def documents(draw: st.DrawFn, form: str) -> bytes:
    """Give a file of a format that most likely holds a record, in any envelope."""
    text = draw(_TEXTS[form])
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if draw(st.booleans()):
        text = text.removesuffix("\n").removesuffix("\r")
    return (draw(st.sampled_from(["", "", "\ufeff"])) + text).encode()


@st.composite
def broken(draw: st.DrawFn, form: str) -> bytes:
    """Give a file that most likely holds none: with bytes put in, taken out, or of bytes alone."""
    data = draw(st.one_of(documents(form), st.binary(max_size=30)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.one_of(st.sampled_from(_BREAKS).map(str.encode), st.binary(max_size=2)))
        data = data[:at] + piece + data[at + draw(st.integers(0, 4)) :]
    return data


_words: Final = st.lists(
    st.sampled_from(
        ["one", "two", "it's", '"so"', "a:b", "#3", "-4", "x: y", "no", "1.50", "é", "-", "'", "end.", "10:30"]
    ),
    min_size=1,
    max_size=9,
).map(" ".join)
_plain_values: Final = st.recursive(
    st.one_of(_words, st.sampled_from([None, True, 7, "", "2024-01-02", "null"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "k-1", "no", "_x"]), inner, max_size=3)
    ),
    max_leaves=9,
)


@st.composite
def dumped(draw: st.DrawFn) -> str:
    """Give YAML as PyYAML writes it, with long text over several lines, and at times a line out of its place."""
    record = draw(st.dictionaries(st.sampled_from(["id", "title", "tags", "place", "no"]), _plain_values, max_size=4))
    text = yaml.safe_dump(record, width=20, sort_keys=False, allow_unicode=True, default_flow_style=False)
    lines = text.split("\n")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        new = st.sampled_from(
            ["", "# note", "  # deep", " " + lines[at], "  " + lines[at], lines[at].strip(), lines[at] + " "]
        )
        lines[at : at + draw(st.integers(0, 1))] = [draw(new)]
    return "\n".join(lines)
