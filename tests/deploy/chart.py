"""The Helm chart: rendered by Helm's own engine, judged by the schemas of Kubernetes and of the Prometheus operator, and its
configuration by the gateway."""

import re
import shutil

import helm_python as helm
import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator

from tools import DEPLOY, ROOT, Box, certificate, folder, rootfs

PROGRAM = None
CHART = DEPLOY / "helm/portcullis"
#: The oldest that Chart.yaml admits and the schemas know, and the newest.
KUBERNETES = ["1.27", "1.37"]
OF_THE_OPERATOR = {"ServiceMonitor": operator.ServiceMonitor, "PrometheusRule": operator.PrometheusRule}
PEER = {"ipBlock": {"cidr": "10.0.0.0/8"}}
def documented():
    """The values that docs/deploying.md begins with."""
    page = (ROOT / "docs/deploying.md").read_text()
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if text.startswith("image:")]
    return yaml.safe_load(block)


#: What is rendered for the schemas: as delivered, with everything switched on, and one gateway with a file as its store.
SETS = {
    "default": {},
    "everything": {
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "autoscaling": {"targetRequestsPerSecond": 2000, "targetConnections": 5000},
        "networkPolicy": {"clients": [PEER], "egress": [{"to": [PEER]}]},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tlsConfig": {"serverName": "edge.example.com"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "service": {"annotations": {"a.example/b": "c"}, "loadBalancerSourceRanges": ["10.0.0.0/8"],
                    "morePorts": [{"name": "http", "port": 80, "targetPort": "api-1"}]},
        "serviceAccount": {"annotations": {"a.example/b": "c"}},
        "podAnnotations": {"a": "b"}, "podLabels": {"team": "edge"}, "priorityClassName": "high", "nodeSelector": {"pool": "edge"},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["edge"]}]}]}}},
        "extraEnv": [{"name": "ISSUER", "valueFrom": {"secretKeyRef": {"name": "more", "key": "issuer"}}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        "config": {"drain": {"delay": "1m", "timeout": "5m"}, "listeners": [
            {"address": "0.0.0.0:8443", "tls": {"certificates": [{"cert": "/run/tls/tls.crt", "key": "/run/tls/tls.key"}]}},
            {"address": "0.0.0.0:8080"}]},
    },
    "one": {
        "replicaCount": 1, "autoscaling": {"enabled": False}, "persistence": {"enabled": True, "storageClass": "fast"},
        "tls": {"existingSecret": ""}, "service": {"type": "ClusterIP", "port": 80}, "networkPolicy": {"enabled": False},
        "config": {"listeners": [{"address": "0.0.0.0:8080"}], "limits": None,
                   "store": {"url": "sqlite:///var/lib/portcullis/portcullis.db", "password": None, "usage": None}},
    },
    "documented": documented(),
    "given": {"existingConfigMap": "mine", "podDisruptionBudget": {"enabled": False}, "serviceAccount": {"create": False}},
}


def rendered(values, chart=CHART):
    """Every object of the chart, by kind and name."""
    with helm.Chart.load(str(chart)) as loaded:
        loaded.validate_schema(values)
        files = loaded.render(values, name="edge", namespace="gateways", is_install=True)
    found = {}
    for path, text in files.items():
        if path.endswith(".txt"):
            continue
        for document in yaml.safe_load_all(text):
            if document:
                key = (document["kind"], document["metadata"]["name"])
                assert key not in found, key
                found[key] = document
    return found


def only(objects, kind):
    (one,) = [document for (its, _), document in objects.items() if its == kind]
    return one


def pod(objects):
    return only(objects, "Deployment")["spec"]["template"]["spec"]


def refused(values, word):
    try:
        rendered(values)
    except helm.HelmError as error:
        assert word in str(error), error
    else:
        raise AssertionError(f"taken, though {word!r} is wrong: {values}")


def holds_helm_finds_nothing_to_say_against_it():
    for name, values in SETS.items():
        report = helm.lint(str(CHART), values, strict=True)
        bad = [message for message in report["messages"] if message["severity"] > 1]
        assert not report["errors"] and not bad, (name, report)


def holds_kubernetes_takes_every_object():
    for name, values in SETS.items():
        for key, document in rendered(values).items():
            model = OF_THE_OPERATOR.get(key[0])
            if model:
                model.model_validate(document)
                continue
            for version in KUBERNETES:
                kubernetes_validate.validate(document, version, strict=True)


