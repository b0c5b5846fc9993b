"""What the operator's process holds: threads and memory, by the kernel's own count."""

from collections.abc import Callable
from typing import Any

import pytest

from cluster.manifests import certificate
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

IDLE_KB = 120 * 1024
MANY = 60
Read = Callable[[Operator, str], int]


def test_resident_memory_with_no_certificates(bare: Any, proc: Read) -> None:
    assert proc(bare.operator, "VmRSS") <= IDLE_KB


def test_threads_do_not_grow_with_certificates(counted: Any, proc: Read) -> None:
    """Both kinds of issuers, so that every pool has been used to the full before it is counted."""
    counted.apply(
        *(certificate(counted.namespace, f"first-{number}", "first.example.test", issuer="ca") for number in range(16)),
        certificate(counted.namespace, "first", *(f"host-{number}.first.example.test" for number in range(20))),
    )
    counted.wait_ready()
    before = proc(counted.operator, "Threads")
    half = range(MANY // 2)
    counted.apply(
        *(certificate(counted.namespace, f"many-{number}", f"many-{number}.example.test") for number in half),
        *(certificate(counted.namespace, f"more-{number}", "more.example.test", issuer="ca") for number in half),
    )
    counted.wait_ready(90)
    assert proc(counted.operator, "Threads") <= before
