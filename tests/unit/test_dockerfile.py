"""The Dockerfile, which only a machine with Docker and a registry can build, says the same as `make image` does."""

import json
import re
import shlex
from pathlib import Path

from cluster import image

LINES = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", (image.REPOSITORY / "Dockerfile").read_text())).splitlines()
FINAL = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM ")) :]


def said(instruction: str, lines: list[str] = LINES) -> list[str]:
    return [line.removeprefix(f"{instruction} ").strip() for line in lines if line.startswith(f"{instruction} ")]


def pairs(texts: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for text in texts for word in shlex.split(text))


def test_it_runs_the_same_way() -> None:
    config = image.CONFIG

    assert [json.loads(entrypoint) for entrypoint in said("ENTRYPOINT", FINAL)] == [config["Entrypoint"]]
    assert said("USER", FINAL) == [config["User"]]
    assert said("WORKDIR", FINAL) == [config["WorkingDir"]]
    assert [f"{name}={value}" for name, value in pairs(said("ENV", FINAL)).items()] == config["Env"]
    assert pairs(said("LABEL", FINAL)) == config["Labels"]


def test_nothing_of_the_build_comes_along() -> None:
    assert said("FROM")[0].endswith(" AS build")
    assert all(copied.startswith("--from=build ") for copied in said("COPY", FINAL))
    assert not re.search(r"\bpip\b", " ".join(FINAL))


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    ignore = [
        line for line in (image.REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {source for text in said("COPY") if "--from=" not in text for source in shlex.split(text)[:-1]}

    assert ignore[0] == "*"
    assert allowed == copied
    assert all((image.REPOSITORY / name).exists() for name in copied)


def test_what_is_left_out_and_not_compiled_is_the_same() -> None:
    steps = " ".join(said("RUN"))

    assert image._NOT_COMPILED in steps
    assert "unchecked-hash" in steps
    assert "UNCHECKED_HASH" in steps
    for path in ("bin/x/", "kubernetes/aio/", "certifi/tests/"):
        assert image._LEFT_OUT.match(path)
        assert Path(path).parts[0 if path == "bin/x/" else 1] in steps
