"""What deploy/ gives to a cluster, as rendered: hardened, complete, each tenant by itself, no way but the arrows."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, TypeAlias

import pytest
import yaml

from services.runtime import config

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
TENANTS: Final = sorted(path.parent.name for path in DEPLOY.glob("tenants/*/kustomization.yaml"))
SERVICES: Final = ("auth", "git", "pr", "sync")
DATABASE: Final = "postgresql"
COMPONENT: Final = "app.kubernetes.io/component"
NAME: Final = "app.kubernetes.io/name"
ARROWS: Final = {
    ("gateway", "auth", 7004),
    ("gateway", "git", 7001),
    ("gateway", "pr", 7003),
    ("gateway", "sync", 7002),
    ("sync", "git", 7001),
    ("sync", "auth", 7004),
    ("pr", "git", 7001),
    ("pr", "sync", 7002),
    ("pr", "auth", 7004),
    ("git", "auth", 7004),
    *((service, DATABASE, 5432) for service in ("auth", "pr", "sync")),
}
UNITS: Final = {"": 1.0, "m": 0.001, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}

Object: TypeAlias = dict[str, Any]

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
for_every_tenant = pytest.mark.parametrize("tenant", TENANTS)


@cache
def rendered(tenant: str) -> list[Object]:
    """Give the objects of an overlay."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "tenants" / tenant)], capture_output=True, text=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


def of_kind(tenant: str, *kinds: str) -> list[Object]:
    """Give the objects of some kinds."""
    return [each for each in rendered(tenant) if each["kind"] in kinds]


def pods(tenant: str) -> dict[str, Object]:
    """Give the specification of each workload's pods, by component."""
    found = of_kind(tenant, "Deployment", "StatefulSet")
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


def environ(tenant: str, component: str) -> dict[str, str]:
    """Give the environment of a process as the kubelet would put it together."""
    [container] = pods(tenant)[component]["containers"]
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(tenant, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]
    return found | {entry["name"]: entry["value"] for entry in container.get("env", ())}


def test_there_are_tenants() -> None:
    """Two overlays show how a tenant is made: forks of one repository."""
    assert len(TENANTS) == 2
    told = [(DEPLOY / "tenants" / tenant / "add-workspace.sh").read_text() for tenant in TENANTS]
    assert len({re.search(r"--repo (\S+)", text)[1] for text in told}) == 2  # type: ignore[index]
    assert len({re.search(r"--upstream (\S+)", text)[1] for text in told}) == 1  # type: ignore[index]


@needs_kubectl
@for_every_tenant
def test_everything_lies_in_the_tenants_namespace(tenant: str) -> None:
    """No object is outside of it, and it holds pods to the level `restricted`."""
    [namespace] = of_kind(tenant, "Namespace")
    name = namespace["metadata"]["name"]
    assert tenant in name
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"]["namespace"] for each in rendered(tenant) if each is not namespace} == {name}


