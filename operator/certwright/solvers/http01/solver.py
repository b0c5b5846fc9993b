"""The HTTP-01 solver (RFC 8555 section 8.3): one pod, one Service and one Ingress serve all names of an order.

It keeps nothing between calls. What it makes is in the journal first, belongs to the Certificate, and has a name that
follows from the order: a crash leaves nothing that is not found again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certwright.errors import CertwrightError, Conflict, InvalidSpec, Retryable, Terminal
from certwright.kube import objects
from certwright.kube.faults import Forbidden
from certwright.solvers.base import Pace
from certwright.solvers.http01.answer import Answer
from certwright.solvers.http01.check.looking import Places, Policy, check
from certwright.solvers.http01.places import places
from certwright.solvers.http01.rules import EXACT, PATH_TYPES, SPECIFIC, with_rules, without_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from certwright.dns.resolvers import Resolvers
    from certwright.kube.client import Kube
    from certwright.resources.order import SolverObject, Verdict
    from certwright.solvers.http01.objects import Manifests

TRIES = 4
"""How often an Ingress that others change too is read and written."""
INTERVAL = timedelta(seconds=5)


class Http01Solver:
    """Solves HTTP-01 for one solver of one issuer and one Certificate.

    Args:
        manifests: What is made.
        kube: Where it is made.
        resolvers: Find the name's addresses for the check.
        executor: Runs the requests of a check side by side.
        wait: `waitInsteadOfSelfCheck`: how long to wait in place of looking; None looks.
    """

    def __init__(
        self,
        manifests: Manifests,
        *,
        kube: Kube,
        resolvers: Resolvers,
        executor: Executor,
        wait: timedelta | None = None,
    ) -> None:
        self._manifests = manifests
        self._config = manifests.config
        self._namespace = manifests.certificate.namespace
        self._kube = kube
        self._resolvers = resolvers
        self._executor = executor
        self._policy = self._config.policy if wait is None else Policy.SKIP
        self.pace = Pace(wait=self._config.delay if wait is None else wait, interval=INTERVAL, grace=self._config.grace)

    def plan_all(self, identifiers: Sequence[str]) -> list[Answer | CertwrightError]:
        """See that what the solver refers to is there, before an order is spent."""
        try:
            self._look_ahead()
        except CertwrightError as fault:
            return [fault for _ in identifiers]
        return [Answer(identifier) for identifier in identifiers]

    def answer(self, planned: Answer, *, token: str, key_authorization: str, order: str) -> Answer:
        """The answer to the challenge, and the name of the objects that give it."""
        names, uid = self._manifests.names, self._manifests.certificate.uid
        bundle = names.http01_objects(uid, order)
        return replace(planned, token=token, key_authorization=key_authorization, bundle=bundle)

    def objects(self, planned: Sequence[Answer]) -> tuple[SolverObject, ...]:
        """What `present` makes for these."""
        return self._manifests.objects(planned[0].bundle, planned) if planned else ()

    def present(self, planned: Sequence[Answer], whole: Sequence[Answer]) -> None:  # noqa: ARG002 - one pod serves all
        """Create what is not there.

        Raises:
            Forbidden: A right is missing, or a quota or a policy refused an object.
            CertwrightError: As the API server says.
        """
        bundle = whole[0].bundle
        objects.create(self._kube, self._manifests.pod(bundle, whole))
        if self._config.way == "webroot":
            return
        objects.create(self._kube, self._manifests.service(bundle))
        if self._config.way == "gatewayHTTPRoute":
            for route in self._manifests.routes(bundle, whole):
                objects.create(self._kube, route)
        else:
            self._present_ingress(bundle, whole)

    def check(self, planned: Sequence[Answer], whole: Sequence[Answer]) -> list[Verdict]:
        """Fetch each answer as the CA will, and where that fails by the ways that lie inside."""
        pod = self._kept(whole)
        skip = self._policy is Policy.SKIP
        return check(
            planned,
            Places() if skip else places(self._kube, self._manifests, whole, pod),
            policy=self._policy,
            resolvers=self._resolvers,
            executor=self._executor,
            proxy_header=self._config.proxy_header,
        )

    def keep(self, whole: Sequence[Answer]) -> None:
        """Bring the pod back when it was killed or evicted."""
        self._kept(whole)

    def clean_up(self, planned: Sequence[Answer]) -> None:
        """Remove what was made for these."""
        remove(self._kube, self._namespace, self.objects(planned), bundle=planned[0].bundle if planned else "")

    def _kept(self, whole: Sequence[Answer]) -> dict[str, Any] | None:
        """The pod, made anew with all that belongs to it when it has ended; None while the old one is going."""
        bundle = whole[0].bundle
        pod = objects.get(self._kube, "Pod", self._namespace, bundle)
        ended = pod is not None and (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
        if ended:
            objects.delete(self._kube, "Pod", self._namespace, bundle, at_once=True)
        if pod is None or ended:
            self.present(whole, whole)
            return None
        return pod

    def _look_ahead(self) -> None:
        if not self._manifests.image.name:
            raise InvalidSpec(
                f"{self._config.path}: the operator does not know the image of the solver pod; start it with "
                "--http01-solver-image",
                reason="NotConfigured",
            )
        name = self._config.ingress_name
        if name and objects.get(self._kube, "Ingress", self._namespace, name) is None:
            raise InvalidSpec(
                f"{self._config.path}.ingress.name: there is no Ingress {name} in namespace {self._namespace}; "
                "create it, or use ingressClassName",
                reason="IngressNotFound",
            )

    def _present_ingress(self, bundle: str, whole: Sequence[Answer]) -> None:
        kinds = self._path_types()
        for kind in kinds:
            try:
                if self._config.ingress_name:
                    self._edit_ingress(bundle, whole, kind)
                else:
                    objects.create(self._kube, self._manifests.ingress(bundle, whole, kind))
            except (Forbidden, InvalidSpec, Terminal) as refusal:
                if kind == kinds[-1] or "path" not in refusal.message:
                    raise
            else:
                return

    def _path_types(self) -> tuple[str, str]:
        """The path types to try, the one that the class's controller is known to want first."""
        name, controller = self._config.ingress_class_name, ""
        if name:
            try:
                found = objects.get(self._kube, "IngressClass", "", name)
            except Forbidden:
                found = None  # it is not the namespace's, and not needed
            controller = str(((found or {}).get("spec") or {}).get("controller", ""))
        first = PATH_TYPES.get(controller, EXACT)
        return first, SPECIFIC if first == EXACT else EXACT

    def _edit_ingress(self, bundle: str, whole: Sequence[Answer], path_type: str) -> None:
        edit(
            self._kube,
            self._namespace,
            self._config.ingress_name,
            lambda body: with_rules(body, whole, bundle, path_type),
            missing=f"{self._config.path}.ingress.name: Ingress {self._config.ingress_name} is gone",
        )


