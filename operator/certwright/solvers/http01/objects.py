"""The objects that serve an order's HTTP-01 challenges, as manifests: one pod, one Service, one Ingress. No I/O.

All names of an order share them. Each belongs to the Certificate by an owner reference, so that nothing outlives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.resources.names import CERTIFICATE
from certwright.resources.order import SolverObject
from certwright.solvers.http01.rules import PORT, rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.resources.meta import Meta
    from certwright.resources.names import Names
    from certwright.solvers.http01.answer import Answer
    from certwright.solvers.http01.config import Http01Config

HOSTNAMES = 16
"""Most host names that one HTTPRoute can have (Gateway API, `spec.hostnames`)."""
WEBROOT = "/webroot"
COMMAND = "certwright-http-solver"
RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
}
"""Requests for next to nothing, limits for all that a quota may ask for; the processor's is for a quick start."""
NO_SIDECAR = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "kuma.io/sidecar-injection": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
}
POD_ANNOTATIONS = {**NO_SIDECAR, "cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
SERVICE_ANNOTATIONS = {f"auth.istio.io/{PORT}": "NONE"}
INGRESS_ANNOTATIONS = {
    # A CA comes from anywhere, by plain HTTP; other controllers ignore these.
    "nginx.ingress.kubernetes.io/whitelist-source-range": "0.0.0.0/0,::/0",
    "nginx.ingress.kubernetes.io/ssl-redirect": "false",
}
CLASS_ANNOTATION = "kubernetes.io/ingress.class"


@dataclass(frozen=True, slots=True)
class Image:
    """The image that solver pods run.

    Args:
        name: With its tag or digest.
        pull_policy: `Always`, `IfNotPresent` or `Never`; empty leaves it to the cluster.
    """

    name: str
    pull_policy: str = ""


@dataclass(frozen=True, slots=True)
class Manifests:
    """Makes the manifests for one Certificate's challenges.

    Args:
        config: The solver's.
        certificate: Whose challenges they are.
        names: Spells labels.
        image: What the pod runs.
    """

    config: Http01Config
    certificate: Meta
    names: Names
    image: Image

    def objects(self, bundle: str, answers: Sequence[Answer]) -> tuple[SolverObject, ...]:
        """What is made, for the journal; in the order in which it is made."""
        if self.config.way == "webroot":
            return (SolverObject("Pod", bundle),)
        served = (SolverObject("Pod", bundle), SolverObject("Service", bundle))
        if self.config.way == "gatewayHTTPRoute":
            return (*served, *(SolverObject("HTTPRoute", name) for name, _ in self._route_parts(bundle, answers)))
        if self.config.ingress_name:
            return (*served, SolverObject("Ingress", self.config.ingress_name, shared=True))
        return (*served, SolverObject("Ingress", bundle))

    def pod(self, bundle: str, answers: Sequence[Answer]) -> dict[str, Any]:
        """The pod: allowed nothing, without a token of any service account, safe to evict."""
        config, template = self.config, self.config.pod
        container: dict[str, Any] = {
            "name": "solver",
            "image": self.image.name,
            "command": [COMMAND],
            "args": self._arguments(answers),
            "ports": [{"name": "http", "containerPort": PORT}],
            "resources": template.spec.get("resources") or RESOURCES,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
        if self.image.pull_policy:
            container["imagePullPolicy"] = self.image.pull_policy
        spec: dict[str, Any] = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "restartPolicy": "Always",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 5,
            **{name: value for name, value in template.spec.items() if name != "resources"},
            "containers": [container],
        }
        if config.way == "webroot":
            container["volumeMounts"] = [{"name": "webroot", "mountPath": WEBROOT}]
            spec["volumes"] = [{"name": "webroot", "persistentVolumeClaim": {"claimName": config.claim}}]
        body = self._object("v1", "Pod", bundle, bundle, labels=template.labels, annotations=template.annotations)
        body["metadata"]["annotations"] = {**POD_ANNOTATIONS, **template.annotations}
        body["metadata"]["labels"] = {"sidecar.istio.io/inject": "false", **body["metadata"]["labels"]}
        return {**body, "spec": spec}

    def service(self, bundle: str) -> dict[str, Any]:
        """The Service in front of the pod."""
        spec = {
            "type": self.config.service_type,
            "selector": {self.names.order_label: bundle},
            "ports": [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
            # The pod answers as soon as it listens, and nothing better could answer before.
            "publishNotReadyAddresses": True,
        }
        return {**self._object("v1", "Service", bundle, bundle, annotations=SERVICE_ANNOTATIONS), "spec": spec}

    def ingress(self, bundle: str, answers: Sequence[Answer], path_type: str) -> dict[str, Any]:
        """An Ingress of our own, with one rule a name."""
        config, annotations = self.config, dict(INGRESS_ANNOTATIONS)
        spec: dict[str, Any] = {"rules": rules(answers, bundle, path_type)}
        if config.ingress_class_name:
            spec["ingressClassName"] = config.ingress_class_name
        if config.ingress_class:
            annotations[CLASS_ANNOTATION] = config.ingress_class
        annotations.update(config.ingress.annotations)
        body = self._object(
            "networking.k8s.io/v1", "Ingress", bundle, bundle, labels=config.ingress.labels, annotations=annotations
        )
        return {**body, "spec": spec}

    def routes(self, bundle: str, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """HTTPRoutes: one for every sixteen names, which is what one can hold; one without host for addresses."""
        made = []
        for name, group in self._route_parts(bundle, answers):
            hosts = [answer.identifier for answer in group if not answer.is_address]
            matches = [{"path": {"type": "Exact", "value": answer.path}} for answer in group]
            spec: dict[str, Any] = {
                "parentRefs": [dict(parent) for parent in self.config.parents],
                "rules": [{"matches": matches, "backendRefs": [{"name": bundle, "port": PORT}]}],
            }
            if hosts:
                spec["hostnames"] = hosts
            body = self._object(
                "gateway.networking.k8s.io/v1", "HTTPRoute", name, bundle, labels=self.config.route_labels
            )
            made.append({**body, "spec": spec})
        return made

    def _route_parts(self, bundle: str, answers: Sequence[Answer]) -> list[tuple[str, list[Answer]]]:
        named = [answer for answer in answers if not answer.is_address]
        groups = [named[begin : begin + HOSTNAMES] for begin in range(0, len(named), HOSTNAMES)]
        bare = [answer for answer in answers if answer.is_address]
        groups += [bare[begin : begin + HOSTNAMES] for begin in range(0, len(bare), HOSTNAMES)]
        return [(f"{bundle}-{number}" if number else bundle, group) for number, group in enumerate(groups)]

    def _arguments(self, answers: Sequence[Answer]) -> list[str]:
        thumbprint = answers[0].key_authorization.rpartition(".")[2] if answers else ""
        flags = [f"--listen-port={PORT}", f"--thumbprint={thumbprint}", f"--proxy-header={self.config.proxy_header}"]
        if self.config.way == "webroot":
            flags.append(f"--webroot={'/'.join(part for part in (WEBROOT, self.config.folder) if part)}")
        return [*flags, *(f"{answer.identifier}={answer.token}" for answer in answers)]

    def _object(
        self,
        api: str,
        kind: str,
        name: str,
        bundle: str,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        own = {
            "app.kubernetes.io/component": "http-solver",
            "app.kubernetes.io/managed-by": "certwright",
            self.names.http01_solver_label: "true",
        }
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": self.certificate.namespace,
            # The Service finds its pod by the last one, so no template may change it.
            "labels": {**own, **(labels or {}), self.names.order_label: bundle},
            "ownerReferences": [
                {
                    "apiVersion": self.names.api_version,
                    "kind": CERTIFICATE,
                    "name": self.certificate.name,
                    "uid": self.certificate.uid,
                    "controller": True,
                    # True would need a right on the Certificate's finalizers where admission checks it.
                    "blockOwnerDeletion": False,
                }
            ],
        }
        if annotations:
            metadata["annotations"] = dict(annotations)
        return {"apiVersion": api, "kind": kind, "metadata": metadata}
