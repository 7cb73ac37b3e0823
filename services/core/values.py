"""Record values: exact JSON-like data, its canonical text, equality, and paths into it.

A value keeps every digit: integers of any size stay ``int``, every other number is a ``Decimal``.
NaN and the infinities are no values. Mappings keep the order of their keys, though order is no part
of what two values mean (``equal``).
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from services.core.errors import InvalidInputError, NotFoundError

type Value = dict[str, Value] | list[Value] | str | int | Decimal | bool | None
