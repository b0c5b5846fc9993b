"""The composition root: the one place that knows all parts and joins them.

Start: probes, then the Lease, then one list of everything, then the workers, then the watches. Stop: the watches, then
the workers, each finishing what it does, then the Lease is handed over.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from certwright import __version__
from certwright.issuers.acme import Acme
from certwright.issuers.acme_accounts import Accounts
from certwright.issuers.ca import Ca
from certwright.issuers.next_key import NextKeys
from certwright.issuers.places import Places
from certwright.issuers.self_signed import SelfSigned
from certwright.issuers.solver_set import SolverSets
from certwright.kube.client import Kube
from certwright.ops.leader import Alone, Leader
from certwright.ops.metrics import CertificateSample, Metrics
from certwright.ops.probes import HttpServer, either, metrics_app, probes_app
from certwright.providers.tenants import limit_tenants
from certwright.reconcile.announcer import Announcer
from certwright.reconcile.attempts import Attempts
from certwright.reconcile.cache import Cache
from certwright.reconcile.certificates import CertificateReconciler
from certwright.reconcile.issuance import Issuance
from certwright.reconcile.issuers import IssuerReconciler
from certwright.reconcile.observer import Observer
from certwright.reconcile.queue import WorkQueue
from certwright.reconcile.status_writer import StatusWriter
from certwright.reconcile.storing import Store
from certwright.reconcile.troubles import Troubles
from certwright.reconcile.workers import Workers
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Names
from certwright.solvers.http01.objects import Image
from certwright.watch.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from certwright.acme.transport import RequestDone
    from certwright.issuers.base import Backend
    from certwright.settings import Settings

log = structlog.get_logger(__name__)
LEASE = "certwright"
GRACE = 20.0
"""Seconds that workers have at a stop to finish what they do."""
EXIT_LEADERSHIP_LOST = 3
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Called after each effect on the world, in the thread that had it. Tests count effects here; metrics do, too.

    Args:
        effect: Told of each write to the API server, each ACME request and each change at a DNS provider.
    """

    effect: Callable[[str], None] = field(default=lambda _: None)


