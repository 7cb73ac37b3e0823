"""JSON in and out without losing a digit: record values go through the core's own reader and writer."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.core.errors import InvalidInputError
from services.core.values import ParseError, Value, dumps, loads


class ExactRequest(Request):
    """A request whose JSON keeps integers of any size and the digits of every other number."""

    async def json(self) -> Any:
        """Give the body; raise InvalidInputError with line and column where it is no JSON."""
        return parse(await self.body(), "the body of the request")


class ExactRoute(APIRoute):
    """A route that reads its body as ExactRequest does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the request before FastAPI reads it."""
        handle = super().get_route_handler()

        async def handle_exact(request: Request) -> Response:
            return await handle(ExactRequest(request.scope, request.receive))

        return handle_exact


def parse(data: bytes, what: str) -> Value:
    """Read JSON text exactly; ``what`` names it in the InvalidInputError."""
    try:
        return loads(data)
    except ParseError as error:
        raise InvalidInputError(
            f"{what} is no valid JSON (line {error.line}, column {error.column})",
            remedy=error.message,
        ) from None


def text(payload: "BaseModel | Value") -> bytes:
    """Give the JSON text of a model or a value."""
    return dumps(_plain(payload.model_dump(by_alias=True) if isinstance(payload, BaseModel) else payload))


def answer(payload: "BaseModel | Value", status: int = 200) -> Response:
    """Give a JSON response."""
    return Response(text(payload), status_code=status, media_type="application/json")


def _plain(value: Any) -> Value:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return Decimal(repr(value)) if isinstance(value, float) else value
