"""The chart's values: each is in the schema and in the README, and a mistake is refused with a message."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from helm_values import MONITORED, NO_CRDS, REFUSED, SETS

from certwright.cli.run import LogFormat, LogLevel, run
from certwright.resources.names import DEFAULT_GROUP
from cluster import chart
from cluster.environment import REPOSITORY
from cluster.helm import Helm, HelmError


def test_the_sets_of_values_touch_every_value() -> None:
    touched = {path for values in SETS.values() for path in _leaves(values)}
    left = {value.path for value in chart.values()} - touched
    # The ones whose defaults are the only thing to be said of them.
    assert left == {
        "image.tag",
        "serviceMonitor.interval",
        "serviceMonitor.labels",
        "prometheusRule.labels",
        "prometheusRule.expiryDays",
    }


def _leaves(values: dict[str, Any], *above: str) -> Iterator[str]:
    known = {value.path for value in chart.values()}
    for key, value in values.items():
        path = ".".join((*above, key))
        if path in known:
            yield path
        else:
            yield from _leaves(value, *above, key)


def test_every_value_is_in_the_schema_and_no_other() -> None:
    schema = json.loads(chart.SCHEMA.read_text())
    known = list(_schema_leaves(schema))
    assert set(known) - {"global"} == {value.path for value in chart.values()}  # `global` is Helm's own


def _schema_leaves(schema: dict[str, Any], *above: str) -> Iterator[str]:
    path = ".".join(above)
    parts = schema.get("properties")
    if not parts or path in {*chart.WHOLE, "affinity", "dnsConfig"}:
        yield path
        return
    assert schema["additionalProperties"] is False, path
    for name, part in parts.items():
        yield from _schema_leaves(part, *above, name)


def test_every_value_is_explained_in_one_line() -> None:
    for value in chart.values():
        assert value.comment.endswith("."), value
        assert len(value.comment) < 120, value


def test_the_table_of_the_readme_is_made_from_the_values() -> None:
    assert chart.shown_table() == chart.table(), "write it anew: PYTHONPATH=tests .venv/bin/python -m cluster.chart"


@pytest.mark.parametrize("page", [chart.README, REPOSITORY / "docs" / "install.md"], ids=lambda page: page.name)
def test_the_values_of_the_pages_are_taken(helm: Helm, page: Path) -> None:
    blocks = re.findall(
        r"^<!-- values: helm/certwright -->\n```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert blocks
    for block in blocks:
        assert helm.template(values={**yaml.safe_load(block), **NO_CRDS})


def test_the_alerts_of_the_page_are_the_charts() -> None:
    page = (REPOSITORY / "docs" / "install.md").read_text()
    alerts = yaml.safe_load((chart.CHART / "files" / "alerts.yaml").read_text())
    assert re.findall(r"^\| `(Certwright\w+)` \|", page, re.MULTILINE) == [alert["alert"] for alert in alerts]


def test_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", chart.README.read_text()):
        assert (chart.CHART / target).exists(), target


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_refused_with_a_message(helm: Helm, name: str) -> None:
    values, message = REFUSED[name]
    with pytest.raises(HelmError, match=re.escape(message)):
        helm.template(values=values)


def test_a_value_taken_away_is_optional_or_missed(helm: Helm) -> None:
    """By null a user takes a default away; what the templates need is named, and nothing breaks off in one of them."""
    paths = {value.path for value in chart.values()}
    sections = {path.rpartition(".")[0] for path in paths if "." in path} | {"http01", "metrics"}
    optional = set()
    for path in sorted(paths | sections):
        try:
            made = helm.template(f"--set={path}=null", values={**MONITORED, **NO_CRDS})
        except HelmError as error:
            complaint = str(error)
        else:
            assert made
            optional.add(path)
            continue
        assert f"missing property '{path.rpartition('.')[2]}'" in complaint
    assert {"image.tag", "commonLabels", "podLabels", "strategy", "resources", "extraEnv"} <= optional
    assert not optional & {"image", "replicaCount", "apiGroup", "rbac.create"}


def test_choices_of_the_schema_are_the_programs_own() -> None:
    schema = json.loads(chart.SCHEMA.read_text())["properties"]
    workers = get_type_hints(run, include_extras=True)["workers"].__metadata__[0]
    assert schema["logLevel"]["enum"] == [level.value for level in LogLevel]
    assert sorted(schema["logFormat"]["enum"]) == sorted(form.value for form in LogFormat)
    assert (schema["workers"]["minimum"], schema["workers"]["maximum"]) == (workers.min, workers.max)
    defaults = {value.path: value.default for value in chart.values()}
    assert defaults["workers"] == inspect.signature(run).parameters["workers"].default
    assert defaults["apiGroup"] == DEFAULT_GROUP
