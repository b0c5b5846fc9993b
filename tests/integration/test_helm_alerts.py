"""The chart's alerts: Prometheus' own checker takes them, and they fire when they should and not otherwise."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from certwright.ops.metrics import CertificateSample, Metrics
from cluster import chart
from cluster.helm import Helm
from cluster.monitoring import promtool
from cluster.packages import MissingProgramError, Program

pytestmark = pytest.mark.usefixtures("helms")
DAY = 86400
#: Labels that a scrape adds to each pod's series.
POD = 'namespace="certwright",job="certwright-metrics",pod="{}"'
WEB = 'namespace="shop",name="web",issuer_kind="Issuer",issuer_name="acme",pod="one"'
EXPIRY, RENEWAL = (f"certwright_certificate_{what}_timestamp_seconds{{{WEB}}}" for what in ("expiration", "renewal"))
CERTIFICATE = {"namespace": "shop", "name": "web", "issuer_kind": "Issuer", "issuer_name": "acme"}
RUNS = {'certwright_build_info{version="1"}': "1x600", f"certwright_leader{{{POD.format('one')}}}": "1x600"}
CALM = {**RUNS, EXPIRY: f"{60 * DAY}x600", RENEWAL: f"{30 * DAY}x600"}

#: What is measured for ten hours, a value a minute; when is looked; what fires then, with its labels.
CASES: dict[str, tuple[dict[str, str], str, dict[str, dict[str, str]]]] = {
    "all is well": (CALM, "10h", {}),
    "nothing runs": ({}, "11m", {"CertwrightAbsent": {}}),
    "it has only just gone": ({}, "9m", {}),
    "nobody leads": (
        {
            **RUNS,
            f"certwright_leader{{{POD.format('one')}}}": "0x600",
            f"certwright_leader{{{POD.format('two')}}}": "0x600",
        },
        "10m",
        {"CertwrightWithoutLeader": {"namespace": "certwright", "job": "certwright-metrics"}},
    ),
    "one of two leads": (
        {
            **RUNS,
            f"certwright_leader{{{POD.format('one')}}}": "0x600",
            f"certwright_leader{{{POD.format('two')}}}": "1x600",
        },
        "10m",
        {},
    ),
    "a certificate has expired": (
        {**RUNS, EXPIRY: "3600x600", RENEWAL: "1800x600"},
        "2h",
        {"CertwrightCertificateExpired": CERTIFICATE, "CertwrightCertificateExpiresSoon": CERTIFICATE},
    ),
    "a renewal is overdue and the end is near": (
        {**RUNS, EXPIRY: f"{3 * DAY}x600", RENEWAL: "600x600"},
        "2h",
        {"CertwrightCertificateExpiresSoon": CERTIFICATE},
    ),
    "a renewal is overdue and the end is far": ({**RUNS, EXPIRY: f"{9 * DAY}x600", RENEWAL: "600x600"}, "2h", {}),
    "a short-lived certificate is not due yet": (
        {**RUNS, EXPIRY: f"{6 * DAY}x600", RENEWAL: f"{4 * DAY}x600"},
        "2h",
        {},
    ),
    "it was renewed by the pod that took over": (
        {**CALM, EXPIRY.replace("one", "two"): f"{DAY}x600", RENEWAL.replace("one", "two"): "600x600"},
        "2h",
        {},
    ),
    "certificates are not ready": (
        {
            **RUNS,
            f'certwright_certificates{{ready="False",{POD.format("one")}}}': "2x600",
            f'certwright_certificates{{ready="Unknown",{POD.format("one")}}}': "1x600",
            f'certwright_certificates{{ready="True",{POD.format("one")}}}': "9x600",
            f'certwright_certificates{{ready="False",{POD.format("two")}}}': "0x600",
        },
        "2h",
        {"CertwrightCertificatesNotReady": {"namespace": "certwright", "job": "certwright-metrics"}},
    ),
    "all are ready": ({**RUNS, f'certwright_certificates{{ready="True",{POD.format("one")}}}': "9x600"}, "2h", {}),
    "issuances fail again and again": (
        {**RUNS, 'certwright_issuance_failures_total{issuer_type="acme",reason="CAARefused",pod="one"}': "0+1x600"},
        "2h",
        {"CertwrightIssuancesFail": {"issuer_type": "acme", "reason": "CAARefused"}},
    ),
    "one issuance failed": (
        {**RUNS, 'certwright_issuance_failures_total{issuer_type="acme",reason="CAARefused",pod="one"}': "0x60 1x500"},
        "2h",
        {},
    ),
}


@pytest.fixture(scope="module")
def checker() -> Program:
    try:
        return promtool()
    except MissingProgramError as error:
        pytest.skip(f"without promtool: {error}")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules as Prometheus reads them: what the PrometheusRule has under `spec`."""
    folder = tmp_path_factory.mktemp("rules")
    values = {"prometheusRule": {"enabled": True, "expiryDays": 7}, "crds": {"install": False}}
    objects = Helm(4, folder).template("--show-only=templates/prometheusrule.yaml", values=values)
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(objects[0]["spec"]))
    return file


