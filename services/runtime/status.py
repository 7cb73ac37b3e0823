"""Domain errors to gRPC status and back, in one place.

``to_status`` is used by the server interceptor, ``from_rpc_error`` by clients: an error raised in one
service arrives in another as an equal error, with reason, remedy and details.
"""

from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from protos.common.v1 import common_pb2
from services.core import errors

DOMAIN: Final = "lockstep"
# A status travels in trailers, which ``serve.METADATA_BYTES`` bounds; what does not fit arrives as INTERNAL.
_TEXT_BYTES: Final = 700
_VALUE_BYTES: Final = 1000
_VIOLATION_BYTES: Final = 300
_MAX_VIOLATIONS: Final = 20

_CODES: Final[tuple[tuple[type[errors.LockstepError], grpc.StatusCode], ...]] = (
    (errors.InvalidInputError, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.NotFoundError, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExistsError, grpc.StatusCode.ALREADY_EXISTS),
    (errors.StateError, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.MovedError, grpc.StatusCode.ABORTED),
    (errors.BusyError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (errors.TimeoutExceededError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.CancelledError, grpc.StatusCode.CANCELLED),
    (errors.SignInError, grpc.StatusCode.UNAUTHENTICATED),
    (errors.ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
)


def code_of(error: errors.LockstepError) -> grpc.StatusCode:
    """Give the status code of a domain error; INTERNAL for one without a class of its own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def to_status(error: errors.LockstepError) -> status_pb2.Status:
    """Give the rich status of a domain error: ErrorInfo always, further details by kind."""
    metadata = {key: _cut(value, _VALUE_BYTES) for key, value in error.metadata.items()}
    message, remedy = _cut(error.message, _TEXT_BYTES), _cut(error.remedy, _TEXT_BYTES)
    details = [
        _pack(
            error_details_pb2.ErrorInfo(
                reason=error.reason,
                domain=DOMAIN,
                metadata={**metadata, "message": message, "remedy": remedy},
            ),
        ),
    ]
    if isinstance(error, errors.InvalidInputError) and error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_cut(v.field, _VIOLATION_BYTES), description=_cut(v.description, _VIOLATION_BYTES)
            )
            for v in error.violations[:_MAX_VIOLATIONS]
        ]
        details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    if isinstance(error, errors.NeedsPersonError):
        details.append(_pack(common_pb2.NeedsPerson(reason=error.why, ids=error.ids)))
    if isinstance(error, errors.StateError):
        violation = error_details_pb2.PreconditionFailure.Violation(
            type=error.reason,
            subject=error.metadata.get("subject", ""),
            description=_cut(error.remedy or error.message, _VIOLATION_BYTES),
        )
        details.append(_pack(error_details_pb2.PreconditionFailure(violations=[violation])))
    if isinstance(error, errors.BusyError):
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=code_of(error).value[0], message=_cut(str(error), _TEXT_BYTES), details=details)


def _cut(text: str, size: int) -> str:
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= size else data[: size - 3].decode("utf-8", "ignore") + "…"


def from_rpc_error(error: grpc.RpcError) -> errors.LockstepError:
    """Give the domain error that a failed call stands for."""
    call = error if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    code = call.code() if call else grpc.StatusCode.UNKNOWN
    # The stubs know the synchronous call only; what is asked of it here an asynchronous error has too.
    found = _details(rpc_status.from_call(call) if call else None)  # type: ignore[arg-type]
    info = found.get("ErrorInfo")
    text = (call.details() if call else None) or "the service gave no reason"
    if not isinstance(info, error_details_pb2.ErrorInfo):
        return _plain(code, text)
    metadata = dict(info.metadata)
    message = metadata.pop("message", text)
    remedy = metadata.pop("remedy", "")
    bad, person, retry = found.get("BadRequest"), found.get("NeedsPerson"), found.get("RetryInfo")
    if isinstance(person, common_pb2.NeedsPerson):
        return errors.NeedsPersonError(message, why=person.reason, ids=person.ids, remedy=remedy)
    if isinstance(retry, error_details_pb2.RetryInfo):
        seconds = retry.retry_delay.ToMilliseconds() / 1000
        return errors.BusyError(message, retry_after=seconds, remedy=remedy, reason=info.reason)
    if isinstance(bad, error_details_pb2.BadRequest):
        violations = [errors.FieldViolation(v.field, v.description) for v in bad.field_violations]
        return errors.InvalidInputError(
            message,
            remedy=remedy,
            reason=info.reason,
            metadata=metadata,
            violations=violations,
        )
    kind = _class_of(code)
    return kind(message, remedy=remedy, reason=info.reason, metadata=metadata)


def _class_of(code: grpc.StatusCode) -> type[errors.LockstepError]:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.UnavailableError
    return next((kind for kind, known in _CODES if known is code), errors.LockstepError)


def _plain(code: grpc.StatusCode, text: str) -> errors.LockstepError:
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.UnavailableError(
            "a service of Lockstep does not answer",
            remedy="run `lockstep doctor`",
            metadata={"cause": text},
        )
    return _class_of(code)(text)


def _pack(message: error_details_pb2.ErrorInfo | object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed


def _details(status: status_pb2.Status | None) -> dict[str, object]:
    kinds = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
        common_pb2.NeedsPerson,
    )
    found: dict[str, object] = {}
    for detail in status.details if status else ():
        for kind in kinds:
            if detail.Is(kind.DESCRIPTOR):
                message = kind()
                detail.Unpack(message)
                found[kind.DESCRIPTOR.name] = message
    return found
