"""An ACME server whose host somebody else chose: where it may be, by redirects and proxies as well."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from odd_server import OddServer, reply

from certwright.acme.transport import Transport
from certwright.errors import InvalidSpec, Retryable
from certwright.providers.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def transport(ca_bundle: bytes, rule: Guard, **settings: Any) -> Iterator[Transport]:
    made = Transport(ca_bundle_pem=ca_bundle, rule=rule, timeout=(2, 2), **settings)
    try:
        yield made
    finally:
        made.close()


def test_a_server_on_loopback_is_refused_before_it_hears_of_it(server: OddServer, ca_bundle: bytes) -> None:
    with (
        transport(ca_bundle, Guard()) as made,
        pytest.raises(InvalidSpec, match=r"spec\.acme\.server: the host localhost is not connected to") as caught,
    ):
        made.get(server.url("/a"), kind="directory")
    assert caught.value.reason == "AddressRefused"
    assert server.requests == []


def test_a_rule_that_allows_it_changes_nothing(server: OddServer, ca_bundle: bytes) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    with transport(ca_bundle, Guard(allow_loopback=True)) as made:
        assert made.get(server.url("/a"), kind="directory").body == b"ok"
        assert made.post(server.url("/a"), b"{}", kind="newOrder").body == b"ok"


def test_a_redirect_leads_nowhere_else(server: OddServer, ca_bundle: bytes) -> None:
    server.scripts["/a"] = reply(302, Location="https://169.254.169.254/latest/meta-data/")
    with (
        transport(ca_bundle, Guard(allow_loopback=True)) as made,
        pytest.raises(InvalidSpec, match=r"169\.254\.169\.254 is a link-local address, where clouds keep"),
    ):
        made.get(server.url("/a"), kind="directory")


def test_plain_http_is_no_way_round(ca_bundle: bytes) -> None:
    with (
        transport(ca_bundle, Guard(), allow_http=True) as made,
        pytest.raises(InvalidSpec, match=r"fd00:ec2::254 is the metadata service of AWS"),
    ):
        made.get("http://[fd00:ec2::254]/latest/meta-data/", kind="directory")


def test_a_proxy_is_no_way_round(server: OddServer, ca_bundle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with transport(ca_bundle, Guard()) as made:
        with pytest.raises(InvalidSpec, match=r"169\.254\.169\.254 is a link-local"):
            made.get("https://169.254.169.254/directory", kind="directory")
        assert server.requests == []
        # What does not resolve here may do so there, and the proxy itself is the owner's word.
        with pytest.raises(Retryable):
            made.get("https://ca.invalid/directory", kind="directory")