@needs_kubectl
@for_every_tenant
def test_pods_are_hardened(tenant: str) -> None:
    """No root, no writable root file system, no capability, no token, no variables of other services."""
    assert set(pods(tenant)) == {*SERVICES, "gateway"}
    for name, pod in pods(tenant).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        [container] = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert set(container["resources"]) == {"requests", "limits"}, name
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name
    for account in of_kind(tenant, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    assert not of_kind(tenant, "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@needs_kubectl
@for_every_tenant
def test_images_are_of_this_version(tenant: str) -> None:
    """One image for all, by the version of the project; the Dockerfile labels it so, and has no moving base."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {pod["containers"][0]["image"].rpartition(":")[2] for pod in pods(tenant).values()} == {version}
    text = (DEPLOY / "Dockerfile").read_text()
    assert f"ARG VERSION={version}\n" in text
    assert "latest" not in text
    [base] = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert ":" in base
    [uv] = re.findall(r"^ARG UV_VERSION=(\S+)$", text, re.MULTILINE)
    assert f"UV_VERSION={uv}\n" in (ROOT / "scripts" / "install.sh").read_text()


@needs_kubectl
@pytest.mark.parametrize(("tenant", "component"), list(product(TENANTS, (*SERVICES, "gateway"))))
def test_settings_are_settings(tenant: str, component: str, tmp_path: Path) -> None:
    """Each process takes its environment as it is, and has the files that it names mounted."""
    found = environ(tenant, component)
    [container] = pods(tenant)[component]["containers"]
    mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
    values: dict[str, str] = {}
    for name, value in found.items():
        assert name.startswith(config.PREFIX), name
        if value.startswith("/"):
            assert any(Path(value).is_relative_to(folder) for folder in mounted), (name, value)
        if name.endswith("_FILE"):
            path = tmp_path / name
            path.write_text(token_hex(32))
            values[name] = str(path)
        else:
            values[name] = value
    settings, _ = config.load(environ=values)
    assert settings.mode == "server"
    assert settings.public_url.startswith("https://")
    assert None not in (settings.tls.certificate, settings.tls.key, settings.tls.authority)
    assert bool(settings.database_url.get_secret_value()) == (component in ("auth", "pr", "sync"))
    assert bool(settings.secrets.internal_key.get_secret_value()) == (component in SERVICES)
    assert bool(settings.secrets.master_keys.get_secret_value()) == (component == "auth")


@needs_kubectl
@for_every_tenant
def test_ports_and_probes_are_where_the_processes_listen(tenant: str) -> None:
    """Services are found at their default addresses, probes ask the port that health is told on."""
    for name, pod in pods(tenant).items():
        settings, _ = config.load(environ={k: v for k, v in environ(tenant, name).items() if "_FILE" not in k})
        [container] = pod["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert container["args"] == [name]
        assert ports["metrics"] == settings.metrics_port
        [service] = [each for each in of_kind(tenant, "Service") if each["metadata"]["name"] == name]
        [port] = service["spec"]["ports"]
        if name == "gateway":
            assert ports["http"] == settings.port
            assert {container[probe]["httpGet"]["port"] for probe in container if probe.endswith("Probe")} == {"http"}
            continue
        assert f"{name}:{port['port']}" == getattr(settings.addresses, name) == f"{name}:{ports['grpc']}"
        assert {container[probe]["grpc"]["port"] for probe in container if probe.endswith("Probe")} == {
            settings.health_port
        }


@needs_kubectl
@for_every_tenant
def test_the_address_people_use_is_the_ingress(tenant: str) -> None:
    """Links lead where the ingress listens, and it ends TLS there."""
    [ingress] = of_kind(tenant, "Ingress")
    [rule] = ingress["spec"]["rules"]
    assert environ(tenant, "gateway")["LOCKSTEP_PUBLIC_URL"] == f"https://{rule['host']}"
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]


def allowed(tenant: str, direction: str) -> set[tuple[str, str, int]]:
    """Give who may call whom at which port, by the policies of one direction; ports by number."""
    peers, mine = {"egress": ("to", "Egress"), "ingress": ("from", "Ingress")}[direction]
    found: set[tuple[str, str, int]] = set()
    for policy in of_kind(tenant, "NetworkPolicy"):
        spec = policy["spec"]
        me = component(spec["podSelector"])
        assert mine in spec["policyTypes"] or direction not in spec
        for rule in spec.get(direction, ()):
            for peer, port in product(rule[peers], rule["ports"]):
                other = component(peer.get("podSelector", {}))
                source, target = (me, other) if direction == "egress" else (other, me)
                if me and other:
                    found.add((source, target, number(tenant, target, port["port"])))
    return found


def component(selector: Object) -> str:
    """Give whom a selector means; nothing when it means everybody."""
    labels = selector.get("matchLabels", {})
    return str(labels.get(COMPONENT) or labels.get(NAME, ""))


def number(tenant: str, target: str, port: int | str) -> int:
    """Give a container's port by its number or name."""
    if isinstance(port, int):
        return port
    [container] = pods(tenant)[target]["containers"]
    return int(next(each["containerPort"] for each in container["ports"] if each["name"] == port))


@needs_kubectl
@for_every_tenant
def test_policies_allow_the_arrows_and_nothing_else(tenant: str) -> None:
    """Each arrow is let out and in; all else is closed by a policy for all pods, whatever their labels."""
    assert allowed(tenant, "egress") == ARROWS
    assert allowed(tenant, "ingress") == ARROWS
    everybody = [each["spec"] for each in of_kind(tenant, "NetworkPolicy") if each["spec"]["podSelector"] == {}]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in everybody


@needs_kubectl
@for_every_tenant
def test_only_who_talks_to_forges_gets_out(tenant: str) -> None:
    """Port 443 outside private networks, for auth, git and pr; for all others only names."""
    outside: dict[str, set[int]] = {}
    for policy in of_kind(tenant, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
            for block in blocks:
                assert block["except"], policy["metadata"]["name"]
                outside.setdefault(component(policy["spec"]["podSelector"]), set()).update(
                    port["port"] for port in rule["ports"]
                )
    assert outside == {"auth": {443}, "git": {443}, "pr": {443}}


@needs_kubectl
@for_every_tenant
def test_the_quota_has_room_for_a_rollout(tenant: str) -> None:
    """All replicas and one more of each Deployment fit, so that an update does not get stuck."""
    [quota] = of_kind(tenant, "ResourceQuota")
    hard = quota["spec"]["hard"]
    for key, asked in needs(tenant):
        assert asked <= amount(hard[key]), (key, asked)


def needs(tenant: str) -> Iterator[tuple[str, float]]:
    """Give what a rollout of everything takes, by the quota's keys."""
    running = [
        (each["spec"]["template"]["spec"]["containers"][0], each["spec"]["replicas"] + (each["kind"] == "Deployment"))
        for each in of_kind(tenant, "Deployment", "StatefulSet")
    ]
    yield "pods", sum(count for _, count in running)
    for bound, what in product(("requests", "limits"), ("cpu", "memory")):
        yield f"{bound}.{what}", sum(amount(one["resources"][bound][what]) * count for one, count in running)
    [git] = of_kind(tenant, "StatefulSet")
    [claim] = git["spec"]["volumeClaimTemplates"]
    yield "requests.storage", amount(claim["spec"]["resources"]["requests"]["storage"])


def amount(text: str) -> float:
    """Give a quantity of Kubernetes as a number."""
    value, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    return float(value) * UNITS[unit]


@needs_kubectl
@for_every_tenant
def test_budgets_let_nodes_be_drained(tenant: str) -> None:
    """Every workload has one, and each lets one pod go at a time."""
    budgets = {
        each["spec"]["selector"]["matchLabels"][COMPONENT]: each["spec"]
        for each in of_kind(tenant, "PodDisruptionBudget")
    }
    assert set(budgets) == set(pods(tenant))
    assert {budget["maxUnavailable"] for budget in budgets.values()} == {1}


def test_the_entrypoint_refuses_what_it_does_not_know() -> None:
    """Without a role, or with one that is none, it says which there are and ends with 2."""
    for arguments in ([], ["nonsense"]):
        done = subprocess.run(
            [DEPLOY / "entrypoint.sh", *arguments], capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 2
        assert all(role in done.stderr for role in (*SERVICES, "gateway"))
