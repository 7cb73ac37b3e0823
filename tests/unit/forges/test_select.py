"""Choosing an adapter sends nothing and refuses what cannot work."""

import pytest

from services.core.errors import InvalidInputError
from services.forges import select


@pytest.mark.parametrize(
    ("kind", "target", "push", "api_url"),
    [
        ("plain", "https://git.example.org/o/n", "", ""),
        ("github", "/srv/git/n.git", "", ""),
        ("github", "https://github.com/o/sub/n", "", ""),
        ("github", "https://github.com/o/n", "https://github.com/n", ""),
        ("gitlab", "http://git.example.org/g/n", "", ""),
        ("gitlab", "https://git.example.org/g/n", "", "http://git.example.org"),
        ("gitlab", "https://git.example.org/g/n", "", "ftp://git.example.org"),
    ],
)
def test_what_cannot_be_a_forge_is_refused_at_once(kind: str, target: str, push: str, api_url: str) -> None:
    """Before any request, with a remedy and without the token."""
    with pytest.raises(InvalidInputError) as refused:
        select.connect(kind, target, push, "t0ken", api_url)  # type: ignore[arg-type]
    assert refused.value.remedy
    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_connecting_asks_nobody(kind: str) -> None:
    """The network is off in these tests; a connection is made all the same."""
    forge = select.connect(kind, f"https://{kind}.com/o/n.git", "", "t0ken")  # type: ignore[arg-type]
    assert type(forge).__name__.lower() == kind
