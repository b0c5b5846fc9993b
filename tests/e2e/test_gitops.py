"""What GitOps tools make of our objects, in every state that the operator leaves them in, and of the examples."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_input_support import OTHER_TSIG, authority_pair, secret, watched
from waits import get, renew, solver, until, wait_condition, wait_issuer, wait_order, wait_ready

from cluster import gitops
from cluster.demo_manifests import overlay
from cluster.environment import REPOSITORY, Environment
from cluster.gitops import CERT_MANAGERS_HEALTH, DEFINITIONS, Verdict
from cluster.helm import Helm
from cluster.manifests import GROUP, Manifest, acme_issuer, apply, certificate, issuer, rfc2136, tsig_secret
from cluster.operator import Operator
from cluster.pebble import Pebble, PebbleOptions
from cluster.state import facts

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("judges")]

EXAMPLES = REPOSITORY / "examples" / "gitops"
HEALTH = f"resource.customizations.health.{GROUP}_"
BLOCKED = "blocked.example.test"
UNSEEN = "The operator has not looked at it yet"


def load(name: str) -> list[Manifest]:
    """The objects of an example."""
    return [body for body in yaml.safe_load_all((EXAMPLES / name).read_text()) if body]


@dataclass(frozen=True, slots=True)
class Judges:
    """The three ways to tell an object's health, with the settings of the examples.

    Attributes:
        folder: Where the settings are as files.
    """

    folder: Path

    def all(self, body: Manifest) -> dict[str, Verdict]:
        """What each says of an object, by its name."""
        return {
            "kstatus": gitops.kstatus(body),
            "flux": gitops.flux(body, self.folder / "kustomization.json"),
            "argocd": gitops.argocd(body, self.folder / f"{HEALTH}{body['kind']}"),
        }


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Judges:
    folder = tmp_path_factory.mktemp("gitops")
    (settings,) = load("argocd/argocd-cm.yaml")
    for name, script in settings["data"].items():
        (folder / name).write_text(script)
    checks = [check for body in load("flux/kustomizations.yaml") for check in body["spec"].get("healthCheckExprs", [])]
    (folder / "kustomization.json").write_text(json.dumps({"spec": {"healthCheckExprs": checks}}))
    return Judges(folder)


class Scene:
    """Brings objects into states by a real operator, and keeps them as they are then.

    Args:
        env: Where.
        namespace: Of everything.
        pebble: A CA that refuses one name.
    """

    def __init__(self, env: Environment, namespace: str, pebble: Pebble) -> None:
        self.env, self.namespace, self.pebble = env, namespace, pebble
        self.seen: dict[str, Manifest] = {}

    def keep(self, what: str, resource: str, name: str) -> None:
        """Keep an object as it is now."""
        body = get(self.env, resource, self.namespace, name)
        assert body, name
        self.seen[what] = body

    def waits_for(
        self, name: str, kind: str, reason: str, status: str = "False", resource: str = "certificates"
    ) -> None:
        """Wait for a condition."""
        wait_condition(self.env, self.namespace, name, kind, status, resource=resource, reason=reason)

    def certificate(self, name: str, *names: str, **spec: Any) -> Manifest:
        """A Certificate, from the issuer `self` unless told otherwise."""
        return certificate(self.namespace, name, *(names or (f"{name}.example.test",)), **{"issuer": "self", **spec})


@pytest.fixture(scope="module")
def seen(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Manifest]]:
    """Objects in their states, by what happened to them."""
    if len(env.bind.name_servers) < 2:
        pytest.skip("an order cannot be held up: name servers at addresses of their own need port 53")
    namespace = f"gitops-{secrets.token_hex(3)}"
    env.kubectl("create", "namespace", namespace)
    operator = Operator(env, tmp_path_factory.mktemp("operator"), options=(f"--namespaces={namespace}",))
    options = PebbleOptions(dns_server=env.bind.resolver, blocked=(BLOCKED,))
    pebble = Pebble(tmp_path_factory.mktemp("pebble"), options)
    scene = Scene(env, namespace, pebble)
    try:
        pebble.start()
        _before_the_operator(scene)
        operator.start()
        _at_rest(scene)
        _under_way(scene)
        _mistakes(scene)
        operator.stop()
        _changed_behind_its_back(scene)
        yield scene.seen
    finally:
        operator.stop()
        pebble.stop()
        env.kubectl("delete", "namespace", namespace, "--wait=false", check=False)


def _before_the_operator(scene: Scene) -> None:
    apply(
        scene.env,
        issuer(scene.namespace, "self", selfSigned={}),
        scene.certificate("web"),
        tsig_secret(scene.env, scene.namespace),
        acme_issuer(scene.env, scene.namespace, solvers=[solver(scene.env)]),
    )
    scene.keep("a Certificate that nobody has looked at", "certificates", "web")
    scene.keep("an Issuer that nobody has looked at", "issuers", "self")


def _at_rest(scene: Scene) -> None:
    wait_ready(scene.env, scene.namespace, "web")
    scene.keep("a Certificate that is ready", "certificates", "web")
    scene.keep("an Issuer that is ready", "issuers", "self")
    wait_issuer(scene.env, scene.namespace)


def _under_way(scene: Scene) -> None:
    """One name server is down, so that no order gets further than its record."""
    env, namespace = scene.env, scene.namespace
    apply(env, scene.certificate("renewed", issuer="acme"))
    wait_ready(env, namespace, "renewed")
    second = env.bind.name_servers[1]
    second.stop()
    try:
        apply(env, scene.certificate("ordered", issuer="acme"))
        renew(env, namespace, "renewed")
        for name in ("ordered", "renewed"):
            wait_order(env, namespace, name)
        wait_condition(env, namespace, "ordered", "Issuing", says="0 of 1 names are ready for the CA")
        scene.keep("a Certificate that is being issued", "certificates", "ordered")
        scene.keep("a Certificate that is being renewed", "certificates", "renewed")
    finally:
        second.start()


def _mistakes(scene: Scene) -> None:
    env, namespace = scene.env, scene.namespace
    own_key = {"solvers": [rfc2136(env, secret="fading")]}
    apply(
        env,
        watched(tsig_secret(env, namespace, "fading")),
        acme_issuer(env, namespace, "fading", **own_key),
        scene.certificate("fading", issuer="fading"),
        acme_issuer(env, namespace, "blocking", pebble=scene.pebble),
        scene.certificate("refused", BLOCKED, issuer="blocking"),
        scene.certificate("frozen", "www.frozen.test", issuer="acme"),
        scene.certificate("label", secretTemplate={"labels": {"team": "not a label value!"}}),
        scene.certificate("rival", secret="web-tls"),
        scene.certificate("early", issuer="later"),
        scene.certificate("beside", issuer="keyless"),
        issuer(namespace, "keyless", ca={"secretName": "later"}),
        secret(namespace, "broken", tls_crt=authority_pair()[0], tls_key=b"no key"),
        issuer(namespace, "broken", ca={"secretName": "broken"}),
    )
    wait_ready(env, namespace, "fading")
    apply(env, watched(secret(namespace, "fading", key=OTHER_TSIG)))
    renew(env, namespace, "fading")
    for name, kind, reason, what in (
        ("fading", "Issuing", "TSIGRefused", "a Certificate whose renewal fails"),
        ("refused", "Issuing", "RejectedIdentifier", "a Certificate that the CA refuses"),
        ("frozen", "Issuing", "UpdateRefused", "a Certificate whose records the DNS server refuses"),
        ("label", "Issuing", "InvalidSpec", "a Certificate with a mistake in its spec"),
        ("rival", "Ready", "IncorrectCertificate", "a Certificate with another's Secret"),
        ("early", "Issuing", "IssuerNotFound", "a Certificate without its issuer"),
        ("beside", "Issuing", "IssuerNotReady", "a Certificate whose issuer is not ready"),
    ):
        scene.waits_for(name, kind, reason)
        scene.keep(what, "certificates", name)
    for name, reason, what in (
        ("keyless", "SecretNotFound", "an Issuer without its Secret"),
        ("broken", "InvalidCA", "an Issuer with a mistake"),
    ):
        scene.waits_for(name, "Ready", reason, resource="issuers")
        scene.keep(what, "issuers", name)


def _changed_behind_its_back(scene: Scene) -> None:
    apply(
        scene.env,
        scene.certificate("web", "other.example.test"),
        issuer(scene.namespace, "self", ca={"secretName": "later"}),
    )
    scene.keep("a Certificate that was changed and not looked at since", "certificates", "web")
    scene.keep("an Issuer that was changed and not looked at since", "issuers", "self")


#: For each state: what kstatus, Flux and Argo CD call it, and part of the message that Argo CD shows.
STATES = {
    # Without conditions of ours kstatus takes an object for done: why the examples bring checks of their own.
    "a Certificate that nobody has looked at": ("Current", "Unknown", "Progressing", UNSEEN),
    "an Issuer that nobody has looked at": ("Current", "Unknown", "Progressing", UNSEEN),
    "a Certificate that was changed and not looked at since": ("Current", "InProgress", "Progressing", UNSEEN),
    "an Issuer that was changed and not looked at since": ("Current", "InProgress", "Progressing", UNSEEN),
    "a Certificate that is being issued": (
        "InProgress",
        "InProgress",
        "Progressing",
        "0 of 1 names are ready for the CA",
    ),
    "a Certificate without its issuer": ("InProgress", "InProgress", "Progressing", "Issuer later does not exist"),
    "a Certificate whose issuer is not ready": ("InProgress", "InProgress", "Progressing", "Issuer keyless"),
    "an Issuer without its Secret": ("InProgress", "InProgress", "Progressing", "there is no Secret later"),
    "a Certificate that is ready": ("Current", "Current", "Healthy", "up to date and has not expired"),
    "an Issuer that is ready": ("Current", "Current", "Healthy", "needs nothing"),
    # What is there serves: the renewal is told of, and nothing waits for it.
    "a Certificate that is being renewed": ("Current", "Current", "Healthy", "; renewal: "),
    "a Certificate whose renewal fails": ("Current", "Current", "Healthy", "does not accept the TSIG key"),
    # kstatus knows failure by the condition Stalled.
    "a Certificate that the CA refuses": ("Failed", "Failed", "Degraded", "take the name out"),
    "a Certificate whose records the DNS server refuses": ("Failed", "Failed", "Degraded", "allow-update"),
    "a Certificate with a mistake in its spec": ("Failed", "Failed", "Degraded", "metadata.labels"),
    "a Certificate with another's Secret": ("Failed", "Failed", "Degraded", "belongs to Certificate web"),
    "an Issuer with a mistake": ("Failed", "Failed", "Degraded", "tls.key"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", STATES)
def test_health_of(what: str, seen: dict[str, Manifest], ask: Judges) -> None:
    *expected, text = STATES[what]
    said = ask.all(seen[what])
    assert [said[judge].status for judge in ("kstatus", "flux", "argocd")] == expected, said
    assert text in said["argocd"].message


@pytest.mark.slow
def test_all_states_were_judged(seen: dict[str, Manifest]) -> None:
    assert set(seen) == set(STATES)


#: What Argo CD's own scripts for cert-manager's group say where they differ from ours: they do not look at the spec's
#: generation, take a renewal for an issuance, and whatever is not ready for degraded.
WITH_THEIR_SCRIPTS = {
    "a Certificate that was changed and not looked at since": "Healthy",
    "an Issuer that was changed and not looked at since": "Healthy",
    "a Certificate that is being renewed": "Progressing",
    "a Certificate without its issuer": "Degraded",
    "a Certificate whose issuer is not ready": "Degraded",
    "an Issuer without its Secret": "Degraded",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", STATES)
def test_health_in_the_group_of_cert_manager_of(what: str, seen: dict[str, Manifest]) -> None:
    body = seen[what]
    said = gitops.argocd(body, CERT_MANAGERS_HEALTH[body["kind"]].path())
    assert said.status == WITH_THEIR_SCRIPTS.get(what, STATES[what][2]), said


def test_a_kind_that_flux_has_no_check_for_is_told_of(ask: Judges) -> None:
    """The expressions are those of the examples: another kind is not theirs, and no answer is made up."""
    other = {"apiVersion": f"{GROUP}/v1", "kind": "Other", "metadata": {"name": "other"}}
    with pytest.raises(gitops.RefusedError, match="is not supported"):
        gitops.flux(other, ask.folder / "kustomization.json")


@pytest.mark.slow
def test_the_examples_become_healthy_one_wave_after_the_other(env: Environment, ask: Judges, tmp_path: Path) -> None:
    """As Argo CD and Flux apply them: the next wave when all three say that the one before is done."""
    found = facts(env)
    bodies = [overlay(body, found) if body["apiVersion"].startswith(GROUP) else body for body in _applied()]
    waves = {int(body["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for body in bodies}
    assert len(waves) > 1
    operator = Operator(env, tmp_path, options=("--namespaces=shop",))
    operator.start()
    try:
        apply(env, secret("certwright", "tsig-key", secret=env.bind.tsig_secret))
        for wave in sorted(waves):
            part = [
                body for body in bodies if body["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == str(wave)
            ]
            apply(env, *part)
            for body in part:
                if body["apiVersion"].startswith(GROUP):
                    until(lambda body=body: _healthy(env, ask, body), 60, f"{body['kind']} is healthy")
        assert env.kubectl("get", "secret", "shop-tls", "-n", "shop", "-o", "name")
    finally:
        operator.stop()
        env.kubectl("delete", "clusterissuer", "letsencrypt", "--ignore-not-found")
        env.kubectl("delete", "secret", "tsig-key", "letsencrypt-account", "-n", "certwright", "--ignore-not-found")
        env.kubectl("delete", "namespace", "shop", "--ignore-not-found", "--wait=false")


def _applied() -> list[Manifest]:
    """What the examples have applied: the files of the folders that they name."""
    return [*load("issuers/letsencrypt.yaml"), *load("certificates/shop.yaml")]


def _healthy(env: Environment, ask: Judges, body: Manifest) -> bool:
    plural = f"{body['kind'].lower()}s"
    found = get(env, plural, body["metadata"].get("namespace", ""), body["metadata"]["name"])
    said = ask.all(found) if found else {}
    return [verdict.status for verdict in said.values()] == ["Current", "Current", "Healthy"]


#: The definitions that a manifest of the examples needs, by its group.
THEIRS = ["argocd/certwright.yaml", "argocd/certificates.yaml", "flux/source.yaml", "flux/kustomizations.yaml"]


@pytest.fixture(scope="module")
def their_kinds(env: Environment) -> Iterator[None]:
    """The kinds of Argo CD and Flux, as far as released modules carry their definitions."""
    files = [f"--filename={definition.path()}" for definition in DEFINITIONS]
    env.kubectl("apply", "--server-side", *files)
    try:
        env.kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)
        for namespace in ("argocd", "flux-system"):
            env.kubectl("create", "namespace", namespace, check=False)
        yield
    finally:
        env.kubectl("delete", "--wait=false", *files)
        env.kubectl("delete", "namespace", "argocd", "flux-system", "--wait=false", check=False)


@pytest.mark.usefixtures("their_kinds")
@pytest.mark.parametrize("name", THEIRS)
def test_an_example_fits_the_definitions_of_its_tool(env: Environment, name: str) -> None:
    text = (EXAMPLES / name).read_text()
    env.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)


@pytest.mark.usefixtures("their_kinds")
def test_a_field_that_their_kinds_have_not_is_noticed(env: Environment) -> None:
    """That the test above can fail."""
    (body,) = load("argocd/certwright.yaml")
    body["spec"]["source"]["pathh"] = "x"
    with pytest.raises(RuntimeError, match="pathh"):
        env.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=json.dumps(body))


def test_the_helm_release_fits_fluxs_own_types() -> None:
    (body,) = load("flux/operator/release.yaml")
    gitops.check_helm_release(body)
    body["spec"]["chart"]["spec"]["versin"] = "x"
    with pytest.raises(gitops.RefusedError, match="versin"):
        gitops.check_helm_release(body)


@pytest.mark.parametrize("name", ["issuers/letsencrypt.yaml", "certificates/shop.yaml", "argocd/argocd-cm.yaml"])
def test_an_example_is_taken_by_the_api_server(env: Environment, namespace: str, name: str) -> None:
    """In a namespace of the test's own, for a dry run makes none."""
    for body in load(name):
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        env.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=json.dumps(body))


