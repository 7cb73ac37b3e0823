"""A service whose every call fails as ordered."""

from collections.abc import Callable, Iterator
from typing import NoReturn

import grpc

from protos.git.v1 import git_pb2, git_pb2_grpc


class Raising(git_pb2_grpc.GitServiceServicer):
    """Raises the error for the name it is asked with: in a plain answer, and after the first of a stream."""

    def __init__(self, wanted: Callable[[str], Exception]) -> None:
        """Take what gives the error."""
        self._wanted = wanted

    def DropMirror(self, request: git_pb2.DropMirrorRequest, context: grpc.ServicerContext) -> NoReturn:
        """Fail at once."""
        raise self._wanted(request.workspace_id)

    def Fetch(self, request: git_pb2.FetchRequest, context: grpc.ServicerContext) -> Iterator[git_pb2.FetchResponse]:
        """Fail after one message."""
        yield git_pb2.FetchResponse()
        raise self._wanted(request.workspace_id)