def holds_the_schemas_refuse_what_is_wrong():
    document = only(rendered({}), "Deployment")
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 5
    try:
        kubernetes_validate.validate(document, KUBERNETES[-1], strict=True)
    except kubernetes_validate.ValidationError:
        pass
    else:
        raise AssertionError("a key that there is not is taken")
    monitor = only(rendered(SETS["everything"]), "ServiceMonitor")
    monitor["spec"]["endpoints"] = "admin"
    try:
        operator.ServiceMonitor.model_validate(monitor)
    except ValueError:
        pass
    else:
        raise AssertionError("endpoints that are none are taken")


def holds_values_that_cannot_be_meant_are_refused():
    refused({"replicas": 3}, "replicas")
    refused({"secrets": {"existingSecret": ""}}, "existingSecret")
    refused({"config": {"jwt": {"secret": "in plain sight, for everybody to read"}}}, "secret")
    refused({"config": {"store": {"url": "postgres://portcullis:secret@db/portcullis"}}}, "url")
    refused({"config": {"admin": {"address": "127.0.0.1:9090"}}}, "address")
    refused({"config": {"drain": {"delay": "1500ms"}}}, "delay")
    refused({"persistence": {"enabled": True}}, "one gateway")
    refused({"resources": {"requests": {"cpu": None}}}, "resources.requests.cpu")


