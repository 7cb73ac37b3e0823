"""Channels to other services: identity added, deadlines set, failures turned back into domain errors."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import grpc
import grpc.experimental
import jwt

from protos.auth.v1 import auth_pb2, auth_pb2_grpc
from services.core.errors import LockstepError
from services.runtime.interceptors import AUTHORIZATION
from services.runtime.serve import CHANNEL_OPTIONS
from services.runtime.status import from_rpc_error
from services.runtime.tls import Certificates

TENANT: Final = "lockstep-tenant"
UNARY_SECONDS: Final = 60.0
STREAM_SECONDS: Final = 3600.0
PROOF_SECONDS: Final = 30
# A stream of answers is read by who asked for it: by default each call starts a thread, a third of a small one.
_OPTIONS: Final = [*CHANNEL_OPTIONS, (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)]

Metadata: TypeAlias = tuple[tuple[str, str], ...]
IdentitySource: TypeAlias = Callable[[str], str]


def as_tenant(tenant_id: str) -> Metadata:
    """Give the metadata that makes a channel of ``connect`` call as this service in a tenant."""
    return ((TENANT, tenant_id),)


def connect(
    address: str,
    identity: IdentitySource | None = None,
    certificates: Certificates | None = None,
) -> grpc.Channel:
    """Give a channel whose calls raise domain errors and, with ``identity``, carry the service's identity."""
    if certificates:
        channel = grpc.secure_channel(address, certificates.channel(), options=_OPTIONS)
    else:
        channel = grpc.insecure_channel(address, options=_OPTIONS)
    return grpc.intercept_channel(channel, _ClientInterceptor(identity))


@dataclass(frozen=True)
class _Held:
    token: str
    expires_at: int


class ServiceIdentities:
    """Gets this service's identity in a tenant from auth, and keeps it while it is good."""

    def __init__(
        self,
        auth: auth_pb2_grpc.AuthServiceStub,
        service: str,
        internal_key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take a stub of auth, this service's name ("git", "sync", "pr") and the deployment's internal key."""
        self._auth = auth
        self._service = service
        self._key = internal_key
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def __call__(self, tenant_id: str) -> str:
        """Give a signed identity with at least half a minute to live."""
        held = self._held.get(tenant_id)
        if held is None or held.expires_at - self._clock() < PROOF_SECONDS:
            proof = prove(self._service, self._key, int(self._clock()))
            request = auth_pb2.IssueServiceIdentityRequest(service_proof=proof, tenant_id=tenant_id)
            answer = self._auth.IssueServiceIdentity(request, timeout=UNARY_SECONDS)
            held = self._held[tenant_id] = _Held(answer.identity, answer.expires_at)
        return held.token


def prove(service: str, internal_key: bytes, now: int) -> str:
    """Give the proof that a service shows auth: a JWT with the internal key that ends PROOF_SECONDS later."""
    claims = {"sub": service, "aud": "auth", "iat": now, "exp": now + PROOF_SECONDS}
    return jwt.encode(claims, internal_key, algorithm="HS256")


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Responses:
    """The answers of a stream, raising domain errors."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _ClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, identity: IdentitySource | None) -> None:
        self._identity = identity

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _finished(continuation(self._details(client_call_details, UNARY_SECONDS), request))

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return _finished(continuation(self._details(client_call_details, STREAM_SECONDS), request_iterator))

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _Responses(continuation(self._details(client_call_details, STREAM_SECONDS), request))

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return _Responses(continuation(self._details(client_call_details, STREAM_SECONDS), request_iterator))

    def _details(self, details: Any, seconds: float) -> _Details:
        metadata: list[tuple[str, str | bytes]] = []
        for key, value in details.metadata or ():
            if key == TENANT and self._identity is not None:
                metadata.append((AUTHORIZATION, f"Bearer {self._identity(str(value))}"))
            else:
                metadata.append((key, value))
        return _Details(
            details.method,
            details.timeout or seconds,
            metadata,
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def _finished(call: Any) -> Any:
    error = call.exception()
    if isinstance(error, grpc.RpcError):
        raise from_rpc_error(error) from None
    if isinstance(error, LockstepError):
        raise error
    return call
