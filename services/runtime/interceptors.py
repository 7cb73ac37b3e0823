"""What every gRPC server does around every handler: identity in, errors out.

The interceptor checks the caller's identity, makes the call known to the code below
(``services.runtime.context``), and turns domain errors into a status with details. Handlers therefore
have no try/except. An error nobody foresaw is logged with its traceback and answered without any.
"""

import contextlib
import contextvars
import errno
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import grpc
import structlog
from grpc_status import rpc_status

from services.core.errors import CancelledError, LockstepError, SignInError, UnavailableError
from services.runtime import metrics
from services.runtime.admission import Admission
from services.runtime.context import Call, enter
from services.runtime.identity import Identity, Verifier
from services.runtime.status import to_status

log = structlog.get_logger(__name__)

AUTHORIZATION: Final = "authorization"
# How many calls a server works on at a time.
PLACES: Final = 24
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SHORT_OF: Final = _FULL | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_OPEN_PREFIXES: Final = ("/grpc.health.", "/grpc.reflection.")

# grpc names handlers and behaviours by shape only; its own types say Any here.
_Behaviour: TypeAlias = Any


class ServiceInterceptor(grpc.ServerInterceptor):
    """Wraps the handlers of one server."""

    def __init__(
        self, verifier: Verifier, public_methods: frozenset[str] = frozenset(), admission: Admission | None = None
    ) -> None:
        """Take the verifier of identities, the full names of methods that need none, and who gets a place."""
        self._verifier = verifier
        self._admission = admission or Admission(PLACES)
        self._public = public_methods

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Give the handler with its behaviour wrapped."""
        handler = continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or method.startswith(_OPEN_PREFIXES):
            return handler
        options = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream(handler.stream_stream, method), **options)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, method), **options)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(self._unary(handler.stream_unary, method), **options)
        return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary, method), **options)

    def _unary(self, behaviour: _Behaviour, method: str) -> _Behaviour:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            with metrics.rpc(method) as outcome:
                try:
                    call = self._call(method, context)
                    enter(call)
                    with self._admission.place(call):
                        return behaviour(request, context)
                except Exception as error:
                    outcome.code = _abort(context, method, error)
                    raise
                finally:
                    enter(None)

        return handle

    def _stream(self, behaviour: _Behaviour, method: str) -> _Behaviour:
        def handle(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            # The generator may be resumed on any thread of the pool: its context goes along with it.
            variables = contextvars.copy_context()
            with metrics.rpc(method) as outcome:
                try:
                    call = self._call(method, context)
                    variables.run(enter, call)
                    with self._admission.place(call):
                        responses = variables.run(iter, variables.run(behaviour, request, context))
                        try:
                            while (response := variables.run(next, responses, None)) is not None:
                                yield response
                        finally:
                            variables.run(_close, responses)
                except GeneratorExit:
                    raise
                except Exception as error:  # noqa: BLE001  the one place where errors become statuses
                    outcome.code = _abort(context, method, error)

        return handle

    def _call(self, method: str, context: grpc.ServicerContext) -> Call:
        remaining = context.time_remaining()
        deadline = None if remaining is None else time.monotonic() + remaining
        call = Call(identity=self._identity(method, context), deadline=deadline)
        context.add_callback(call.ended.set)
        return call

    def _identity(self, method: str, context: grpc.ServicerContext) -> Identity | None:
        pairs = ((str(key), value) for key, value in context.invocation_metadata() or ())
        token = next((str(value) for key, value in pairs if key == AUTHORIZATION), "")
        if not token and method in self._public:
            return None
        if not token.startswith("Bearer "):
            raise SignInError("the call carries no identity", remedy="sign in first")
        return self._verifier.verify(token.removeprefix("Bearer "))


def _close(responses: Iterator[Any]) -> None:
    close = getattr(responses, "close", None)
    if close is not None:
        close()


def _shortage(number: int) -> UnavailableError:
    if number in _FULL:
        return UnavailableError("the disk is full", remedy="make room in the data folder", reason="DISK_FULL")
    return UnavailableError("the machine is short of memory, processes or open files", remedy="try again later")


def _abort(context: grpc.ServicerContext, method: str, error: Exception) -> str:
    """End the call with the status of an error; give the code's name."""
    if isinstance(error, grpc.RpcError) and not context.is_active():
        # What reading on from a caller raises that has gone away. grpc keeps it with the call's state, and its
        # frames would keep both, and what was on its way, until the collector happens to come by.
        error.__traceback__ = None
        error = CancelledError("the caller went away")
    if isinstance(error, OSError) and error.errno in _SHORT_OF:
        log.error("short of a resource", method=method, error=str(error))
        error = _shortage(error.errno)
    if not isinstance(error, LockstepError):
        log.error("unexpected error", method=method, exc_info=error)
        error = LockstepError(
            "Lockstep failed in a way nobody foresaw",
            remedy="the service's log has the details; please report it",
        )
    status = to_status(error)
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    if not context.is_active():
        return code.name
    # abort raises to unwind; the caller of this has nothing left to do.
    with contextlib.suppress(Exception):
        context.abort_with_status(rpc_status.to_status(status))
    return code.name
