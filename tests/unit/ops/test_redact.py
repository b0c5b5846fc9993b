"""What must never reach a log, in every shape that it might come in."""

import base64
import io
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certwright.errors import Terminal
from certwright.kube.secrets import Secret
from certwright.ops import logs
from certwright.ops.redact import redact, redact_text
from certwright.resources.meta import Meta
from certwright.resources.names import CERTIFICATE, ObjectKey

KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)
INSIDE = KEY.splitlines()[1]
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLW9mLWl0"
HIDDEN = "hunter2-hidden-value"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (KEY, INSIDE),
        (f"before {KEY} after", INSIDE),
        (KEY.replace("\n", "\\n"), INSIDE),
        (KEY.replace("EC PRIVATE", "RSA PRIVATE"), INSIDE),
        (KEY.replace("EC PRIVATE", "PRIVATE"), INSIDE),
        (KEY.replace("EC PRIVATE", "ENCRYPTED PRIVATE"), INSIDE),
        (KEY[:120], INSIDE[:60]),
        (json.dumps({"tls.key": KEY}), INSIDE),
        (base64.b64encode(KEY.encode()).decode(), base64.b64encode(KEY.encode()).decode()[30:60]),
        (f"Authorization: Bearer {HIDDEN}", HIDDEN),
        (f"{{'Authorization': 'Bearer {HIDDEN}', 'Accept': 'x'}}", HIDDEN),
        (f"authorization=Basic {HIDDEN}", HIDDEN),
        (f"sent bearer {HIDDEN}", HIDDEN),
        (f"the token {JWT} expired", JWT.split(".")[2]),
        (f"the token {JWT} expired", JWT.split(".")[1]),
        (f"https://dns.example/api?token={HIDDEN}&zone=x", HIDDEN),
        (f"https://dns.example/api?zone=x&api_key={HIDDEN}", HIDDEN),
        (f"password: {HIDDEN}", HIDDEN),
        (f'{{"clientSecret": "{HIDDEN}"}}', HIDDEN),
        (f'{{"secret": "{HIDDEN}"}}', HIDDEN),
        (f"secret={HIDDEN}", HIDDEN),
        (f"AWS_SECRET_ACCESS_KEY={HIDDEN}", HIDDEN),
        (f"aws_access_key={HIDDEN}", HIDDEN),
        (f"hmac-key: {HIDDEN}", HIDDEN),
        (f"https://admin:{HIDDEN}@dns.example/", HIDDEN),
        ('{"kty": "EC", "crv": "P-256", "d": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}', "abcdefghijklmnopq"),
        ("{'kty': 'oct', 'k': 'abcdefghijklmnopqrstuvwxyz'}", "abcdefghijklmnopq"),
        ("x" * 30_000 + HIDDEN, HIDDEN),
    ],
)
def test_texts(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "secret shop/web: it has no entry tls.key; add it or remove the reference",
        "Secret shop/web-tls does not exist",
        "private key of spec.privateKey: size 1024 is too small",
        "1 of 2 names proven; ns2.example.com has not got the record yet",
        "https://acme.example/order/1/2 is pending",
        "_acme-challenge.example.com. TXT bKz3q3TJm6oXtLVxY8mHkw1Z0m9cPq4Vj7nRZ2sT5uE",
        "issuer=ClusterIssuer/letsencrypt",
        "-----BEGIN CERTIFICATE-----",
        "the basic constraints say CA",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret", HIDDEN),
        ("private_key", HIDDEN),
        ("apiKey", HIDDEN),
        ("tls.key", HIDDEN),
        ("TOKEN", HIDDEN),
        ("tokens", [HIDDEN]),
        ("credentials", {"a": HIDDEN}),
        ("password", HIDDEN),
        ("Authorization", HIDDEN),
        ("hmac", HIDDEN),
        ("key", HIDDEN),
        ("body", {"kind": "Secret", "data": {"a": HIDDEN}, "stringData": {"b": HIDDEN}}),
        ("body", {"type": "kubernetes.io/tls", "data": {"a": HIDDEN}}),
        ("config", {"deep": [{"er": {"api_token": HIDDEN}}]}),
        ("data", HIDDEN.encode()),
        ("items", [HIDDEN.encode(), (HIDDEN.encode(),)]),
        ("error", ValueError(f"bad password={HIDDEN}")),
        ("loop", {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": HIDDEN}}}}}}}}}),
        (
            "object",
            Secret(
                Meta("a", "b", "", 0, "", None, deleting=False, labels={}, annotations={}),
                "Opaque",
                {"x": HIDDEN.encode()},
            ),
        ),
    ],
)
def test_fields(name: str, value: Any) -> None:
    assert HIDDEN not in json.dumps(redact(None, "info", {"event": "x", name: value}))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("secret_name", "web-tls", "web-tls"),
        ("secretName", "web-tls", "web-tls"),
        ("key_algorithm", "ECDSA", "ECDSA"),
        ("key", ObjectKey(CERTIFICATE, "shop", "web"), "Certificate/shop/web"),
        ("keys", 3, 3),
        ("namespace", "shop", "shop"),
        ("names", ("a", "b"), ["a", "b"]),
        ("data", b"12345", "[5 bytes]"),
        ("ok", True, True),
        ("none", None, None),
    ],
)
def test_fields_that_stay(name: str, value: Any, shown: Any) -> None:
    assert redact(None, "info", {name: value}) == {name: shown}


