"""Watches Certificates, issuers and the labelled Secrets by kopf, which lists, watches and logs in, and no more.

Its handlers take events only and return nothing: that way kopf writes nothing. What is fatal to kopf ends the process;
a restart costs lists and no writes.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import TYPE_CHECKING, Any

import kopf
import structlog

from certwright.errors import CertwrightError
from certwright.kube import lists
from certwright.kube.faults import Forbidden
from certwright.resources.names import CLUSTER_ISSUER
from certwright.watch.feed import LISTED, Feed
from certwright.watch.nothing import NoDiff, NoProgress
from certwright.watch.scope import KINDS, Scope
from certwright.watch.streams import Streams
from certwright.watch.sweeper import Sweeper

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from certwright.kube.client import Kube
from certwright.watch.scope import Place

SERVER_TIMEOUT = 270  # seconds after which the API server ends a watch, and kopf opens it again
WARM_PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds between the tries of a list that must succeed; the last one repeats
BACKOFFS = (0.5, 1, 2, 3, 5, 5, 5, 5, 5, 5)  # seconds; never long, so that an API server that is back is noticed
log = structlog.get_logger(__name__)


class WatchFailed(CertwrightError):  # noqa: N818 - named by what happened
    """The watch ended for good; the process must, too."""

    default_reason = "WatchFailed"


class Watcher:
    """Tells a sink what there is and what happens to it.

    Args:
        kube: The client; its credentials are used for the watches, too.
        namespaces: Watch only these; none means all.
        sink: Takes (kind, event, body) from any thread; event is LISTED (it is there; comes again after a gap), ADDED,
            MODIFIED or DELETED. It must be quick. A DELETED body may have nothing but namespace and name.
        sweep_interval: Seconds between two searches for objects that vanished unseen.
        user_agent: How the audit log shall name us.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        namespaces: Sequence[str] = (),
        sink: Callable[[str, str, Mapping[str, Any]], None],
        sweep_interval: float = 3600.0,
        user_agent: str = "certwright",
    ) -> None:
        self._kube = kube
        self._scope = Scope(kube.names, tuple(dict.fromkeys(namespaces)))
        self._sweep_interval = sweep_interval
        self._user_agent = user_agent
        self._streams: Streams | None = None
        self._synced = False
        self.feed = Feed(sink, KINDS)

    @property
    def synced(self) -> bool:
        """True when everything there was has been told to the sink once."""
        return self._synced

    def alive(self, within: float = SERVER_TIMEOUT + 90.0) -> bool:
        """False when some watch has not been opened for `within` seconds; each is to be opened again every few minutes.

        True before `run`.
        """
        return self._streams is None or self._streams.oldest() < within

    def warm(self, stop: threading.Event) -> bool:
        """List everything once, and tell the sink; kopf has no way to know when its own first lists are complete.

        What is missing, a CustomResourceDefinition or a right, is logged and waited for.

        Args:
            stop: Ends the waiting.

        Returns:
            True when everything was listed; False when `stop` came first.
        """
        for place in list(self._scope.places()):
            for attempt in count():
                if stop.is_set():
                    return False
                try:
                    self._list(place)
                    break
                except Forbidden as error:
                    if place.kind == CLUSTER_ISSUER and self._scope.namespaces:
                        log.warning("ClusterIssuers are not watched", reason=error.reason, message=error.message)
                        self._scope = self._scope.without(CLUSTER_ISSUER)
                        break
                    log.warning("waiting for a right", reason=error.reason, message=error.message)
                except CertwrightError as error:
                    log.warning("waiting for the API server", reason=error.reason, message=error.message)
                stop.wait(WARM_PAUSES[min(attempt, len(WARM_PAUSES) - 1)])
        self._synced = True
        return True

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set or, in the main thread, SIGTERM or SIGINT comes; `stop` is set in any case then.

        Args:
            stop: Ends the watch.

        Raises:
            WatchFailed: The watch cannot go on; end the process.
        """
        sweeper = Sweeper(self._kube, self._scope, self.feed, interval=self._sweep_interval)
        streams = Streams(
            self._kube,
            self._scope.places(),
            user_agent=self._user_agent,
            on_listed=lambda place: sweeper.soon(place.kind),
        )
        self._streams = streams
        for name in ("kopf", "kopf.objects", "kopf.activities"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below, a line an event
        sweeper.start()
        try:
            asyncio.run(self._operate(streams, stop))
        except Exception as error:
            raise WatchFailed(f"the watch ended: {type(error).__name__}: {error}") from error
        finally:
            sweeper.stop()
            self._streams = None

    def _list(self, place: Place) -> None:
        items = lists.of_kind(self._kube, place.kind, namespace=place.namespace, selector=place.selector)
        for item in items:
            self.feed.deliver(place.kind, LISTED, item)

    async def _operate(self, streams: Streams, stop: threading.Event) -> None:
        # When one watch fails, kopf drops the others' errors, and asyncio would print a traceback for each.
        asyncio.get_running_loop().set_exception_handler(_dropped)
        try:
            await kopf.operator(
                registry=self._registry(streams),
                settings=_settings(self._scope),
                clusterwide=not self._scope.namespaces,
                namespaces=self._scope.namespaces,
                stop_flag=stop,
            )
        finally:
            # kopf waits for the flag in a thread of the loop's, which the loop waits for in turn.
            stop.set()
            await streams.close()

    def _registry(self, streams: Streams) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def login(**_: object) -> kopf.AiohttpSession:
            return await streams.login()

        kopf.on.login(registry=registry, id="login")(login)
        for kind in self._scope.kinds:
            group, version, plural = self._scope.resource(kind)
            kopf.on.event(group, version, plural, registry=registry, id=plural, when=self._reader(kind))(_nothing)
        return registry

    def _reader(self, kind: str) -> Callable[..., bool]:
        """Takes each event as the condition of a handler that is never called: that is half of what a call costs."""

        def seen(*, event: Mapping[str, Any], **_: object) -> bool:
            self.feed.deliver(kind, event["type"] or LISTED, event["object"])
            return False

        return seen


def _nothing(**_: object) -> None:
    """The handler that kopf wants to have."""


def _dropped(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    log.debug("an error of a watch that ended", error=type(context.get("exception")).__name__)


def _settings(scope: Scope) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True  # else it watches all CustomResourceDefinitions and namespaces
    settings.process.ultimate_exiting_timeout = None  # the caller ends the process
    settings.persistence.diffbase_storage = NoDiff()
    settings.persistence.progress_storage = NoProgress()
    settings.watching.chunk_size = lists.PAGE_SIZE
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.watching.client_timeout = SERVER_TIMEOUT + 30
    settings.watching.connect_timeout = 30
    settings.watching.label_selectors["v1", "secrets"] = scope.names.secret_selector
    # Without these, a first list makes a task an object, and each keeps its last event for seconds.
    settings.queueing.worker_limit = 200
    settings.queueing.idle_timeout = 0.5
    settings.networking.enforce_retry_after = True
    settings.networking.error_backoffs = BACKOFFS
    return settings
