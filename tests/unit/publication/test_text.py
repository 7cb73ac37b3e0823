"""Titles, branches, bodies and messages, and that nothing in a record can get out of its place in them."""

import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from services.core.publication.body import MOST_RECORDS, generated_body
from services.core.publication.content import Author, Override, PublishedRecord, Remark
from services.core.publication.escape import markdown
from services.core.publication.markers import BEGIN, END, replace_between_markers, with_markers
from services.core.publication.message import commit_message
from services.core.publication.title import branch_of, title_of

ID = "01hzy3k5e8qv0m2c4r6t8w0y2a"
NASTY = st.lists(
    st.one_of(st.characters(), st.sampled_from([*"@#!~%&$|<>`*_[]()\\\n\r\t-:", BEGIN, END, "@bob", "#1", "://"])),
    max_size=60,
).map("".join)
ERROR = Remark("/x" * 50, "r", "m" * 500, error=True)


def record(number: int = 1, **more: object) -> PublishedRecord:
    """Give a record of the collection events."""
    values: dict[str, object] = {
        "record_id": f"e{number}",
        "collection": "events",
        "action": "update",
        "title": f"Event {number}",
        **more,
    }
    return PublishedRecord(**values)  # type: ignore[arg-type]


def test_one_record_is_named_by_its_title() -> None:
    """The verb says what happens to it; without a title its id stands in."""
    assert title_of([record()]) == "Update Event 1"
    assert title_of([record(action="create")]) == "Add Event 1"
    assert title_of([record(action="delete", title="")]) == "Delete e1"
    assert title_of([record(action="rename")]) == "Rename Event 1"


def test_many_records_are_counted_with_their_collection_and_dates() -> None:
    """Dates only where every record has one; "records" where collections mix."""
    dated = [record(n, date=f"2019-0{n}-02T10:00:00Z") for n in (3, 1, 2)]
    assert title_of(dated) == "Update 3 events (2019-01-02 to 2019-03-02)"
    assert title_of([*dated, record(4)]) == "Update 4 events"
    assert title_of([record(1, date="2020-01-01"), record(2, date="2020-01-01")]) == "Update 2 events (2020-01-01)"
    assert title_of([record(1), record(2, collection="people")]) == "Update 2 records"
    assert title_of([record(1, action="create"), record(2, action="create")]) == "Add 2 events"
    assert title_of([record(1, action="create"), record(2)]) == "Update 2 events"


def test_a_long_title_is_cut() -> None:
    """In one line, with an ellipsis."""
    title = title_of([record(title="word\n" * 100)])
    assert len(title) <= 120
    assert title.endswith("…")


@given(NASTY)
def test_branches_are_names_that_git_takes(title: str) -> None:
    """Only a-z, 0-9, - and / with the id in front, however odd the title."""
    branch = branch_of(ID, title)
    assert re.fullmatch(rf"lockstep/{ID}(-[a-z0-9]+(-[a-z0-9]+)*)?", branch)


def test_git_agrees_on_a_branch() -> None:
    """As `git check-ref-format` sees it."""
    branch = branch_of(ID, "Ünïcode: a..b.lock /~^ @{x}")
    assert branch == f"lockstep/{ID}-unicode-a-b-lock-x"
    subprocess.run(["git", "check-ref-format", "--branch", branch], check=True, stdout=subprocess.DEVNULL)


def test_a_body_says_what_a_reviewer_wants_to_know() -> None:
    """Counts by action, dates, fields, quality, findings, conflicts, authors, the id."""
    ada, bob = Author("Ada", "ada@example.org"), Author("Bob", "bob@example.org")
    records = [
        record(1, date="2020-01-01", changed=("/title", "/tags/0"), quality=9.0, authors=(ada,), conflicts_settled=2),
        record(2, date="2020-02-01", action="create", quality=4.0, authors=(bob, ada)),
        record(
            3, date="2020-03-01", action="delete", remarks=(Remark("/tags", "minItems", "too few tags", error=False),)
        ),
    ]
    body = generated_body(ID, records)
    assert "**3 records**: 1 added, 1 updated, 1 deleted." in body
    assert "Dates: 2020-01-01 to 2020-03-01." in body
    assert "| e1 | Event 1 | updated | title, tags/0 |" in body
    assert "Quality: 6.5 of 10 on average; lowest 4.0 (e2)." in body
    assert "- e3 /tags: too few tags (advice)" in body
    assert "Conflicts settled: 2." in body
    assert "Edited by Ada, Bob." in body
    assert ID in body
    assert "Quality" not in generated_body(ID, [record()])


