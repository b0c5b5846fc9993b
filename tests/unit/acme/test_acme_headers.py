"""Retry-After and Link in all their forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certwright.acme.headers import links, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("5", 5.0),
        (" 120 ", 120.0),
        ("86401", 86400.0),
        ("999999999999", 86400.0),
        ("9" * 400, None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("soon", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2027 12:00:00 GMT", 86400.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, ()),
        ("", ()),
        ('<https://ca.example/2>;rel="alternate"', ("https://ca.example/2",)),
        ("</2>; rel=alternate", ("https://ca.example/2",)),
        (
            '<https://ca.example/dir>;rel="index", </2>; title="x"; rel="alternate",</3>;rel="alternate"',
            ("https://ca.example/2", "https://ca.example/3"),
        ),
        ('</2>;REL="up alternate"', ("https://ca.example/2",)),
        ('</2>;rel="alternates"', ()),
        ("</2>", ()),
        ("nonsense, <>;", ()),
    ],
)
def test_links(value: str | None, found: tuple[str, ...]) -> None:
    assert links(value, relation="alternate", base="https://ca.example/cert/1") == found


def test_a_long_header_takes_no_time() -> None:
    assert links("<" * 60_000 + ";" * 60_000, relation="alternate", base="https://ca.example/") == ()