def run(checker: Program, *arguments: str | Path) -> str:
    done = subprocess.run(
        [checker.path, *arguments], env=dict(checker.env), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_are_well_formed(checker: Program, rules: Path) -> None:
    alerts = yaml.safe_load(rules.read_text())["groups"][0]["rules"]
    assert f"SUCCESS: {len(alerts)} rules found" in run(checker, "check", "rules", "--lint-fatal", rules)
    for alert in alerts:
        assert set(alert["annotations"]) == {"summary", "description"}
        assert alert["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.parametrize("case", CASES)
def test_they_fire_when_they_should(checker: Program, rules: Path, tmp_path: Path, case: str) -> None:
    series, when, firing = CASES[case]
    alerts = {alert["alert"]: alert for alert in yaml.safe_load(rules.read_text())["groups"][0]["rules"]}
    # Texts with numbers in them depend on the moment: those without are compared, all are filled in.
    bare = [{**alert, "annotations": {}} for alert in alerts.values()]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "certwright", "rules": bare}]}))
    expected = [
        {
            "eval_time": when,
            "alertname": name,
            "exp_alerts": [{"exp_labels": {**alert["labels"], **firing[name]}}] if name in firing else [],
        }
        for name, alert in alerts.items()
    ]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": expected,
    }
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}))
    run(checker, "test", "rules", file)


def test_their_texts_name_the_certificate(checker: Program, rules: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules.read_text())
    command = "kubectl describe certificates.certwright.dev web --namespace=shop"
    annotations = {
        "summary": "Certificate shop/web has expired",
        "description": f"Its status says why it was not renewed: {command}",
    }
    expired = {
        "eval_time": "2h",
        "alertname": "CertwrightCertificateExpired",
        "exp_alerts": [{"exp_labels": {"severity": "critical", **CERTIFICATE}, "exp_annotations": annotations}],
    }
    test = {"interval": "1m", "input_series": [{"series": EXPIRY, "values": "3600x600"}], "alert_rule_test": [expired]}
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}))
    run(checker, "test", "rules", file)


def test_they_ask_for_metrics_that_there_are() -> None:
    sample = CertificateSample("ns", "name", "Issuer", "issuer", "True", 1.0, 1.0)
    metrics = Metrics(version="1", certificates=lambda: [sample])
    metrics.failed("acme", "CAARefused")
    there = {(item.name, *sorted(item.labels)) for family in metrics.registry.collect() for item in family.samples}
    asked = re.findall(r"certwright_\w+", (chart.CHART / "files" / "alerts.yaml").read_text())
    assert set(asked) <= {name for name, *_ in there}
    labels = {name: set(words) for name, *words in there}
    assert labels["certwright_certificates"] == {"ready"}
    assert labels["certwright_certificate_expiration_timestamp_seconds"] == set(CERTIFICATE)
    assert labels["certwright_issuance_failures_total"] == {"issuer_type", "reason"}
