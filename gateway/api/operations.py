"""For whoever runs the gateway: is it up, is it ready, its metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.exact import answer
from gateway.sessions import Stubs
from services.core.errors import NotFoundError

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Response:
    """Say that the process answers."""
    return answer({"status": "ok"})


@router.get("/readyz")
async def readyz(services: Stubs) -> Response:
    """Say whether all services serve; 503 names the ones that do not."""
    missing = await services.missing()
    return answer({"status": "not ready" if missing else "ready", "missing": dict(missing)}, 503 if missing else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give the metrics of this process for Prometheus."""
    if not request.app.state.open_metrics:
        raise NotFoundError("metrics are not served here", remedy="scrape the metrics port of the services")
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
