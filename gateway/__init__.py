"""HTTP/JSON, pages and the command line in front of the services."""

import os

# Git runs as a child of this process. gRPC's own handlers for fork would stop its threads around every
# child; no child here goes on as Python, so they are not needed. It is read when grpc is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
