"""Static checks of the files of `docker/`: the tests need no container engine."""

import asyncio
import runpy
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from api.app import forwarded
from api.keys import LOOPBACK_HOSTS
from schemas.config import Config
from schemas.config_file import load_config

CHECKOUT = Path(__file__).resolve().parents[1]
IMAGE = PurePosixPath("/muvr")


def lines_of(path: str) -> list[str]:
    lines = (CHECKOUT / path).read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "docker" / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def service(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]["service"]


@pytest.fixture(scope="module")
def config(service: dict[str, Any]) -> Config:
    """The settings that the service's container runs with."""
    return load_config(CHECKOUT / "conf.yaml", service["environment"])


def script_of(one: dict[str, Any]) -> str:
    shell, option, script = shlex.split(one["command"])
    assert (shell, option) == ("sh", "-c")
    return script


def test_the_image_excludes_gitignored_files_and_git_history():
    ignored = lines_of(".dockerignore")
    assert [
        line for line in lines_of(".gitignore") if f"**/{line.rstrip('/')}" not in ignored
    ] == []
    assert ".git" in ignored


def test_kernel_sources_are_copied_before_the_image_compiles_them():
    lines = lines_of("docker/Dockerfile")
    before = lines[: lines.index("RUN make .venv/runtime")]
    sources = runpy.run_path(str(CHECKOUT / "locks" / "kernel.py"))["SOURCES"].values()
    folders = {file.parent.relative_to(CHECKOUT).as_posix() for files in sources for file in files}
    assert [folder for folder in sorted(folders) if f"COPY {folder} {folder}" not in before] == []


def test_the_image_includes_all_tracked_files():
    said = ["git", "ls-files"]
    tracked = subprocess.run(said, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    names = [line.removeprefix("**/") for line in lines_of(".dockerignore")]
    left_out = [
        path
        for path in tracked.splitlines()
        if any(fnmatch(part, name) for part in PurePosixPath(path).parts for name in names)
    ]
    assert left_out == []


def test_the_runtime_layer_is_built_before_the_rest_of_the_tree_is_copied():
    lines = lines_of("docker/Dockerfile")
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert all((CHECKOUT / source).exists() for sources in copied for source in sources)
    assert lines.index("RUN make .venv/runtime") < lines.index("COPY . .")
    compiled = {path.parent for path in CHECKOUT.glob("models/*/compiled/*.c")}
    assert {CHECKOUT / sources[0] for sources in copied} >= compiled


def test_only_the_services_port_is_published_on_the_hosts_loopback(
    compose: dict[str, Any], config: Config
):
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}
    port = config.api.port
    assert published == {"service": [f"127.0.0.1:{port}:{port}"]}
    assert not any("network_mode" in service for service in compose["services"].values())


def test_the_service_listens_on_an_address_that_can_be_published(
    service: dict[str, Any], config: Config
):
    assert config.api.host not in LOOPBACK_HOSTS, "a container's loopback cannot be published"
    script = script_of(service)
    assert 0 <= script.index("muvr token rotate") < script.index("api.serve")
    assert "exec python -m api.serve" in script, "without exec it would not receive SIGTERM"


@pytest.mark.parametrize(
    ("proxy", "seen"), [("172.18.0.1", "203.0.113.7"), ("198.51.100.1", "198.51.100.1")]
)
def test_clients_behind_a_proxy_on_the_host_have_their_own_addresses(
    service: dict[str, Any], proxy: str, seen: str, monkeypatch: pytest.MonkeyPatch
):
    trusted = service["environment"]["FORWARDED_ALLOW_IPS"]
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    clients: list[str] = []

    async def application(scope: Any, *_: object) -> None:
        clients.append(scope["client"][0])

    scope = {
        "type": "http",
        "scheme": "http",
        "client": (proxy, 4000),
        "headers": [(b"x-forwarded-for", b"203.0.113.7")],
    }
    asyncio.run(forwarded(application)(scope, None, None))
    assert clients == [seen]


def test_cassandra_is_reachable_only_from_the_service(
    compose: dict[str, Any], service: dict[str, Any], config: Config
):
    assert not config.cassandra.own_node
    [name] = config.cassandra.hosts
    [network] = compose["services"][name]["networks"]
    assert compose["networks"][network]["internal"]
    assert network in service["networks"]
    assert any(
        not (compose["networks"][network] or {}).get("internal") for network in service["networks"]
    )


def test_keys_and_data_are_kept_in_volumes(
    compose: dict[str, Any], service: dict[str, Any], config: Config
):
    mounts = {
        name: dict(reversed(volume.split(":")) for volume in one["volumes"])
        for name, one in compose["services"].items()
    }
    assert mounts["cassandra"] == {"/var/lib/cassandra": "cassandra"}
    kept = [PurePosixPath(place) for place in mounts["service"]]
    paths = config.paths
    for folder in (paths.secrets, paths.mart, paths.reports, paths.run):
        inside = IMAGE / folder.relative_to(CHECKOUT)
        assert any(inside.is_relative_to(place) for place in kept), inside
    assert mounts["service"][str(IMAGE / paths.secrets.relative_to(CHECKOUT))] == "secrets"
    named = {volume for places in mounts.values() for volume in places.values()}
    assert named == set(compose["volumes"])


def test_container_commands_are_valid_shell(compose: dict[str, Any]):
    for service in compose["services"].values():
        subprocess.run(["sh", "-n", "-c", script_of(service)], check=True)


def test_the_first_start_creates_a_key_and_later_starts_reuse_it(
    service: dict[str, Any], tmp_path: Path
):
    """Only the part of the command before `muvr migrate` is run."""
    first = script_of(service).partition("&& muvr migrate")[0]
    made = tmp_path / "made"
    command = tmp_path / "muvr"
    key = "build/secrets/token-k20261121100000-abc.pem"
    command.write_text(f"#!/bin/sh\necho $* >>{made}\nmkdir -p build/secrets\ntouch {key}\n")
    command.chmod(0o755)
    for _ in range(2):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["sh", "-c", first], cwd=tmp_path, env=environment, check=True)
    assert made.read_text().splitlines() == ["token rotate"]