def test_every_file_of_the_examples_is_looked_at() -> None:
    looked_at = {*THEIRS, "flux/operator/release.yaml", "issuers/letsencrypt.yaml", "certificates/shop.yaml"}
    looked_at.add("argocd/argocd-cm.yaml")
    assert {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.*")} == looked_at


def test_what_the_examples_refer_to_is_there() -> None:
    """Paths in the repository, the chart excepted where it is asked for by name, and objects of each other."""
    kustomizations = {body["metadata"]["name"]: body["spec"] for body in load("flux/kustomizations.yaml")}
    (repository,), (release,) = load("flux/source.yaml"), load("flux/operator/release.yaml")
    sources = [spec["sourceRef"] for spec in kustomizations.values()]
    sources.append(release["spec"]["chart"]["spec"]["sourceRef"])
    assert {(source["kind"], source["name"]) for source in sources} == {
        (repository["kind"], repository["metadata"]["name"])
    }
    for spec in kustomizations.values():
        assert list((REPOSITORY / spec["path"]).glob("*.yaml")), spec["path"]
        assert {other["name"] for other in spec.get("dependsOn", [])} <= set(kustomizations)
    checked = [
        (check["kind"], check["name"]) for spec in kustomizations.values() for check in spec.get("healthChecks", [])
    ]
    assert checked == [(body["kind"], body["metadata"]["name"]) for body in load("issuers/letsencrypt.yaml")]
    (application,) = load("argocd/certificates.yaml")
    assert (REPOSITORY / application["spec"]["source"]["path"]).is_dir()
    include = application["spec"]["source"]["directory"]["include"].strip("{}").split(",")
    assert all(list(EXAMPLES.glob(pattern)) for pattern in include)


def test_every_kind_has_its_health_check() -> None:
    (settings,) = load("argocd/argocd-cm.yaml")
    kinds = {"Certificate", "Issuer", "ClusterIssuer"}
    assert set(settings["data"]) == {f"{HEALTH}{kind}" for kind in kinds}
    checks = [check for body in load("flux/kustomizations.yaml") for check in body["spec"].get("healthCheckExprs", [])]
    assert {(check["apiVersion"], check["kind"]) for check in checks} == {(f"{GROUP}/v1", kind) for kind in kinds}


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_the_chart_takes_the_values_as_the_tool_hands_it_over(tool: str, tmp_path: Path) -> None:
    """Argo CD renders it in a checkout; what Flux takes from Git has no symbolic links."""
    chart = shutil.copytree(REPOSITORY, tmp_path / "checkout", symlinks=True, ignore=_all_but("helm", "crds"))
    if tool == "flux":
        (release,) = load("flux/operator/release.yaml")
        path, values = release["spec"]["chart"]["spec"]["chart"], release["spec"]["values"]
        for link in [found for found in chart.rglob("*") if found.is_symlink()]:
            link.unlink()
    else:
        (application,) = load("argocd/certwright.yaml")
        path, values = application["spec"]["source"]["path"], application["spec"]["source"]["helm"]["valuesObject"]
    bodies = Helm(4, tmp_path / "helm").template(values=values, chart=chart / path)
    (deployment,) = [body for body in bodies if body["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{values['image']['repository']}:{values['image']['tag']}"
    assert deployment["spec"]["replicas"] == values["replicaCount"]
    definitions = [body for body in bodies if body["kind"] == "CustomResourceDefinition"]
    assert len(definitions) == (0 if tool == "flux" else 3)


def _all_but(*names: str) -> Callable[[str, list[str]], list[str]]:
    """What of the repository's root is not copied."""
    return lambda folder, found: [name for name in found if name not in names] if folder == str(REPOSITORY) else []
