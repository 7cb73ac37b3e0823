"""Errors as problem+json (RFC 9457): the domain error's message, remedy, reason and details."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.exact import text
from services.core import errors
from services.core.values import Value
from services.runtime.logs import redact

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

# First match wins.
_STATUSES: Final[tuple[tuple[type[errors.LockstepError], int, str], ...]] = (
    (errors.InvalidInputError, 400, "Bad request"),
    (errors.NotFoundError, 404, "Not found"),
    (errors.AlreadyExistsError, 409, "Already exists"),
    (errors.NeedsPersonError, 409, "A person has to decide"),
    (errors.StateError, 409, "Not possible now"),
    (errors.MovedError, 409, "Changed meanwhile"),
    (errors.BusyError, 429, "Too many requests"),
    (errors.UnavailableError, 503, "Unavailable"),
    (errors.TimeoutExceededError, 504, "Took too long"),
    (errors.CancelledError, 499, "Cancelled"),
    (errors.SignInError, 401, "Sign in"),
    (errors.ForbiddenError, 403, "Not allowed"),
)
_SCHEMA_REASONS: Final = ("SCHEMA", "SCHEMA_VIOLATION", "RECORD_INVALID")


def status_of(error: errors.LockstepError) -> tuple[int, str]:
    """Give HTTP status and title of a domain error."""
    if isinstance(error, errors.InvalidInputError) and error.reason in _SCHEMA_REASONS:
        return 422, "The record breaks its schema"
    found = next(((code, title) for kind, code, title in _STATUSES if isinstance(error, kind)), None)
    return found or (500, "Lockstep failed")


def problem(error: errors.LockstepError) -> dict[str, Value]:
    """Give the problem document of a domain error."""
    status, title = status_of(error)
    document: dict[str, Value] = {
        "type": f"urn:lockstep:problem:{error.reason.lower().replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": error.message,
        "reason": error.reason,
        "remedy": error.remedy,
    }
    if isinstance(error, errors.InvalidInputError) and error.violations:
        document["violations"] = [{"field": v.field, "description": v.description} for v in error.violations]
    if isinstance(error, errors.NeedsPersonError):
        document["needs_person"] = error.why
        document["ids"] = list(error.ids)
    return document


def response(error: errors.LockstepError) -> Response:
    """Give the HTTP response of a domain error."""
    document = problem(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.BusyError):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, errors.SignInError):
        headers["WWW-Authenticate"] = "Bearer"
    status, _ = status_of(error)
    return Response(text(document), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error that an app foresees as a problem."""

    @app.exception_handler(errors.LockstepError)
    async def domain(_: Request, error: errors.LockstepError) -> Response:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        return response(_invalid(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        # FastAPI hides behind its own error what kept a body from being read.
        cause = error.__cause__
        return response(cause) if isinstance(cause, errors.LockstepError) else _plain_http(error)


def unforeseen(error: Exception, path: str) -> Response:
    """Log an error that nobody foresaw, and give an answer without its details."""
    log.error("unexpected error", path=redact(path), exc_info=error)
    return response(
        errors.LockstepError(
            "Lockstep failed in a way nobody foresaw",
            remedy="the log of the gateway has the details; please report it",
        ),
    )


def _invalid(found: Any) -> errors.InvalidInputError:
    violations = [
        errors.FieldViolation(".".join(str(part) for part in item["loc"] if part != "body"), str(item["msg"]))
        for item in found
    ]
    first = violations[0] if violations else errors.FieldViolation("", "the request cannot be read")
    return errors.InvalidInputError(
        f"{first.field or 'the body'}: {first.description.lower()}",
        remedy="the API is described at /api/docs",
        violations=violations,
    )


def _plain_http(error: HTTPException) -> Response:
    document: dict[str, Value] = {
        "type": "about:blank",
        "title": str(error.detail),
        "status": error.status_code,
        "detail": str(error.detail),
        "reason": "HTTP",
        "remedy": "the API is described at /api/docs",
    }
    return Response(
        text(document),
        status_code=error.status_code,
        media_type=MEDIA_TYPE,
        headers=error.headers,
    )
