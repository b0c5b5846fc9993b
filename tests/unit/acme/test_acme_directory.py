"""The directory: what a server says of itself, and what a person is told when it is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from odd_server import OddServer, reply

from certwright.acme.directory import Directory, fetch_directory
from certwright.acme.transport import Transport, utc_now
from certwright.errors import InvalidSpec, Retryable, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = {"newNonce": "https://ca.example/n", "newAccount": "https://ca.example/a", "newOrder": "https://ca.example/o"}


@pytest.fixture
def transport(ca_bundle: bytes) -> Iterator[Transport]:
    made = Transport(ca_bundle_pem=ca_bundle)
    yield made
    made.close()


def fetch(server: OddServer, transport: Transport) -> Directory:
    return fetch_directory(server.url("/dir"), transport=transport, clock=utc_now)


def test_what_a_server_says_of_itself(server: OddServer, transport: Transport) -> None:
    body = {
        **PLAIN,
        "keyChange": "https://ca.example/k",
        "revokeCert": "https://ca.example/r",
        "renewalInfo": "https://ca.example/i",
        "meta": {
            "termsOfService": "https://ca.example/tos",
            "website": "https://ca.example/",
            "caaIdentities": ["ca.example"],
            "externalAccountRequired": True,
            "profiles": {"short": "six days"},
        },
        "random": "https://community.example/",
    }
    server.scripts["/dir"] = reply(302, Location="/real")
    server.scripts["/real"] = reply(200, json.dumps(body).encode())
    directory = fetch(server, transport)
    assert directory == Directory(
        url=server.url("/dir"),
        new_nonce="https://ca.example/n",
        new_account="https://ca.example/a",
        new_order="https://ca.example/o",
        key_change="https://ca.example/k",
        revoke_cert="https://ca.example/r",
        renewal_info="https://ca.example/i",
        terms_of_service="https://ca.example/tos",
        website="https://ca.example/",
        caa_identities=("ca.example",),
        external_account_required=True,
        profiles={"short": "six days"},
    )


@pytest.mark.parametrize("meta", [None, [], "x", {"caaIdentities": "x", "profiles": [], "website": 5}])
def test_odd_meta_is_no_meta(meta: Any) -> None:
    url = "https://ca.example/dir"
    assert Directory.of({**PLAIN, "meta": meta}, url=url) == Directory.of(PLAIN, url=url)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>welcome</html>", "text/html"),
        (200, b"{", "text/html"),
        (200, b"[]", "JSON without newNonce"),
        (200, b'{"newNonce": "x", "newAccount": "y"}', "JSON without newNonce"),
        (200, b'{"newNonce": "x", "newAccount": "y", "newOrder": 5}', "JSON without newNonce"),
        (404, json.dumps(PLAIN).encode(), "404"),
        (403, b"", "403"),
    ],
)
def test_what_is_no_directory_is_explained(
    server: OddServer, transport: Transport, status: int, body: bytes, said: str
) -> None:
    server.scripts["/dir"] = reply(status, body, Content_Type="text/html; charset=utf-8")
    with pytest.raises(InvalidSpec, match=said) as caught:
        fetch(server, transport)
    assert server.url("/dir") in caught.value.message
    assert "spec.acme.server" in caught.value.message
    assert "welcome" not in caught.value.message


def test_a_server_in_trouble_is_asked_again(server: OddServer, transport: Transport) -> None:
    server.scripts["/dir"] = reply(503, b"<html>", Retry_After="30")
    with pytest.raises(Retryable) as caught:
        fetch(server, transport)
    assert caught.value.after == 30.0
    server.scripts["/dir"] = reply(429)
    with pytest.raises(Throttled):
        fetch(server, transport)
