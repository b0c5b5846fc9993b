"""A hundred names in ten zones, in one order: what it costs in writes, requests, updates and questions.

Nothing here waits for a fixed time: each record is looked for once, and that is enough. That is counted as well.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from test_budget_requests import DNS01

from cluster.bind import Bind
from cluster.environment import Environment
from cluster.manifests import acme_issuer, certificate
from cluster.pebble import Pebble, PebbleOptions
from cluster.zones import Zone

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit"), pytest.mark.slow]
ZONES = [f"z{number}.test" for number in range(10)]
NAMES = [f"w{number}.{zone}" for zone in ZONES for number in range(9)] + [f"*.{zone}" for zone in ZONES]
ACME = Counter({"POST /order-plz": 1, "POST /authZ": len(NAMES), "POST /chalZ": len(NAMES)})
"""Requests for which there is no other way: each authorization is read, each challenge is answered."""
OTHERS = 12
"""Requests beside these: until all names are proven the order is asked for, then it is finalized and fetched."""
LOOKS = 2
"""Times that a record may be looked for: once, and once more where an answer by UDP got lost."""


@dataclass
class Dns:
    """BIND with the zones, and a CA that asks it."""

    bind: Bind
    pebble: Pebble

    def serials(self) -> dict[str, int]:
        """The zones' serials: each update makes one of them rise by one."""
        return {zone: self.bind.query(zone, "SOA").answer[0][0].serial for zone in ZONES}

    def looks(self) -> Counter[tuple[str, str]]:
        """How often each name was looked for at its name servers; what the CA asks wants recursion (+)."""
        log = self.bind.process.log.read_text()
        return Counter(re.findall(r"query: (_acme-challenge\S+) IN TXT (-)", log))


@pytest.fixture
def dns(env: Environment, tmp_path: Path) -> Iterator[Dns]:
    with Bind(tmp_path / "bind", zones=[Zone(zone) for zone in ZONES], query_log=True) as bind:
        if bind.port != env.bind.port:
            pytest.skip("two name servers with one port for all need port 53")
        with Pebble(tmp_path, PebbleOptions(dns_server=bind.resolver)) as pebble:
            yield Dns(bind, pebble)


def test_a_hundred_names_in_ten_zones(counted: Any, dns: Dns) -> None:
    tsig = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tsig-of-ten", "namespace": counted.namespace},
        "stringData": {"key": dns.bind.tsig_secret},
    }
    rfc2136 = {
        "nameserver": dns.bind.resolver,
        "tsigKeyName": dns.bind.key_name,
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": "tsig-of-ten", "key": "key"},
    }
    counted.apply(
        tsig,
        acme_issuer(
            counted.env,
            counted.namespace,
            "ten",
            pebble=dns.pebble,
            solvers=[{"dns01": {"rfc2136": rfc2136}}],
            nameservers=[dns.bind.resolver],
        ),
    )
    counted.env.kubectl("wait", "issuers/ten", "-n", counted.namespace, "--for=condition=Ready", "--timeout=60s")
    mark, requests, before = counted.env.audit_mark(), dns.pebble.mark(), dns.serials()

    counted.apply(certificate(counted.namespace, "hundred", *NAMES, issuer="ten"))
    counted.wait_ready(timeout=120)

    writes = counted.writes(mark)
    assert sorted(" ".join(write.split()[:2]) for write in writes) == DNS01, writes
    asked = Counter(
        {f"{verb} {path.rstrip('/')}": n for (verb, path), n in Counter(dns.pebble.requests(requests)).items()}
    )
    assert {request: asked[request] for request in ACME} == dict(ACME), asked
    assert asked.total() - ACME.total() <= OTHERS, asked
    assert {zone: serial - before[zone] for zone, serial in dns.serials().items()} == dict.fromkeys(ZONES, 2)
    looks = dns.looks()
    assert len(looks) == len(NAMES), (
        "a wildcard is looked for at a name of its own, for its zone's apex is none of these"
    )
    assert max(looks.values()) <= LOOKS * len(dns.bind.addresses), looks.most_common(3)
    assert not [name for name in NAMES if dns.bind.txt(f"_acme-challenge.{name.removeprefix('*.')}")]
