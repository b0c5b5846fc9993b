"""How many requests vendors take from one account, kept to before they have to refuse: a refusal pauses the account.

The limits are the vendors' published ones; a vendor that is not in the table says 429 when it has had enough.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_WAIT: Final = 1.0
"""Seconds that a request waits for its turn in place; a longer wait is handed back, so that no thread is held."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many requests in any period of so many seconds."""

    requests: int
    seconds: float


PUBLISHED: Final[Mapping[str, Rate]] = {
    # https://developers.cloudflare.com/fundamentals/api/reference/limits/
    "api.cloudflare.com": Rate(1200, 300.0),
    # https://docs.digitalocean.com/reference/api/ (rate limit)
    "api.digitalocean.com": Rate(250, 60.0),
    # https://developer.godaddy.com/getstarted (rate limits)
    "api.godaddy.com": Rate(60, 60.0),
    # https://docs.hetzner.cloud/reference/cloud (rate limiting)
    "api.hetzner.cloud": Rate(3600, 3600.0),
    # https://www.namecheap.com/support/knowledgebase/article.aspx/9739/ (API limits)
    "api.namecheap.com": Rate(20, 60.0),
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html (API requests)
    "route53.amazonaws.com": Rate(5, 1.0),
    # https://www.vultr.com/api/ (rate limit)
    "api.vultr.com": Rate(30, 1.0),
}
"""By the API's host name."""


class Rates:
    """Counts the requests of all accounts; safe for threads.

    Args:
        limits: By host name.
        clock: Monotonic seconds.
    """

    def __init__(self, limits: Mapping[str, Rate] = PUBLISHED, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, str], deque[float]] = {}

    def take(self, account: str, host: str) -> float:
        """Count a request that is about to be sent.

        Args:
            account: As `Endpoint.account` names it.
            host: The API's host name.

        Returns:
            0.0 when it may be sent and is counted; else seconds until it may, and it is not counted.
        """
        rate = self._limits.get(host)
        if rate is None:
            return 0.0
        now = self._clock()
        with self._lock:
            sent = self._sent.setdefault((account, host), deque())
            while sent and sent[0] + rate.seconds <= now:
                sent.popleft()
            if len(sent) < rate.requests:
                sent.append(now)
                return 0.0
            return sent[0] + rate.seconds - now
