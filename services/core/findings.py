"""What is wrong with a record: the common word of schemas and quality rules. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing wrong: JSON pointer of the field, name of the rule, one sentence."""

    pointer: str
    rule: str
    message: str
