"""The files of deploy/, each read by the linter or parser of whoever will read it. No container engine is needed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared import measures
from tests.acceptance.system import procfile
from tests.api_kit import Api, RecordingQueue

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
NGINX = """
error_log stderr;
pid {0}/pid;
events {{}}
http {{ access_log off; client_body_temp_path {0}; include {1}; }}
"""


def passes(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    passes(TOOLS / "hadolint", "--failure-threshold", "style", DEPLOY / "Dockerfile")


def test_the_image_is_made_in_stages_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def test_the_image_is_given_all_that_the_wheel_holds() -> None:
    given = (DEPLOY / "Dockerfile.dockerignore").read_text()
    copied = (DEPLOY / "Dockerfile").read_text()
    for package in ("api", "workers", "scheduler", "shared"):
        assert f"!{package}\n" in given
        assert f"COPY {package} {package}\n" in copied


def test_compose_is_what_its_specification_says() -> None:
    passes(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_compose_mounts_only_files_that_are_there() -> None:
    (compose,) = documents("compose.yaml")
    mounts = [volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())]
    for mount in [mount for mount in mounts if mount.startswith("./")]:
        assert (DEPLOY / mount).exists() or (DEPLOY / f"{mount}.example").exists(), mount


def test_compose_starts_what_the_procfile_starts() -> None:
    (compose,) = documents("compose.yaml")
    ours = [tuple(s["command"]) for s in compose["services"].values() if s.get("command", [""])[0] == "crawlyard"]
    assert sorted(ours) == sorted(("crawlyard", *command[3:]) for command in procfile().values())


def test_kubernetes_takes_the_manifests(tmp_path: Path) -> None:
    known = documents("kubernetes/crawlyard.yaml") + documents("kubernetes/scale.yaml")
    for number, document in enumerate(d for d in known if "keda" not in d["apiVersion"]):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(document))
        passes(TOOLS / "kubernetes-validate", "--strict", path)


def test_keda_looks_at_our_queues_and_scales_our_workers() -> None:
    (scaled,) = [d for d in documents("kubernetes/scale.yaml") if d["kind"] == "ScaledObject"]
    names = {d["metadata"]["name"] for d in documents("kubernetes/crawlyard.yaml") if d["kind"] == "Deployment"}
    assert scaled["spec"]["scaleTargetRef"]["name"] in names
    assert {t["metadata"]["listName"] for t in scaled["spec"]["triggers"]} == {"rq:queue:crawl", "rq:queue:discover"}


@pytest.mark.parametrize("name", [p.name for p in sorted((DEPLOY / "systemd").glob("*.service"))])
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.fail("systemd-analyze is not installed")
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = (
            unit.read_text().replace("/opt/crawlyard/bin/crawlyard", "/bin/true").replace("User=crawlyard", "User=root")
        )
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, timeout=60
    )
    ours = [line for line in done.stderr.splitlines() if "crawlyard" in line]
    assert (done.returncode, ours) == (0, [])


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    for name in ("fullchain", "privkey"):
        (tmp_path / f"{name}.pem").touch()
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout privkey.pem -out fullchain.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True, timeout=60)
    text = (DEPLOY / "nginx" / "crawlyard.conf").read_text().replace("/etc/ssl/crawlyard", str(tmp_path))
    (tmp_path / "site.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path, tmp_path / "site.conf"))
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert nginx, "nginx is not installed"
    passes(nginx, "-t", "-q", "-p", tmp_path, "-e", "stderr", "-c", tmp_path / "nginx.conf")


def test_app_json_has_the_procfiles_processes() -> None:
    app = json.loads((DEPLOY / "app.json").read_text())
    assert set(app["formation"]) == set(procfile()) - {"release"}


def expressions() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "crawlyard.json").read_text())
    rules = documents("prometheus/rules.yml")[0]["groups"]
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return found + [rule["expr"] for group in rules for rule in group["rules"]]


def metric_names(sqlite_url: str) -> set[str]:
    redis = fakeredis.FakeRedis()
    process = measures.Measures()
    for measure in measures.ALL:
        labels = ["x"] * len(measure.labels)
        if measure.is_histogram:
            process.observe(measure, 1.0, labels)
        else:
            process.count(measure, labels)
    process.flush(redis)
    text = Api(sqlite_url, RecordingQueue(redis)).call("GET", "/metrics").text
    families = list(text_string_to_metric_families(text))
    return {family.name for family in families} | {s.name for family in families for s in family.samples}


@pytest.mark.parametrize("expression", expressions())
def test_each_query_is_promql(expression: str) -> None:
    from promql_parser import parse

    assert parse(expression)


def test_each_query_asks_for_a_metric_that_there_is(sqlite_url: str) -> None:
    asked = {name for text in expressions() for name in re.findall(r"\bcrawlyard_\w+", text)}
    assert asked <= metric_names(sqlite_url)


def test_each_variable_in_deploy_is_a_setting() -> None:
    documented = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.M))
    given = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.M)) - {"POSTGRES_PASSWORD"}
    for document in documents("kubernetes/crawlyard.yaml"):
        given |= set(document.get("data", {})) | set(document.get("stringData", {}))
    given |= set(json.loads((DEPLOY / "app.json").read_text())["env"])
    assert given - {"FORWARDED_ALLOW_IPS"} <= documented
