"""What the files of deploy/ name is there: settings, commands, paths, ports, users. No container engine is needed."""

import ast
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from werkzeug.exceptions import NotFound

from api.cli.root import cli
from shared.queue import QUEUES
from shared.settings import Settings
from tests.acceptance.system import procfile
from tests.api_kit import Api

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
#: read by gunicorn, PostgreSQL's image and systemd, not by us
OTHERS = {"FORWARDED_ALLOW_IPS", "POSTGRES_PASSWORD"}
PATH = "/jobs/01a20430-0000-7000-8000-000000000001"


class Noted(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def settings_read() -> set[str]:
    environ = Noted()
    Settings.from_env(environ)
    return environ.names


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def manifests() -> list[Any]:
    return documents("kubernetes/crawlyard.yaml") + documents("kubernetes/scale.yaml")


def services() -> Mapping[str, Any]:
    found: Mapping[str, Any] = documents("compose.yaml")[0]["services"]
    return found


def pods() -> Iterator[tuple[Any, Any]]:
    """Each pod's specification with its container."""
    for document in manifests():
        if document["kind"] in ("Job", "Deployment"):
            pod = document["spec"]["template"]["spec"]
            yield pod, pod["containers"][0]


def commands() -> list[list[str]]:
    """What the files start of ours."""
    last = re.findall(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text(), re.M)
    composed = [service["command"] for service in services().values() if "command" in service]
    units = [re.findall(r"^ExecStart=(.*)$", p.read_text(), re.M)[0] for p in (DEPLOY / "systemd").glob("*.service")]
    dynos = [line.partition(":")[2] for line in (ROOT / "Procfile").read_text().splitlines()]
    found = [*(json.loads(one) for one in last), *composed, *(c["command"] for _, c in pods())]
    found += [shlex.split(line) for line in units + dynos]
    return [command for command in found if Path(command[0]).name == "crawlyard"]


# -- the environment ----------------------------------------------------------


def test_the_documented_settings_are_those_that_are_read() -> None:
    documented = set(re.findall(r"^#?([A-Z_0-9]+)=", (DEPLOY / "env.example").read_text(), re.M))
    assert documented == settings_read()


def test_each_variable_that_is_given_is_read() -> None:
    given = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.M))
    for service in services().values():
        if service.get("image") == "crawlyard":
            given |= set(service["environment"])
    for document in manifests():
        if document["metadata"]["name"] == "crawlyard":
            given |= set(document.get("data", {})) | set(document.get("stringData", {}))
    block = re.findall(r"^ENV ((?:.*\\\n)*.*)$", (DEPLOY / "Dockerfile").read_text(), re.M)[0]
    given |= set(re.findall(r"(\w+)=", block)) - {"PATH", "PYTHONUNBUFFERED"}
    given |= set(json.loads((DEPLOY / "app.json").read_text())["env"])
    assert len(given) >= 12
    assert given - OTHERS <= settings_read()


@pytest.mark.parametrize("name", ["compose.env.example", "kubernetes", "app.json"])
def test_what_is_given_is_accepted(name: str) -> None:
    if name == "kubernetes":
        found = [d for d in manifests() if d["metadata"]["name"] == "crawlyard"]
        env = {n: v for d in found for n, v in (d.get("data") or d.get("stringData") or {}).items()}
    elif name == "app.json":
        env = {n: e.get("value", "f" * 64) for n, e in json.loads((DEPLOY / name).read_text())["env"].items()}
    else:
        env = dict(re.findall(r"^([A-Z_]+)=(.*)$", (DEPLOY / name).read_text(), re.M))
    assert Settings.from_env(env)


def test_the_metrics_token_of_prometheus_is_the_one_that_is_set() -> None:
    token = (DEPLOY / "prometheus" / "token.example").read_text().strip()
    assert f"CRAWLYARD_METRICS_TOKEN={token}" in (DEPLOY / "compose.env.example").read_text().splitlines()


# -- commands, users, time ----------------------------------------------------


def test_each_command_is_one_of_ours() -> None:
    found = commands()
    assert {command[1] for command in found} == {command[3] for command in procfile().values()}
    for command in found:
        assert CliRunner().invoke(cli, [*command[1:], "--help"]).exit_code == 0, command


