"""The HTTP API: signing in, problems, exact numbers, events, and what browsers are held to."""

import json
import re

import pytest

from tests.integration.gateway.conftest import Installation, Lockstep


def test_nobody_gets_in_without_a_token(installation: Installation) -> None:
    """A call without or with a wrong token is a 401 problem with a remedy."""
    with installation.http(Accept="application/json") as http:
        for headers in ({}, {"Authorization": "Bearer lks_wrong"}):
            answer = http.get("/api/v1/me", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["Content-Type"] == "application/problem+json"
            problem = answer.json()
            assert {"type", "title", "status", "detail", "reason", "remedy"} <= set(problem)


def test_a_revoked_token_ends(installation: Installation) -> None:
    """A token that its owner has revoked lets nobody in."""
    with installation.http() as http:
        made = http.post("/api/v1/tokens", json={"label": "test", "ttl_seconds": 60}).json()
        own = {"Authorization": f"Bearer {made['token']}"}
        assert http.get("/api/v1/me", headers=own).json()["user"]["username"] == "admin"
        assert http.delete(f"/api/v1/tokens/{made['session']['id']}").status_code == 204
        assert http.get("/api/v1/me", headers=own).status_code == 401


def test_a_login_ticket_is_used_once(installation: Installation) -> None:
    """It sets a cookie that scripts cannot read; changes by cookie need the header that other sites cannot send."""
    with installation.http() as http:
        url = http.post("/api/v1/login-tickets").json()["url"]
    with installation.http(Accept="text/html") as browser:
        answer = browser.get(url)
        cookie = answer.headers["Set-Cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert answer.headers["Location"] == "/"
        assert "Workspaces" in browser.get("/").text
        assert browser.post("/api/v1/tokens", json={}).status_code == 403
        assert browser.post("/api/v1/tokens", json={}, headers={"X-Lockstep": "1"}).status_code == 201
        assert browser.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        browser.post("/logout")
        assert "Sign in" in browser.get("/").text
    with installation.http(Accept="text/html") as other:
        assert other.get(url).status_code == 401


def test_another_name_is_refused(installation: Installation) -> None:
    """A page that points its own name at loopback reaches nothing."""
    with installation.http() as http:
        answer = http.get("/api/v1/me", headers={"Host": "evil.example"})
        assert answer.status_code == 403
        assert http.get("/api/v1/me", headers={"Host": "localhost:1"}).status_code == 200


def test_pages_load_nothing_from_elsewhere(installation: Installation) -> None:
    """Every answer carries the policy, and no page names another host to load from."""
    with installation.http() as http:
        for path in ("/", "/api/docs", "/publications/nosuch", "/nosuch"):
            answer = http.get(path)
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert not re.findall(r"""(?:src|action|<link[^>]*href)=["']https?:""", answer.text)
        assert "/api/v1/workspaces/{workspace}/imports" in http.get("/api/docs").text
        assert http.get("/api/v1/openapi.json").json()["info"]["title"] == "Lockstep"


def test_operations(installation: Installation) -> None:
    """Health, readiness and metrics answer without signing in."""
    with installation.http(Accept="*/*") as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/readyz").json() == {"status": "ready", "missing": {}}
        assert "lockstep_rpc_total" in http.get("/metrics").text


def test_numbers_keep_their_digits(installation: Installation, workspace: str) -> None:
    """Integers beyond 64 bits and trailing zeros survive a round trip through the API."""
    with installation.http() as http:
        path = f"/api/v1/workspaces/{workspace}/records"
        body = '{"content":{"id":"n","big":123456789012345678901234567890,"exact":0.10,"tiny":1e-400}}'
        made = http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert made.status_code == 201
        text = http.get(f"{path}/n").text
        assert '"big":123456789012345678901234567890' in text
        assert '"exact":0.10' in text
        assert re.search(r'"tiny":1E-400', text, re.IGNORECASE)


def test_the_same_request_is_done_once(installation: Installation, workspace: str) -> None:
    """A repeated Idempotency-Key gives the same answer."""
    with installation.http() as http:
        path, headers = f"/api/v1/workspaces/{workspace}/records", {"Idempotency-Key": "once"}
        first = http.post(path, json={"content": {"id": "once", "x": 1}}, headers=headers)
        again = http.post(path, json={"content": {"id": "once", "x": 1}}, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert http.post(path, json={"content": {"id": "once"}}).status_code == 409


@pytest.mark.parametrize(
    ("body", "word"),
    [('{"content": 1', "JSON"), ('{"content": {"a": NaN}}', "JSON"), ('{"contents": {}}', "content"), ("[]", "")],
)
def test_a_bad_body_is_a_bad_request(installation: Installation, workspace: str, body: str, word: str) -> None:
    """What cannot be read is a 400 problem that says where."""
    with installation.http() as http:
        answer = http.post(
            f"/api/v1/workspaces/{workspace}/records", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
        assert word in answer.json()["detail"]


def test_an_import_tells_how_far_it_is(installation: Installation, workspace: str) -> None:
    """As events: progress, then the run; without them, the run."""
    path = f"/api/v1/workspaces/{workspace}/imports"
    with installation.http() as http:
        with http.stream("POST", path, json={}, headers={"Accept": "text/event-stream"}) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            text = "".join(answer.iter_text())
        events = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
        assert events[-1][0] == "run"
        assert json.loads(events[-1][1])["state"] == "succeeded"
        assert http.post(path, json={"plan": True}).json()["state"] == "planned"


def test_errors_have_the_status_of_their_kind(installation: Installation, lockstep: Lockstep, workspace: str) -> None:
    """Not found 404, exists already 409, nothing to publish 409."""
    with installation.http() as http:
        base = f"/api/v1/workspaces/{workspace}"
        url = lockstep("workspace", "show", workspace, "--json").json["repo"]
        answers = {
            "NOT_FOUND": http.get(f"{base}/records/nosuch"),
            "ALREADY_EXISTS": http.post("/api/v1/workspaces", json={"name": workspace, "repo": url}),
            "NOTHING_TO_PUBLISH": http.post(f"{base}/publications", json={}),
        }
        codes = {reason: (answer.status_code, answer.json()["reason"]) for reason, answer in answers.items()}
        assert codes == {
            "NOT_FOUND": (404, "NOT_FOUND"),
            "ALREADY_EXISTS": (409, "ALREADY_EXISTS"),
            "NOTHING_TO_PUBLISH": (409, "NOTHING_TO_PUBLISH"),
        }


def test_a_record_that_fails_its_schema(installation: Installation, workspace: str) -> None:
    """It is a 422 that names the fields, and nothing is stored."""
    with installation.http() as http:
        base = f"/api/v1/workspaces/{workspace}"
        schema = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}
        settings = {"name": "strict", "path": "strict", "schema": schema}
        assert http.post(f"{base}/collections", json=settings).status_code == 201
        answer = http.post(f"{base}/records", json={"collection": "strict", "content": {"id": "s", "title": 5}})
        assert answer.status_code == 422, answer.text
        assert answer.json()["violations"][0]["field"] == "/title"
        assert http.get(f"{base}/records", params={"collection": "strict"}).json()["total"] == 0