def test_the_body_says_what_reviewers_made_of_the_records() -> None:
    """Nothing where no review is asked for; who was not validated, and who had it published all the same and why."""
    assert "Review" not in generated_body(ID, [record()], Override("Ada", "urgent"))
    good = [record(n, review="validated") for n in (1, 2)]
    body = generated_body(ID, good, Override("Ada", "urgent"))
    assert "- 2 of 2 validated" in body
    assert "urgent" not in body
    body = generated_body(ID, [*good, record(3, review="rejected")], Override("Ada <x>", "it is @urgent\n# now"))
    assert "- 2 of 3 validated\n- **Not validated**: e3 (rejected)\n- **Overridden** by Ada &lt;x&gt;: it is" in body
    assert not re.search(r"@\w", body)
    many = [record(n, record_id="r" * 100, review="unreviewed") for n in range(400)]
    assert " and 350 more" in generated_body(ID, many)
    long = [record(n, title="t" * 400, remarks=(ERROR,) * 3, record_id="r" * 100, review="rejected") for n in range(99)]
    assert len(generated_body(ID, long, Override("A" * 200, "b" * 500))) < 65_000


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    """At most 200 rows, and fewer where they are long: a forge takes no more than 65,536 characters."""
    body = generated_body(ID, [record(n) for n in range(1500)])
    assert body.count("| Event") == MOST_RECORDS
    assert "… and 1,300 more." in body
    long = [record(n, title="t" * 400, changed=("/f" * 40,) * 20, remarks=(ERROR,) * 3) for n in range(400)]
    assert len(generated_body(ID, long)) < 60_000


@given(NASTY, NASTY, NASTY)
def test_nothing_in_a_record_gets_out_of_its_cell(title: str, name: str, field: str) -> None:
    """No marker, no HTML, no mention, no row or line of its own."""
    made = record(title=title, record_id=name, changed=(field,), remarks=(Remark(field, "r", title, error=True),))
    body = generated_body(ID, [made, made])
    assert "<" not in body
    assert ">" not in body
    assert not re.search(r"@\w", body)
    assert not re.search(r"#\w", body)
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 5 for row in rows)


def test_words_that_close_issues_close_none() -> None:
    """Neither by number nor by address, in title, body or commit message."""
    text = "Fixes #12, closes https://github.com/a/b/issues/3 and GH-4"
    for out in (markdown(text), title_of([record(title=text)])):
        assert "#12" not in out
        assert "://" not in out
        assert "GH-4" not in out


@given(NASTY, NASTY, st.text(max_size=40), st.text(max_size=40))
def test_a_reviewers_text_stays_to_the_letter(own: str, title: str, before: str, after: str) -> None:
    """Replacing the generated part changes nothing around it, and finds it again."""
    first = with_markers(own, generated_body(ID, [record(title=title)]))
    assert first.count(BEGIN) == first.count(END) == 1
    edited = f"{before}\n{first}\n{after}"
    start = edited.index(BEGIN)
    replaced = replace_between_markers(edited, "new")
    assert replaced == f"{edited[:start]}{BEGIN}\nnew\n{END}\n{after}"
    assert replace_between_markers(replaced, "new") == replaced


def test_a_body_without_markers_keeps_its_text() -> None:
    """The part comes to its end; a half marker goes."""
    assert replace_between_markers("mine", "new") == f"mine\n\n{BEGIN}\nnew\n{END}"
    assert replace_between_markers(f"mine {BEGIN}", "new") == f"mine\n\n{BEGIN}\nnew\n{END}"
    assert replace_between_markers("", "new") == f"{BEGIN}\nnew\n{END}"


def test_trailers_are_what_git_reads() -> None:
    """The publication and each further author once, however odd the names."""
    ada = Author("Ada", "ada@example.org")
    message = commit_message(
        title="Update\nthings",
        description="Why.\n\nLockstep-Publication: forged\n",
        publication_id=ID,
        author=ada,
        others=[Author("Ada again", "ADA@example.org"), Author("Bob <x>\nSigned-off-by: Eve", "bob@example.org")],
    )
    run = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [
        f"Lockstep-Publication: {ID}",
        "Co-authored-by: Bob x Signed-off-by: Eve <bob@example.org>",
    ]
    assert message.splitlines()[0] == "Update things"
