import pytest

from services.core.errors import InvalidInputError
from services.core.formats import FORMATS, ParseError, format_of

LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [" % (now, now) + b",".join([b"*%c" % before] * 10) + b"]\n"
    for before, now in zip(b"abcdefgh", b"bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("form", "data", "rule", "line", "column"),
    [
        ("json", b'{"a": 1,}', "syntax", 1, 9),
        ("json", b"", "syntax", 1, 1),
        ("json", b'{"a": 1} x', "syntax", 1, 10),
        ("json", b'{\n "a": "x\ny"}', "syntax", 2, 9),
        ("json", b"[1]", "value", 1, 1),
        ("json", b'{\n "a": 1,\n "b": {"a": 2},\n "a": 3}', "duplicate-key", 4, 2),
        ("json", b'{\n "a": [NaN]}', "value", 2, 8),
        ("json", b'{"a": -Infinity}', "value", 1, 7),
        ("json", b'{"a": "\\ud800"}', "value", 1, 8),
        ("json", b'{"a": ' + b"9" * 5000 + b"}", "value", 1, 1),
        ("json", b'{"a": 1e99999999999999999999}', "value", 1, 1),
        ("json", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "value", 1, 106),
        ("json", b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "value", 1, 106),
        ("json", b'{\n "a": "caf\xe9"}', "encoding", 2, 11),
        ("yaml", b"a: 1\nb: caf\xe9\n", "encoding", 2, 7),
        ("yaml", b"", "value", 1, 1),
        ("yaml", b"- a\n", "value", 1, 1),
        ("yaml", b"a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("yaml", b"a:\n  b: 1\n  'b': 2\n", "duplicate-key", 3, 3),
        ("yaml", b"a: 1\n---\nb: 2\n", "syntax", 2, 1),
        ("yaml", b"a:\n\t- b\n", "syntax", 2, 1),
        ("yaml", b"a: b: c\n", "syntax", 1, 5),
        ("yaml", b"a: [1\nb: 2\n", "syntax", 2, 2),
        ("yaml", b"a: 1\nb: *x\n", "syntax", 2, 4),
        ("yaml", b"a: .inf\n", "value", 1, 4),
        ("yaml", b"a: !python/object:os.system x\n", "value", 1, 4),
        ("yaml", b"a: !!int x\n", "value", 1, 4),
        ("yaml", b"? [a]\n: b\n", "value", 1, 3),
        ("yaml", b"a: \x07\n", "syntax", 1, 4),
        ("yaml", b"a: " + b"[" * 100_000, "value", 1, 103),
        ("yaml", b"a:\n- " + b"- " * 5000 + b"x\n", "value", 2, 199),
        ("yaml", b"a: &a [*a]\n", "value", 1, 4),
        ("yaml", LAUGHS, "value", 1, 4),
        ("yaml", b"a: 0x" + b"f" * 4000 + b"\n", "value", 1, 4),
        ("yaml", b"a: 1\nb: 0o" + b"7" * 6000 + b"\n", "value", 2, 4),
        ("toml", b"a = 1\nb = nan\n", "value", 2, 5),
        ("toml", b"a = [1, -inf]\n", "value", 1, 9),
        ("toml", b"a = 1\n\nb = 2\na = 3\n", "duplicate-key", 4, 1),
        ("toml", b"a.b = 1\n[a]\n", "duplicate-key", 2, 2),
        ("toml", b"[a]\n[b]\n[a]\n", "duplicate-key", 3, 2),
        ("toml", b"a = [1]\n[[a]]\n", "duplicate-key", 2, 3),
        ("toml", b"a = { b = 1, b = 2 }\n", "duplicate-key", 1, 14),
        ("toml", b"a = { b = 1 }\na.c = 2\n", "duplicate-key", 2, 1),
        ("toml", b"a = 2024-02-30\n", "value", 1, 5),
        ("toml", b"a = 01\n", "syntax", 1, 5),
        ("toml", b"a = no\n", "syntax", 1, 5),
        ("toml", b"a = \n", "syntax", 1, 5),
        ("toml", b"a = 1 b = 2\n", "syntax", 1, 6),
        ("toml", b"a\n", "syntax", 1, 2),
        ("toml", b"= 1\n", "syntax", 1, 1),
        ("toml", b"[a\n", "syntax", 1, 3),
        ("toml", b'a = "x\n', "syntax", 1, 5),
        ("toml", b'a = "\\q"\n', "syntax", 1, 5),
        ("toml", b'a = "\\ud800"\n', "syntax", 1, 5),
        ("toml", b'a = """x\n', "syntax", 1, 5),
        ("toml", b"a = 'x\x00'\n", "syntax", 1, 5),
        ("toml", b"a = [1, 2\n", "syntax", 1, 5),
        ("toml", b"a = 1\nb = [1 2]\n", "syntax", 2, 8),
        ("toml", b"a = 1 # \x07\n", "syntax", 1, 6),
        ("toml", b"a = 1\rb = 2\n", "syntax", 1, 6),
        ("toml", b"a = 1\nb = 'caf\xe9'\n", "encoding", 2, 9),
        ("toml", b"a = " + b"9" * 5000 + b"\n", "value", 1, 5),
        ("toml", b"a = 0x" + b"f" * 4000 + b"\n", "value", 1, 5),
        ("toml", b"a = 1e99999999999999999999\n", "value", 1, 5),
        ("toml", b"a = " + b"[" * 100_000, "value", 1, 104),
        ("toml", b"[" + b"a." * 100_000 + b"a]\n", "value", 1, 200),
        ("toml", b"a." * 100_000 + b"a = 1\n", "value", 1, 199),
        ("markdown", b"+++\na = 1\n---\n", "syntax", 1, 1),
        ("markdown", b"+++\na = 1\na = 2\n+++\n", "duplicate-key", 3, 1),
        ("markdown", b"+++\na = 1\nbody = 'x'\n+++\ntext\n", "value", 3, 1),
        ("markdown", b"# Title\n", "syntax", 1, 1),
        ("markdown", b"", "syntax", 1, 1),
        ("markdown", b"---\na: 1\n", "syntax", 1, 1),
        ("markdown", b"---\na: 1\na: 2\n---\n", "duplicate-key", 3, 1),
        ("markdown", b"---\na: 1\nbody: x\n---\ntext\n", "value", 3, 1),
        ("markdown", b"---\n- a\n---\n", "value", 2, 1),
        ("markdown", b"---\na: 1\n---\ncaf\xe9\n", "encoding", 4, 4),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(form: str, data: bytes, rule: str, line: int, column: int) -> None:
    """Every refusal names rule, line and column, in one line of text, and never costs more than a moment."""
    with pytest.raises(ParseError) as caught:
        FORMATS[form].parse(data)
    error = caught.value
    assert (error.rule, error.line) == (rule, line)
    assert error.column == column
    assert "\n" not in str(error)
    assert isinstance(error, InvalidInputError)
    with pytest.raises(ParseError):
        FORMATS[form].edit(data, {})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"a/b.json", "json"),
        (b"a/b.YAML", "yaml"),
        (b"b.yml", "yaml"),
        (b"a/b.toml", "toml"),
        (b"a.b/c.d.md", "markdown"),
        (b"caf\xe9.markdown", "markdown"),
        (b"a/b.txt", None),
        (b"a.json/b", None),
        (b"a/.json", None),
        (b"json", None),
    ],
)
def test_the_extension_names_the_format(path: bytes, name: str | None) -> None:
    """A path of any bytes has a format if its last part ends in a known extension."""
    form = format_of(path)
    assert (form.name if form else None) == name
