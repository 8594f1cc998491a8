"""The compose file: as docker-compose reads it, with what it mounts, and with the configuration of its gateways."""

import functools
import os
import shutil

import yaml

from tools import DEPLOY, ROOT, Box, folder, rootfs, run

PROGRAM = None
FILE = DEPLOY / "compose/compose.yaml"
#: Its image has the service and nothing that could ask it.
UNASKED = {"backend"}


@functools.cache
def read():
    """The file as docker-compose has understood it: anchors followed, variables filled in, every key known."""
    return yaml.safe_load(run("docker-compose", "--file", FILE, "config").stdout)


def mounts(service):
    """Source, target and the rest of each volume."""
    return [volume.split(":") for volume in service.get("volumes", [])]


def holds_docker_compose_understands_it():
    services = read()["services"]
    wanted = {"gateway-1", "gateway-2", "postgres", "redis", "backend", "prometheus", "grafana"}
    assert set(services) == wanted, set(services)
    with folder() as spoilt:
        (spoilt / "compose.yaml").write_text(FILE.read_text().replace("cap_drop:", "cap_drops:"))
        run("docker-compose", "--file", spoilt / "compose.yaml", "config", good=False)


def holds_every_service_is_confined_and_asked_how_it_is():
    for name, service in read()["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0].isdigit() and not service["user"].startswith("0"), name
        assert ":latest" not in service["image"] and ":" in service["image"], name
        assert ("healthcheck" in service) != (name in UNASKED), name


def holds_secrets_are_files_and_nothing_else():
    """prepare.sh makes all of them, twice the same, and none of their values is in what docker-compose shows."""
    told = read()
    with folder() as made:
        run(DEPLOY / "compose/prepare.sh", made)
        before = {path.name: path.read_bytes() for path in made.iterdir()}
        run(DEPLOY / "compose/prepare.sh", made)
        assert before == {path.name: path.read_bytes() for path in made.iterdir()}
        assert made.stat().st_mode & 0o777 == 0o700
        for name, secret in told["secrets"].items():
            path = made / os.path.basename(secret["file"])
            assert path.stat().st_size > 40 and path.stat().st_mode & 0o004, name
    used = {secret["source"] for service in told["services"].values() for secret in service.get("secrets", [])}
    assert used == set(told["secrets"]), used
    for name, service in told["services"].items():
        for key in service.get("environment", {}):
            secret = any(word in key for word in ("PASSWORD", "SECRET", "TOKEN"))
            assert not secret or key.endswith("_FILE"), f"{name}: {key}"


def holds_everything_that_is_mounted_is_there():
    told = read()
    for name, service in told["services"].items():
        for source, *_ in mounts(service):
            if source.startswith("/"):
                # Dashboards and rules are folders of this repository, too.
                assert os.path.isdir(source) and source.startswith(str(DEPLOY)), f"{name}: {source}"
            else:
                assert source in told["volumes"], f"{name}: {source}"


def holds_stores_have_no_way_out_and_operators_ports_are_of_this_machine():
    told = read()
    networks = told["networks"]
    for name, service in told["services"].items():
        inside = all(networks[network].get("internal") for network in service["networks"])
        assert inside == (name in {"postgres", "redis", "backend"}), name
    for name, service in yaml.safe_load(FILE.read_text())["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:") != port.endswith(":8443"), f"{name}: {port}"


def holds_the_gateways_configuration_is_good_with_what_they_are_given():
    """In a root like the image's, with the folder and the secrets that the file mounts, by the names that it gives them."""
    told = read()
    gateway = told["services"]["gateway-1"]
    with folder() as base, folder() as made, folder() as secrets:
        run(DEPLOY / "compose/prepare.sh", made)
        for secret in gateway["secrets"]:
            file = os.path.basename(told["secrets"][secret["source"]]["file"])
            shutil.copy(made / file, secrets / secret["source"])
        bound = [(source, target, False) for source, target, *_ in mounts(gateway) if source.startswith("/")]
        bound += [(PROGRAM, "/usr/bin/portcullis", False), (secrets, "/run/secrets", False)]
        box = Box(rootfs(PROGRAM, base), 65532, bound, [("PORTCULLIS_CONFIG", "/etc/portcullis/portcullis.yaml")])
        box.run("/usr/bin/portcullis", "check")
        # What it is asked is something that it answers.
        box.run(*gateway["healthcheck"]["test"][1:], "--help")
        (secrets / "portcullis_jwt").unlink()
        box.run("/usr/bin/portcullis", "check", good=False)


def holds_it_has_time_to_drain():
    told = read()
    drain = yaml.safe_load((DEPLOY / "compose/portcullis/portcullis.yaml").read_text())["drain"]
    seconds = sum(int(value.removesuffix("s")) for value in drain.values())
    for name in ("gateway-1", "gateway-2"):
        assert int(told["services"][name]["stop_grace_period"].removesuffix("s")) > seconds


def holds_prometheus_asks_every_gateway_and_takes_its_configuration():
    run("promtool", "check", "config", ROOT / "deploy/prometheus/prometheus.yml")
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    asked = {target.split(":")[0] for group in job["static_configs"] for target in group["targets"]}
    assert asked == {name for name in read()["services"] if name.startswith("gateway")}


def holds_grafana_is_told_where_its_data_and_dashboards_are():
    told = read()["services"]
    provisioning = DEPLOY / "compose/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert host in told and set(told[host]["networks"]) & set(told["grafana"]["networks"]) and port == "9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/portcullis.yaml").read_text())["providers"]
    assert provider["options"]["path"] in [target for _, target, *_ in mounts(told["grafana"])]