def holds_pods_keep_to_the_restricted_profile():
    """The rules of Kubernetes' pod security standard, restricted."""
    volumes = {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI", "csi", "ephemeral"}
    for values in SETS.values():
        objects = rendered(values)
        for spec in (pod(objects), only(objects, "Pod")["spec"]):
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
            security = spec["securityContext"]
            assert security["runAsNonRoot"] and security["runAsUser"] > 0
            assert security["seccompProfile"]["type"] == "RuntimeDefault"
            assert spec["automountServiceAccountToken"] is False
            assert all(set(volume) - {"name"} <= volumes for volume in spec.get("volumes", []))
            for container in spec["containers"]:
                its = container["securityContext"]
                assert its["allowPrivilegeEscalation"] is False and its["readOnlyRootFilesystem"]
                assert its["capabilities"] == {"drop": ["ALL"]}
                assert not any("hostPort" in port for port in container.get("ports", []))


def holds_a_pod_is_given_the_time_that_it_drains():
    assert pod(rendered({}))["terminationGracePeriodSeconds"] == 10 + 30 + 15
    assert pod(rendered(SETS["everything"]))["terminationGracePeriodSeconds"] == 60 + 300 + 15


def holds_only_what_a_reload_cannot_change_makes_new_pods():
    def mark(values):
        return only(rendered(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/new-process"]
    assert mark({}) == mark({"config": {"limits": {"nodes": 5}, "drain": {"timeout": "30s"}}})
    assert mark({}) != mark({"config": {"workers": 4}})
    assert mark({}) != mark({"config": {"store": {"url": "postgres://portcullis@elsewhere/portcullis"}}})
    # A file that is mounted by itself is never changed under the gateway.
    container = pod(rendered({}))["containers"][0]
    assert not any("subPath" in mount for mount in container["volumeMounts"])


def holds_no_secret_is_in_any_object():
    for values in SETS.values():
        assert not [key for key in rendered(values) if key[0] == "Secret"]


def holds_services_probes_and_policies_name_ports_that_there_are():
    for name, values in SETS.items():
        objects = rendered(values)
        deployment = only(objects, "Deployment")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        (container,) = pod(objects)["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for (kind, _), document in objects.items():
            if kind == "Service":
                assert all(port["targetPort"] in ports for port in document["spec"]["ports"])
                assert document["spec"]["selector"].items() <= labels.items()
            if kind == "NetworkPolicy":
                opened = {port["port"] for rule in document["spec"]["ingress"] for port in rule["ports"]}
                assert opened == set(ports.values()), (name, opened)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        if ("ServiceMonitor", "edge-portcullis") in objects:
            selected = only(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
            (service,) = [one for (kind, _), one in objects.items()
                          if kind == "Service" and selected <= one["metadata"]["labels"].items()]
            assert service["metadata"]["name"].endswith("-admin")


def holds_further_listeners_are_reached_where_that_is_wanted():
    service = rendered(SETS["everything"])["Service", "edge-portcullis"]
    assert [port["port"] for port in service["spec"]["ports"]] == [443, 80]
    (only_one,) = rendered({})["Service", "edge-portcullis"]["spec"]["ports"]
    assert only_one["targetPort"] == "api"


def holds_load_is_measured_against_what_the_workers_can_use():
    objects = rendered({})
    config = yaml.safe_load(only(objects, "ConfigMap")["data"]["portcullis.yaml"])
    scaler = only(objects, "HorizontalPodAutoscaler")["spec"]
    (container,) = pod(objects)["containers"]
    assert container["resources"]["requests"]["cpu"] == str(config["workers"])
    assert scaler["minReplicas"] == config["limits"]["nodes"] and "replicas" not in only(objects, "Deployment")["spec"]
    assert scaler["metrics"][0]["containerResource"]["container"] == container["name"]
    # Turned away before it is killed.
    assert container["resources"]["limits"]["memory"] == "1Gi" and config["limits"]["memory"] == "800MiB"


def holds_the_gateway_takes_the_configuration():
    """With each secret where the chart mounts it."""
    for name in ("default", "everything", "documented", "one"):
        objects = rendered(SETS[name])
        (container,) = pod(objects)["containers"]
        at = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        with folder() as base, folder() as etc, folder() as secrets, folder() as tls:
            (etc / "portcullis.yaml").write_text(only(objects, "ConfigMap")["data"]["portcullis.yaml"])
            for key in ("jwt", "database-password"):
                (secrets / key).write_text("0123456789abcdef" * 4)
            certificate(tls, "tls.crt", "tls.key")
            root = rootfs(PROGRAM, base)
            given = {"config": etc, "secrets": secrets, "tls": tls}
            bound = [(PROGRAM, "/usr/bin/portcullis", False)]
            for volume in set(given) & set(at):
                (root / at[volume].lstrip("/")).mkdir(parents=True, exist_ok=True)
                bound.append((given[volume], at[volume], False))
            box = Box(root, 65532, bound, [("ISSUER", "x")])
            box.run("/usr/bin/portcullis", "check", *container["args"][1:])


def holds_the_rules_of_the_chart_are_those_beside_it():
    with folder() as scratch:
        chart = scratch / "portcullis"
        shutil.copytree(CHART, chart)
        rules = {"groups": [{"name": "x", "rules": [{"alert": "Down", "expr": "up == 0", "annotations": {"summary": "{{ $labels.job }}"}}]}]}
        (chart / "rules/one.yml").write_text(yaml.safe_dump(rules))
        shown = only(rendered({"prometheusRule": {"enabled": True}}, chart), "PrometheusRule")
        assert rules["groups"][0] in shown["spec"]["groups"]
        operator.PrometheusRule.model_validate(shown)
    shown = only(rendered({"prometheusRule": {"enabled": True}}), "PrometheusRule")
    delivered = [yaml.safe_load(path.read_text())["groups"] for path in sorted((DEPLOY / "prometheus/rules").glob("*.yml"))]
    assert shown["spec"]["groups"] == sum(delivered, [])


def holds_the_scrape_job_has_the_name_that_the_rules_look_for():
    (endpoint,) = only(rendered(SETS["everything"]), "ServiceMonitor")["spec"]["endpoints"]
    (job,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    named = [one["replacement"] for one in endpoint["relabelings"] if one.get("targetLabel") == "job"]
    assert named == [job["job_name"]] == ["portcullis"]
    # What the operator puts to every target, and a metric has as well, is the metric's: rules and dashboards ask for that.
    dropped = {one["regex"] for one in endpoint["relabelings"] if one["action"] == "labeldrop"}
    documented = set(re.findall(r"`(\w+)`", "".join(
        line.split("|")[3] for line in (ROOT / "docs/metrics.md").read_text().splitlines() if line.startswith("| `"))))
    assert dropped == {"namespace", "service", "pod", "container", "endpoint"} & documented == {"endpoint"}, dropped
    looked_for = set()
    for path in (DEPLOY / "prometheus/rules").glob("*.yml"):
        looked_for |= set(re.findall(r'job="([^"]*)"', path.read_text()))
    assert looked_for <= set(named), looked_for
