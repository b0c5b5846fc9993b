from collections.abc import Iterator

import pytest

from unit.dns.fake_dns import FakeDns


@pytest.fixture
def world() -> Iterator[FakeDns]:
    """A DNS with example.com at two name servers."""
    with FakeDns() as fake:
        fake.zone("example.com", "www 60 IN A 192.0.2.1", "127.7.0.1", "127.7.0.2")
        yield fake
