import pytest

from certwright.errors import InvalidSpec
from certwright.kube.paths import CORE, Target, path, target

GROUP = "/apis/certwright.dev/v1"


@pytest.mark.parametrize(
    ("made", "text", "what"),
    [
        (path(CORE, "secrets"), "/api/v1/secrets", Target("", "secrets", "", "")),
        (path(CORE, "secrets", "a"), "/api/v1/namespaces/a/secrets", Target("", "secrets", "a", "")),
        (path(CORE, "secrets", "a", "b.c"), "/api/v1/namespaces/a/secrets/b.c", Target("", "secrets", "a", "b.c")),
        (path(GROUP, "issuers", "", "b"), f"{GROUP}/issuers/b", Target("certwright.dev", "issuers", "", "b")),
        (
            path(GROUP, "certificates", "a", "b", "status"),
            f"{GROUP}/namespaces/a/certificates/b/status",
            Target("certwright.dev", "certificates/status", "a", "b"),
        ),
        (path(CORE, "namespaces", "", "a"), "/api/v1/namespaces/a", Target("", "namespaces", "", "a")),
    ],
)
def test_there_and_back(made: str, text: str, what: Target) -> None:
    assert made == text
    assert target(made) == what


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "a%2fb", "a?x=y", "a#b", "A", "a b", "-a", "a.", "ä", "a" * 254])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidSpec, match="cannot be the name"):
        path(CORE, "secrets", "ns", name)
    with pytest.raises(InvalidSpec, match="cannot be the name"):
        path(CORE, "secrets", name, "x")
