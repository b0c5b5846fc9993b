"""What may be written as the server."""

from __future__ import annotations

import pytest

from certwright.acme.servers import SERVERS, directory_url
from certwright.errors import InvalidSpec


@pytest.mark.parametrize(
    "name", ["letsencrypt", "letsencrypt-staging", "zerossl", "google", "google-staging", "buypass", "sslcom"]
)
def test_a_short_name_is_a_url(name: str) -> None:
    assert directory_url(name) == SERVERS[name]
    assert directory_url(SERVERS[name]) == SERVERS[name]
    assert SERVERS[name].startswith("https://")


def test_a_url_stays_as_it_is() -> None:
    assert directory_url(" https://ca.example:8443/acme/dir?x=1 ") == "https://ca.example:8443/acme/dir?x=1"
    assert directory_url("http://ca.example/dir", allow_http=True) == "http://ca.example/dir"


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("", "neither"),
        ("letsencrpyt", "letsencrypt-staging"),
        ("ca.example/dir", "neither"),
        ("ftp://ca.example/", "neither"),
        ("https:///dir", "neither"),
        ("https://[::1/dir", "neither"),
        ("https://ca.example:port/", "neither"),
        ("http://ca.example/dir", "must be https"),
        ("https://acme-v01.api.letsencrypt.org/directory", "'letsencrypt'"),
        ("https://acme-staging.api.letsencrypt.org/directory", "'letsencrypt-staging'"),
        ("x" * 5000, "neither"),
    ],
)
def test_what_cannot_be_one_is_explained(server: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        directory_url(server)
    assert "spec.acme.server" in caught.value.message
    assert len(caught.value.message) <= 300