def test_everything_runs_as_the_user_of_the_image() -> None:
    (user,) = re.findall(r"^USER (\d+)$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert f"--uid {user} " in (DEPLOY / "Dockerfile").read_text()
    assert {pod["securityContext"]["runAsUser"] for pod, _ in pods()} == {int(user)}


def test_nothing_is_killed_before_its_grace_is_over() -> None:
    grace = Settings.from_env({}).grace
    for pod, container in pods():
        if container["command"][1] in ("api", "worker"):
            assert pod["terminationGracePeriodSeconds"] >= grace + 15
    for service in services().values():
        assert service.get("image") != "crawlyard" or int(service["stop_grace_period"].rstrip("s")) >= grace + 15


def test_a_read_only_container_has_a_place_for_temporary_files() -> None:
    for pod, container in pods():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
        assert mounts == ["/tmp"], pod
    assert all("/tmp" in s["tmpfs"] for s in services().values() if s.get("image") == "crawlyard")


# -- paths and ports ----------------------------------------------------------


def is_there(api: Api, path: str) -> bool:
    try:
        api.app.url_map.bind("localhost").match(path)
    except NotFound:
        return False
    return True


def test_what_is_probed_is_there_and_needs_no_key(sqlite_url: str) -> None:
    api, port = Api(sqlite_url), Settings.from_env({}).port
    probes = [c[name]["httpGet"] for _, c in pods() for name in ("livenessProbe", "readinessProbe") if name in c]
    script = services()["api"]["healthcheck"]["test"][-1]
    ast.parse(script)
    (checked,) = re.findall(rf"http://127\.0\.0\.1:{port}(/\w+)", script)
    for path in {probe["path"] for probe in probes} | {checked}:
        assert api.client.get(path).status_code == 200, path


def test_ports_are_the_apis() -> None:
    port = Settings.from_env({}).port
    (api,) = [c for _, c in pods() if c["name"] == "api"]
    assert [p["containerPort"] for p in api["ports"]] == [port]
    assert f"EXPOSE {port}\n" in (DEPLOY / "Dockerfile").read_text()
    assert services()["api"]["ports"][0].endswith(f":{port}")
    assert f"server 127.0.0.1:{port};" in (DEPLOY / "nginx" / "crawlyard.conf").read_text()
    (scrape,) = documents("prometheus/prometheus.yml")[0]["scrape_configs"]
    assert scrape["static_configs"][0]["targets"] == [f"api:{port}"]
    assert scrape["static_configs"][0]["targets"][0].partition(":")[0] in services()


def test_nginx_streams_what_the_api_and_the_dashboard_stream(sqlite_url: str) -> None:
    (pattern,) = re.findall(r"location ~ (\S+) \{", (DEPLOY / "nginx" / "crawlyard.conf").read_text())
    streams = re.compile(pattern).search
    for path in (f"/v1{PATH}/events", f"/v1{PATH}/export", f"{PATH}/events", f"{PATH}/export"):
        assert streams(path), path
        assert is_there(Api(sqlite_url), path), path
    assert not any(map(streams, (PATH, f"{PATH}/broken", "/v1/jobs", "/metrics", "/", "/static/dashboard.css")))


def test_nginx_says_the_same_of_the_client_everywhere() -> None:
    text = (DEPLOY / "nginx" / "crawlyard.conf").read_text()
    blocks = [block for block in re.findall(r"location [^{]*\{([^}]*)\}", text) if "proxy_pass" in block]
    headers = [set(re.findall(r"proxy_set_header (\S+)", block)) for block in blocks]
    assert len(headers) == 2
    assert headers[0] == headers[1]


def test_keda_counts_our_queues_and_a_workers_threads() -> None:
    (scaled,) = [d for d in manifests() if d["kind"] == "ScaledObject"]
    lists = {t["metadata"]["listName"]: t["metadata"]["listLength"] for t in scaled["spec"]["triggers"]}
    assert {name.removeprefix("rq:queue:") for name in lists} <= set(QUEUES)
    (config,) = [d["data"] for d in manifests() if d["kind"] == "ConfigMap"]
    assert lists["rq:queue:crawl"] == config["WORKER_THREADS"]


def test_the_dashboard_of_grafana_asks_the_source_that_is_provisioned() -> None:
    (source,) = documents("grafana/datasources.yml")[0]["datasources"]
    board = json.loads((DEPLOY / "grafana" / "crawlyard.json").read_text())
    asked = {panel["datasource"]["uid"] for panel in board["panels"] if "datasource" in panel}
    assert asked <= {source["uid"], "${datasource}"}
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services()