@pytest.mark.parametrize(
    "part", ["a", "bearer ", "://a:", "-----BEGIN PRIVATE KEY-----", "token", "eyJaaaaaaaaa.", '"d":"', "="]
)
def test_long_lines_cost_little(part: str) -> None:
    began = time.process_time()
    redact_text(part * 20_000)
    assert time.process_time() - began < 0.5


@pytest.fixture
def stream() -> Any:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logs.TALKATIVE:
        logging.getLogger(name).setLevel(logging.NOTSET)


class TestLines:
    @pytest.mark.parametrize("form", logs.FORMATS)
    @pytest.mark.parametrize(
        "write",
        [
            lambda: structlog.get_logger("x").info("text password=" + HIDDEN),
            lambda: structlog.get_logger("x").info("text", api_token=HIDDEN),
            lambda: structlog.get_logger("x").bind(secret=HIDDEN).error("text"),
            lambda: logging.getLogger("other").warning("text password=%s", HIDDEN),
            lambda: logging.getLogger("kopf.objects").error("text", extra={"token": HIDDEN}),
            lambda: _raising(structlog.get_logger("x").exception),
            lambda: _raising(logging.getLogger("other").exception),
        ],
    )
    def test_nothing_leaks(self, stream: io.StringIO, form: str, write: Callable[[], None]) -> None:
        logs.configure(format=form, stream=stream)
        write()
        assert "text" in stream.getvalue()
        assert HIDDEN not in stream.getvalue()
        assert INSIDE not in stream.getvalue()

    def test_a_traceback_has_no_local_variables(self, stream: io.StringIO) -> None:
        logs.configure(stream=stream, level="debug")
        _raising(structlog.get_logger("x").exception)
        assert "in _raising" in stream.getvalue()
        assert "local_variable" not in stream.getvalue().replace("local_variable = HIDDEN", "")

    def test_json_has_one_object_a_line_with_its_context(self, stream: io.StringIO) -> None:
        logs.configure(format="json", stream=stream)
        with structlog.contextvars.bound_contextvars(namespace="shop", name="web", uid="1"):
            structlog.get_logger("certwright.x").info("issued", revision=2)
            logging.getLogger("library").warning("%s\nlines", "two")
        first, second = (json.loads(line) for line in stream.getvalue().splitlines())
        assert first.pop("timestamp").endswith("Z")
        assert first == {
            "event": "issued",
            "level": "info",
            "logger": "certwright.x",
            "namespace": "shop",
            "name": "web",
            "uid": "1",
            "revision": 2,
        }
        assert (second["event"], second["name"], second["logger"]) == ("two\nlines", "web", "library")

    def test_text_is_plain_where_there_is_no_terminal(self, stream: io.StringIO) -> None:
        logs.configure(stream=stream)
        structlog.get_logger("x").info("issued", name="web")
        assert "\x1b" not in stream.getvalue()
        assert "issued" in stream.getvalue()
        assert "name=web" in stream.getvalue()

    def test_levels(self, stream: io.StringIO) -> None:
        logs.configure(stream=stream, level="debug")
        for name in logs.TALKATIVE:
            logging.getLogger(name).info("chatter")
        logging.getLogger("ours").debug("heard")
        structlog.get_logger("x").debug("too")
        assert "chatter" not in stream.getvalue()
        assert "heard" in stream.getvalue()
        assert "too" in stream.getvalue()
        logs.configure(stream=stream, level="error")
        structlog.get_logger("x").warning("quiet")
        logging.getLogger("urllib3").warning("quiet")
        assert "quiet" not in stream.getvalue()

    @pytest.mark.parametrize("setting", [{"format": "xml"}, {"level": "loud"}])
    def test_settings_that_there_are_not(self, setting: dict[str, str]) -> None:
        with pytest.raises(Terminal, match="unknown; choose one of"):
            logs.configure(**setting)


def _raising(write: Callable[[str], None]) -> None:
    local_variable = HIDDEN
    try:
        raise ValueError(f"cannot read {KEY} password={local_variable}")  # noqa: TRY301 - it is logged here
    except ValueError:
        write("text")
