"""What looks like a secret is blacked out before it reaches a log."""

import pytest

from services.runtime.logs import REDACTED, redact

# Put together here, so that secret scanners of the repository have nothing to find.
TAIL = "0123456789abcdefABCDEF0123456789abcd"


@pytest.mark.parametrize(
    "secret",
    ["ghp" + "_" + TAIL, "github" + "_pat_" + TAIL, "glpat" + "-" + TAIL, "lks" + "_" + TAIL, "gho" + "_" + TAIL],
)
def test_tokens_are_blacked_out(secret: str) -> None:
    """By their prefixes, wherever they stand."""
    line = redact(f"could not push with {secret} to origin")
    assert secret not in line
    assert REDACTED in line
    assert line.endswith(" to origin")


def test_credentials_in_addresses_and_headers_are_blacked_out() -> None:
    """User information in URLs, and what follows Basic and Bearer."""
    assert redact("https://ada:pw@example.org/x") == f"https://{REDACTED}@example.org/x"
    assert "c2VjcmV0OnNlY3JldA==" not in redact("Authorization: Basic c2VjcmV0OnNlY3JldA==")
    assert redact("nothing to hide at https://example.org/x") == "nothing to hide at https://example.org/x"