class App:
    """The operator.

    Args:
        settings: How to run.
        hooks: Told of effects.
    """

    def __init__(self, settings: Settings, hooks: Hooks | None = None) -> None:
        self._settings = settings
        self._hooks = hooks or Hooks()
        limit_tenants(
            allowed_networks=settings.allowed_networks,
            exec_programs=settings.exec_programs,
            allow_loopback=settings.allow_loopback,
        )
        names = Names(settings.api_group)
        self.stop = threading.Event()
        self.queue = WorkQueue()
        self.cache = Cache(names, settings.cluster_resource_namespace)
        self.metrics = Metrics(
            version=__version__,
            certificates=self._samples,
            queue_depth=lambda: float(self.queue.depth()),
            leading=lambda: self._leader.leading,
        )
        threads = settings.workers + settings.side_by_side
        self._kube = self._make_kube(names, threads + 2, on_write=lambda what: self._hooks.effect(f"kube {what}"))
        self._executor = ThreadPoolExecutor(settings.side_by_side, thread_name_prefix="side-by-side")
        # Of its own, so that hosts which do not answer keep no request to a CA waiting.
        self._checks = ThreadPoolExecutor(settings.side_by_side, thread_name_prefix="http-check")
        # Of its own, so that no crowd of requests can keep the Lease from being renewed.
        self._lease_kube = self._make_kube(names, 1)
        self._leader = self._make_leader()
        certificates, issuers = self._make_reconcilers(names, pool_size=threads)
        handlers = {CERTIFICATE: certificates.reconcile, ISSUER: issuers.reconcile, CLUSTER_ISSUER: issuers.reconcile}
        self._workers = Workers(
            self.queue, lambda key: handlers[key.kind](key), count=settings.workers, instruments=self.metrics
        )
        self._watcher = Watcher(
            kube=self._kube, namespaces=settings.namespaces, sink=self._news, user_agent=settings.user_agent
        )

    def run(self) -> None:
        """Run until `stop` is set or a signal comes.

        Raises:
            WatchFailed: The watch cannot go on; a restart costs nothing.
            Terminal: An address cannot be listened at.
        """
        self._heed_signals()
        servers = self._make_servers()
        for server in servers:
            server.start()
        self._leader.start()
        try:
            while not self._leader.wait(1.0):
                if self.stop.is_set():
                    return
            if self._watcher.warm(self.stop):
                log.info("everything is listed; the workers start", workers=self._settings.workers)
                self._workers.start()
                self._watcher.run(self.stop)
        finally:
            self.stop.set()
            self._workers.stop(GRACE)
            for executor in (self._executor, self._checks):
                executor.shutdown(wait=False, cancel_futures=True)
            self._leader.stop()
            for server in servers:
                server.stop()
            self._kube.close()
            self._lease_kube.close()
            log.info("stopped")

    def _heed_signals(self) -> None:
        """Let a signal set `stop` at once, from the first moment on; a second one ends the process.

        kopf would take signals only while it runs, and then wait five seconds for its own look at `stop`. A thread that
        waits for them comes before any handler; the threads that are started later inherit that they are not asked.
        """
        if threading.current_thread() is threading.main_thread():
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            threading.Thread(target=self._await_signals, name="signals", daemon=True).start()

    def _await_signals(self) -> None:
        number = signal.sigwait(SIGNALS)
        log.info("stopping", signal=signal.Signals(number).name)
        self.stop.set()
        signal.sigwait(SIGNALS)
        os._exit(1)

    def _make_kube(self, names: Names, pool_size: int, on_write: Callable[[str], None] | None = None) -> Kube:
        return Kube(
            kubeconfig=self._settings.kubeconfig or None,
            names=names,
            user_agent=self._settings.user_agent,
            pool_size=pool_size,
            on_write=on_write,
            on_request=self.metrics.api_request,
        )

    def _news(self, kind: str, event: str, body: Mapping[str, Any]) -> None:
        for key in self.cache.note(kind, event, body):
            self.queue.add(key)

    def _make_reconcilers(self, names: Names, *, pool_size: int) -> tuple[CertificateReconciler, IssuerReconciler]:
        settings, kube, cache = self._settings, self._kube, self.cache
        places = Places(
            kube,
            settings.cluster_resource_namespace,
            issuer_ambient=settings.issuer_ambient_credentials,
            cluster_issuer_ambient=settings.cluster_issuer_ambient_credentials,
        )
        next_keys = NextKeys(kube, names)
        accounts = Accounts(
            kube,
            names,
            places,
            user_agent=settings.user_agent,
            pool_size=pool_size,
            on_request=self._acme_request,
        )
        solver_sets = SolverSets(
            kube,
            places,
            resolvers=settings.dns_resolvers,
            solver_image=Image(settings.http01_solver_image, settings.http01_solver_image_pull_policy),
            executor=self._checks,
            authoritative_port=settings.dns_authoritative_port,
            on_effect=lambda what: self._hooks.effect(f"dns {what}"),
        )
        acme = Acme(accounts, next_keys, solver_sets, executor=self._executor)
        backends: dict[str, Backend] = {
            "acme": acme,
            "ca": Ca(kube, next_keys, places),
            "selfSigned": SelfSigned(next_keys),
        }
        observer = Observer(kube, cache, names, owner_wanted=settings.secret_owner_reference)
        writer, attempts = StatusWriter(kube, cache), Attempts()
        announcer = Announcer(kube, names)
        store = Store(kube, names, owner_reference=settings.secret_owner_reference)
        troubles = Troubles(
            writer=writer, announcer=announcer, attempts=attempts, instruments=self.metrics, names=names
        )
        issuance = Issuance(
            backends=backends,
            clean_up=acme.clean_up,
            next_keys=next_keys,
            store=store,
            observer=observer,
            writer=writer,
            cache=cache,
            announcer=announcer,
            attempts=attempts,
            troubles=troubles,
            instruments=self.metrics,
            names=names,
            wake=self.queue.add,
        )
        certificates = CertificateReconciler(
            cache=cache,
            observer=observer,
            writer=writer,
            store=store,
            issuance=issuance,
            troubles=troubles,
            attempts=attempts,
            names=names,
        )
        issuers = IssuerReconciler(
            kube=kube, cache=cache, backends=backends, announcer=announcer, attempts=attempts, wake=self.queue.add
        )
        return certificates, issuers

    def _make_leader(self) -> Leader | Alone:
        if not self._settings.leader_elect:
            return Alone()
        return Leader(
            kube=self._lease_kube,
            namespace=self._settings.cluster_resource_namespace,
            name=LEASE,
            on_lost=lambda: os._exit(EXIT_LEADERSHIP_LOST),
        )

    def _make_servers(self) -> list[HttpServer]:
        health = {"workers": lambda: not self._watcher.synced or self._workers.alive(), "watch": self._watcher.alive}
        probes = probes_app(health=health, ready={"synced": lambda: self._watcher.synced or not self._leader.leading})
        metrics, settings = metrics_app(self.metrics), self._settings
        if settings.health_address == settings.metrics_address:
            return [HttpServer(settings.health_address, either(probes, metrics))] if settings.health_address else []
        pairs = ((settings.health_address, probes), (settings.metrics_address, metrics))
        return [HttpServer(address, page) for address, page in pairs if address]

    def _acme_request(self, done: RequestDone) -> None:
        self.metrics.acme_request(done.kind, done.status or 0)
        self._hooks.effect(f"acme {done.kind}")

    def _samples(self) -> Iterator[CertificateSample]:
        for row in self.cache.overview():
            facts = row.secret.facts.certificate if row.secret else None
            yield CertificateSample(
                namespace=row.key.namespace,
                name=row.key.name,
                issuer_kind=row.issuer.kind,
                issuer_name=row.issuer.name,
                ready=row.ready,
                not_after=facts.not_after.timestamp() if facts else None,
                renewal=row.renewal.timestamp() if row.renewal else None,
            )
