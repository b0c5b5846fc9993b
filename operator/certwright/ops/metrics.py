"""The operator's numbers for Prometheus. What is counted elsewhere arrives here by callbacks; nothing is decided by it.

What can be computed from the certificates is computed when somebody asks, so that nothing has to be kept in step.
"""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ISSUANCE_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
WRITES = ("create", "update", "patch", "delete")
STATUSES = ("True", "False", "Unknown")


@dataclass(frozen=True, slots=True)
class CertificateSample:
    """One Certificate as the metrics show it; times are seconds since 1970, None when there is none.

    Args:
        namespace: Its namespace.
        name: Its name.
        issuer_kind: `Issuer` or `ClusterIssuer`.
        issuer_name: The issuer's name.
        ready: The status of its Ready condition: True, False or Unknown.
        not_after: When it expires.
        renewal: When it will be renewed.
    """

    namespace: str
    name: str
    issuer_kind: str
    issuer_name: str
    ready: str
    not_after: float | None = None
    renewal: float | None = None


class Metrics:
    """All metrics, in a registry of their own. Thread-safe.

    Args:
        version: Of the operator.
        certificates: Yields a sample for each Certificate; called at each scrape.
        queue_depth: How many keys wait for a worker; called at each scrape.
        leading: Whether this process leads; called at each scrape.
    """

    def __init__(
        self,
        *,
        version: str,
        certificates: Callable[[], Iterable[CertificateSample]] = tuple,
        queue_depth: Callable[[], float] = float,
        leading: Callable[[], bool] = bool,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Certificates(certificates))
        Info("certwright_build", "What is running", registry=registry).info({"version": version})
        depth = Gauge("certwright_queue_depth", "Objects that wait for a worker", registry=registry)
        depth.set_function(queue_depth)
        leader = Gauge("certwright_leader", "1 when this process leads, else 0", registry=registry)
        leader.set_function(lambda: float(leading()))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"certwright_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"certwright_{name}_seconds", text, labels, buckets=SECONDS, registry=registry)

        self._reconciles = counter("reconciles", "Reconciles by kind and result", "kind", "result")
        self._reconcile_seconds = histogram("reconcile", "Time of one reconcile")
        self._api_requests = counter("api_requests", "Requests to the API server", "verb", "resource", "code")
        self._api_writes = counter("api_writes", "Writes the API server accepted", "verb", "resource")
        self._api_seconds = histogram("api_request", "Time of one request to the API server", "verb")
        self._acme = counter("acme_requests", "Requests to ACME servers; status 0 is no answer", "action", "status")
        self._issuances = counter("issuances", "Ended issuances", "issuer_type", "outcome")
        self._failures = counter("issuance_failures", "Failed issuances by reason", "issuer_type", "reason")
        self._issuance_seconds = Histogram(
            "certwright_issuance_seconds",
            "Time from the beginning of an issuance to its certificate in the Secret",
            ("issuer_type",),
            buckets=ISSUANCE_SECONDS,
            registry=registry,
        )

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """One reconcile of an object of that kind ended, with a word for its result."""
        self._reconciles.labels(kind, result).inc()
        self._reconcile_seconds.observe(seconds)

    def api_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """One request to the API server; fits `Kube`'s `on_request`. Code 0 is no answer."""
        self._api_requests.labels(verb, resource, str(code)).inc()
        if code:
            self._api_seconds.labels(verb).observe(seconds)
        if verb in WRITES and 200 <= code < 300:  # noqa: PLR2004 - HTTP success
            self._api_writes.labels(verb, resource).inc()

    def acme_request(self, action: str, status: int) -> None:
        """One request to an ACME server, with the name of the directory's entry, e.g. `newOrder`."""
        self._acme.labels(action, str(status)).inc()

    def issued(self, issuer_type: str, seconds: float) -> None:
        """A certificate of an `acme`, `ca` or `selfSigned` issuer was stored, so many seconds after it was begun."""
        self._issuances.labels(issuer_type, "issued").inc()
        self._issuance_seconds.labels(issuer_type).observe(seconds)

    def failed(self, issuer_type: str, reason: str) -> None:
        """An issuance failed or waits for a person, with the reason of the fault."""
        self._issuances.labels(issuer_type, "failed").inc()
        self._failures.labels(issuer_type, reason).inc()


class _Certificates(Collector):
    def __init__(self, samples: Callable[[], Iterable[CertificateSample]]) -> None:
        self._samples = samples

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names without asking for samples, which may not be there yet when this is registered."""
        return iter(self._families())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every Certificate of this moment."""
        states, expiry, renewal = self._families()
        tally: Tally[str] = Tally(dict.fromkeys(STATUSES, 0))
        for sample in self._samples():
            tally[sample.ready if sample.ready in STATUSES else "Unknown"] += 1
            labels = (sample.namespace, sample.name, sample.issuer_kind, sample.issuer_name)
            if sample.not_after is not None:
                expiry.add_metric(labels, sample.not_after)
            if sample.renewal is not None:
                renewal.add_metric(labels, sample.renewal)
        for status, number in tally.items():
            states.add_metric((status,), number)
        yield from (states, expiry, renewal)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        labels = ("namespace", "name", "issuer_kind", "issuer_name")
        return (
            GaugeMetricFamily("certwright_certificates", "Certificates by Ready condition", labels=("ready",)),
            GaugeMetricFamily(
                "certwright_certificate_expiration_timestamp_seconds", "When a certificate expires", labels=labels
            ),
            GaugeMetricFamily(
                "certwright_certificate_renewal_timestamp_seconds", "When a certificate will be renewed", labels=labels
            ),
        )