def remove(kube: Kube, namespace: str, made: Sequence[SolverObject], *, bundle: str = "") -> None:
    """Remove an order's objects by what its journal says; needs neither the issuer nor the solver.

    Args:
        kube: The client.
        namespace: The Certificate's.
        made: What the journal names.
        bundle: Name of the Service that rules in somebody else's Ingress lead to; that in `made` if not given.

    Raises:
        CertwrightError: Of the first object that could not be removed, after all were tried.
    """
    service = bundle or next((item.name for item in made if item.kind == "Service"), "")
    fault: CertwrightError | None = None
    for item in reversed(made):  # the way in first, so that no request finds nobody behind it
        try:
            if item.shared:
                edit(kube, namespace, item.name, lambda body: without_rules(body, service))
            else:
                objects.delete(kube, item.kind, namespace, item.name)
        except CertwrightError as error:
            fault = fault or error
    if fault:
        raise fault


def edit(
    kube: Kube,
    namespace: str,
    name: str,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    *,
    missing: str = "",
) -> None:
    """Change an Ingress of somebody else's, whoever else changes it meanwhile.

    Args:
        kube: The client.
        namespace: Its namespace.
        name: Its name.
        change: Makes of the body the one to write; None when there is nothing to change.
        missing: What to say when it is gone; empty when that is no fault.

    Raises:
        InvalidSpec: It is gone.
        Retryable: Others changed it each time.
        CertwrightError: As the API server says.
    """
    for _ in range(TRIES):
        body = objects.get(kube, "Ingress", namespace, name)
        if body is None:
            if missing:
                raise InvalidSpec(missing, reason="IngressNotFound")
            return
        changed = change(body)
        if changed is None:
            return
        try:
            objects.replace(kube, {"kind": "Ingress", "apiVersion": "networking.k8s.io/v1", **changed})
        except Conflict:
            continue
        return
    raise Retryable(f"Ingress {namespace}/{name} is being changed by others all the time; it is tried again")
