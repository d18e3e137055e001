"""Probes, metrics and the state of every config over HTTP."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from store_plugin.client import Client
from store_plugin.errors import ConfigInvalid, ConfigNotFound, ScopeNotAllowed
from tests.support import manifests
from tests.support.ports import free_port
from tests.support.raw import SERVICE_NAMES, channel_to
from tests.support.sidecar import SidecarProcess, running_sidecar
from tests.support.waiting import eventually


def test_a_broken_config_shows_and_does_not_make_the_sidecar_unready(sidecar: SidecarProcess) -> None:
    ready = sidecar.http("/readyz")
    assert ready.startswith("ok: serving")
    assert "LocalConfig/broken" in ready
    assert sidecar.http("/healthz") == "ok\n"


def test_configs_lists_each_config_with_its_state_and_problem(sidecar: SidecarProcess) -> None:
    body = json.loads(sidecar.http("/configs"))
    states = {entry["name"]: entry for entry in body["configs"]}
    assert {"files", "restricted", "keyless", "broken"} <= states.keys()
    assert "path" in states["broken"]["last_error"]
    assert any(problem["file"].endswith("broken.yaml") for problem in body["problems"])


def test_metrics_count_calls_by_method_kind_and_code(sidecar: SidecarProcess, client: Client) -> None:
    client.apply("LocalConfig/files", "metrics/db", {"k": b"v"})
    with pytest.raises(ConfigNotFound):
        client.get("LocalConfig/absent", "metrics/db")
    metrics = sidecar.http("/metrics")
    assert 'store_plugin_requests_total{code="OK",kind="LocalConfig",method="ApplySecret"}' in metrics
    assert 'store_plugin_requests_total{code="NOT_FOUND",kind="unknown",method="GetSecret"}' in metrics
    assert 'store_plugin_store_calls_total{code="OK",kind="LocalConfig",verb="write"}' in metrics
    assert 'store_plugin_open_stores{kind="LocalConfig"}' in metrics
    assert "store_plugin_in_flight 0.0" in metrics
    assert "store_plugin_request_seconds_bucket" in metrics
    assert "store_plugin_config_problems 2.0" in metrics


@pytest.mark.parametrize(
    ("name", "code"), [("keyless", "FAILED_PRECONDITION"), ("forbidden-keyless", "PERMISSION_DENIED")]
)
def test_a_call_that_gets_no_lease_counts_under_its_kind(
    name: str, code: str, sidecar: SidecarProcess, client: Client
) -> None:
    with pytest.raises((ConfigInvalid, ScopeNotAllowed)):
        client.get(f"LocalConfig/{name}", "metrics/db")
    counted = f'store_plugin_requests_total{{code="{code}",kind="LocalConfig",method="GetSecret"}}'
    assert counted in sidecar.http("/metrics")


def test_no_metric_is_labelled_with_the_name_of_a_secret(sidecar: SidecarProcess, client: Client) -> None:
    client.apply("LocalConfig/files", "labelled/unusual-name", {"k": b"v"})
    assert "unusual-name" not in sidecar.http("/metrics")


def test_the_health_address_serves_the_bare_probes_only(config_dir: Path) -> None:
    health = f"127.0.0.1:{free_port()}"
    with running_sidecar(config_dir, "--health-listen", health):
        with urllib.request.urlopen(f"http://{health}/readyz", timeout=30) as response:
            assert response.read() == b"ok: serving\n"
        for page in ("/metrics", "/configs"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{health}{page}", timeout=30)


def test_the_metrics_address_serves_the_metrics_only(config_dir: Path) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    with running_sidecar(config_dir, "--metrics-listen", metrics):
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=30) as response:
            assert b"store_plugin_in_flight" in response.read()
        for page in ("/configs", "/readyz"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{metrics}{page}", timeout=30)


@pytest.mark.parametrize("name", ["", *SERVICE_NAMES])
def test_grpc_health_answers_for_each_service(sidecar: SidecarProcess, name: str) -> None:
    with channel_to(sidecar.endpoint) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_shows_both_services_with_their_fields(sidecar: SidecarProcess) -> None:
    with channel_to(sidecar.endpoint) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(SERVICE_NAMES) <= set(database.get_services())
        pool = DescriptorPool(database)
        for name in SERVICE_NAMES:
            methods = [method.name for method in pool.FindServiceByName(name).methods]
            assert methods == ["GetSecret", "ApplySecret", "DeleteKeys"]
        options = pool.FindMessageTypeByName("ess.proto.v1alpha1.ApplyOptions")
        assert options.fields_by_name["dry_run"].number == 100


def test_a_config_that_is_mended_serves_without_a_restart(
    sidecar: SidecarProcess, config_dir: Path, data_dir: Path, client: Client
) -> None:
    manifests.write(config_dir, "LocalConfig", "later", {"path": 7})
    eventually(lambda: "LocalConfig/later" in sidecar.http("/readyz"))
    manifests.local(config_dir, "later", data_dir)
    eventually(lambda: "LocalConfig/later" not in sidecar.http("/readyz"))
    assert client.apply("LocalConfig/later", "team-a/db", {"k": b"v"}).changed
