"""A synchronous client of the gateway. Problems come back as the domain errors they stand for."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote

import httpx2

from services.core import errors
from services.core.values import ParseError, dumps, loads

# Imports and merges may be silent for long; the stream of events has keep-alives.
TIMEOUT: Final = httpx2.Timeout(600.0, connect=10.0)
STREAM_TIMEOUT: Final = httpx2.Timeout(120.0, connect=10.0)
_INVALID: Final = (400, 405, 413, 415, 422)
_BUSY: Final = 429


@dataclass(frozen=True)
class Event:
    """One server-sent event: its name and its value."""

    name: str
    data: Any


class Client:
    """Speaks to one gateway as the bearer of a token."""

    def __init__(self, base_url: str, token: str) -> None:
        """Take the gateway's address and an access token."""
        self.base_url = base_url.rstrip("/")
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        loopback = httpx2.URL(self.base_url).host in ("127.0.0.1", "localhost", "::1")
        self._http = httpx2.Client(timeout=TIMEOUT, headers=headers, trust_env=not loopback)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, /, **query: Any) -> Any:
        """Read; ``query`` leaves out what is None or empty."""
        return self._send("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        """Send a command; it is done once, however often the request is repeated."""
        return self._send("POST", path, content=dumps(body if body is not None else {}))

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._send("PATCH", path, content=dumps(body))

    def put(self, path: str, body: Any) -> Any:
        """Replace something."""
        return self._send("PUT", path, content=dumps(body))

    def put_file(self, path: str, data: bytes, **query: Any) -> Any:
        """Replace something by the content of a file."""
        return self._send("PUT", path, content=data, query=query, media_type="application/octet-stream")

    def upload(self, path: str, chunks: Iterator[bytes], **query: Any) -> Any:
        """Send a command with the content of a file of any length."""
        return self._send("POST", path, content=chunks, query=query, media_type="application/octet-stream")

    def download(self, path: str, **query: Any) -> Iterator[bytes]:
        """Give an answer of any length in parts; raise where it does not come whole."""
        request = self._http.build_request("GET", self._url(path), params=_params(query), timeout=STREAM_TIMEOUT)
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.is_error:
                    raise _error_of(response.status_code, response.read())
                yield from response.iter_bytes()
            finally:
                response.close()
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def delete(self, path: str, **query: Any) -> Any:
        """Remove something."""
        return self._send("DELETE", path, query=query)

    def events(self, method: str, path: str, body: Any = None) -> Iterator[Event]:
        """Give the events of a stream; raise what a ``problem`` event stands for."""
        request = self._http.build_request(
            method,
            self._url(path),
            content=dumps(body) if body is not None else None,
            headers=self._headers("application/json") | {"Accept": "text/event-stream"},
            timeout=STREAM_TIMEOUT,
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.is_error:
                    response.read()
                    raise _error_of(response.status_code, response.content)
                for event in _events(response.iter_lines()):
                    if event.name == "problem":
                        raise error_of(event.data)
                    yield event
            finally:
                response.close()
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def pages(self, path: str, key: str, /, **query: Any) -> Iterator[Any]:
        """Give the items of all pages of a list; ``key`` names them in an answer."""
        page = ""
        while True:
            found = self.get(path, **query, page=page)
            yield from found[key]
            page = found["next_page"]
            if not page:
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes] | None = None,
        query: Mapping[str, Any] | None = None,
        media_type: str = "application/json",
    ) -> Any:
        try:
            response = self._http.request(
                method,
                self._url(path),
                params=_params(query or {}),
                content=content,
                headers={} if content is None else self._headers(media_type),
            )
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error_of(response.status_code, response.content)
        return loads(response.content) if response.content else None

    def _url(self, path: str) -> str:
        return f"{self.base_url}/api/v1{path}"

    def _headers(self, media_type: str) -> dict[str, str]:
        return {"Content-Type": media_type, "Idempotency-Key": secrets.token_hex(16)}

    def _unreachable(self, error: Exception) -> errors.LockstepError:
        if isinstance(error, httpx2.TimeoutException):
            return errors.TimeoutExceededError(
                f"{self.base_url} did not answer in time", remedy="try again, and look at its log"
            )
        return errors.UnavailableError(
            f"{self.base_url} does not answer",
            remedy="start it with `lockstep up`, or correct LOCKSTEP_SERVER",
        )


def segment(text: str) -> str:
    """Give a text as one segment of a path."""
    return quote(text, safe="")


def error_of(problem: Mapping[str, Any]) -> errors.LockstepError:
    """Give the domain error that a problem document stands for."""
    message = str(problem.get("detail") or problem.get("title") or "the gateway gave no reason")
    remedy, reason = str(problem.get("remedy", "")), str(problem.get("reason", ""))
    status = problem.get("status")
    if problem.get("needs_person"):
        ids = [str(item) for item in problem.get("ids", ())]
        return errors.NeedsPersonError(message, why=str(problem["needs_person"]), ids=ids, remedy=remedy)
    if status in _INVALID:
        kind: type[errors.LockstepError] = errors.InvalidInputError
    else:
        kind = {
            401: errors.SignInError,
            403: errors.ForbiddenError,
            404: errors.NotFoundError,
            409: errors.AlreadyExistsError if reason == errors.AlreadyExistsError.reason else errors.StateError,
            503: errors.UnavailableError,
            504: errors.TimeoutExceededError,
        }.get(status if isinstance(status, int) else 0, errors.LockstepError)
    return kind(message, remedy=remedy, reason=reason)


def _error_of(status: int, content: bytes) -> errors.LockstepError:
    try:
        problem = loads(content)
    except ParseError:
        problem = None
    if isinstance(problem, dict):
        return error_of({"status": status, **problem})
    return errors.LockstepError(f"the server answered {status}", remedy="is this address a Lockstep gateway?")


def _events(lines: Iterator[str]) -> Iterator[Event]:
    name, data = "message", ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data += line.removeprefix("data: ")
        elif not line and data:
            yield Event(name, loads(data.encode()))
            name, data = "message", ""


def _params(query: Mapping[str, Any]) -> dict[str, str | list[str]]:
    return {key: _shown(value) for key, value in query.items() if value not in (None, "", [])}


def _shown(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [_text(str(item)) for item in value]
    return str(value).lower() if isinstance(value, bool) else _text(str(value))


def _text(value: str) -> str:
    """Give a text back; raise InvalidInputError where the terminal gave bytes that are none."""
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        shown = value.encode("ascii", "backslashreplace").decode()[:100]
        raise errors.InvalidInputError(f"'{shown}' holds half of a character", remedy="write it in UTF-8")
    return value
