"""The protocol of lego's exec, with real programs that keep what they are told in a file."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers import exec_program, process
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.vendors import PATH, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
CREDENTIAL = "exec-credential-0123456789"
ZONEFILE = f"""#!{sys.executable} -SE
import fcntl, json, os, sys
act, name, value = sys.argv[1:]
if os.environ["CREDENTIAL"] != {CREDENTIAL!r}:
    print("the key", os.environ["CREDENTIAL"], "is not known", file=sys.stderr)
    sys.exit(77)
with open("FILE", "r+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    if os.path.exists("FILE.busy"):
        print("asked too often, try again later")
        sys.exit(75)
    records = json.load(file)
    values = records.setdefault(name, [])
    if act == "present" and value not in values:
        values.append(value)
    if act == "cleanup" and value in values:
        values.remove(value)
    file.seek(0)
    file.truncate()
    json.dump(records, file)
"""


@pytest.fixture(autouse=True)
def _nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_program, "_allowed", exec_program._Allowed())


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Makes a program of a text, and allows it."""
    made: list[str] = []

    def make(text: str) -> str:
        file = tmp_path / f"program-{len(made)}"
        file.write_text(text)
        file.chmod(0o755)
        made.append(str(file))
        exec_program.allow_programs(made)
        return str(file)

    return make


def build(program: str, credential: str | None = None, **config: object) -> exec_program.Exec:
    more = {"secretRef": {"name": "dns"}} if credential else {}
    return exec_program.build(
        Fields({"program": program, **more, **config}, PATH), secrets_of({"credential": credential or ""})
    )


def fault(provider: exec_program.Exec) -> CertwrightError:
    with pytest.raises(CertwrightError) as caught:
        provider.add_txt(ZONE, NAME, VALUES[0])
    return caught.value


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(check: Check, program: Callable[[str], str], tmp_path: Path) -> None:
    records, busy = tmp_path / "records", tmp_path / "records.busy"
    records.write_text("{}")
    path = program(ZONEFILE.replace("FILE", str(records)))

    def stranger(name: str, value: str) -> None:
        records.write_text(json.dumps({**json.loads(records.read_text()), name: [value]}))

    class Throttled:
        def __enter__(self) -> None:
            busy.touch()

        def __exit__(self, *_: object) -> None:
            busy.unlink()

    check.run(
        Subject(
            make=lambda: build(path, CREDENTIAL),
            read_txt=lambda name: json.loads(records.read_text()).get(name, []),
            zone=ZONE,
            subzone="sub.example.com.",
            throttled=Throttled,
            expired=lambda: build(path, "an-old-credential"),
            credentials=(CREDENTIAL, "an-old-credential"),
            stranger=stranger,
            elsewhere=other_process.of_config(
                {"provider": {"name": "exec", "config": {"program": path}, "secretRef": {"name": "dns"}}}, CREDENTIAL
            ),
        )
    )


def test_what_a_program_gets(program: Callable[[str], str], tmp_path: Path) -> None:
    report = tmp_path / "report"
    text = (
        f"import json, os, sys\njson.dump([sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read(), "
        f"os.getsid(0) == os.getpid(), os.listdir('/proc/self/fd')], open({str(report)!r}, 'w'))\n"
    )
    build(program(f"#!{sys.executable} -SE\n{text}"), CREDENTIAL).remove_txt(ZONE, NAME, VALUES[0])
    arguments, environment, folder, stdin, own_session, files = json.loads(report.read_text())
    assert arguments == ["cleanup", NAME, VALUES[0]]
    assert environment == {
        **exec_program.ENVIRONMENT,
        "CERTWRIGHT_ZONE": ZONE,
        "CREDENTIAL": CREDENTIAL,
        **{name: value for name, value in environment.items() if name in {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}},
    }
    assert (folder, stdin, own_session) == ("/", "", True)
    assert len(files) <= 5  # its own three, the report, and the folder that is listed


def test_only_programs_that_are_allowed_run(tmp_path: Path, program: Callable[[str], str]) -> None:
    ran = tmp_path / "ran"
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\ntouch {ran}\n")
    other.chmod(0o755)
    with pytest.raises(
        InvalidSpec, match=r"config\.program: '.*/other' is not among .*--exec-programs allows \(none\)"
    ):
        build(str(other))
    allowed = program("#!/bin/sh\nexit 0\n")
    for name in (str(other), f"{allowed}/../other", f"{allowed} --force", "program-0", ""):
        with pytest.raises(InvalidSpec, match=r"config\.program: "):
            build(name)
    build(allowed).add_txt(ZONE, NAME, VALUES[0])
    assert not ran.exists()


def test_the_flag_takes_absolute_paths_only() -> None:
    with pytest.raises(InvalidSpec, match=r"exec-programs: 'hook\.sh' must be an absolute path"):
        exec_program.allow_programs(["/opt/hook", "hook.sh"])


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1, Retryable, "exit code 1: no luck"),
        (75, Retryable, "exit code 75: no luck"),
        (77, Terminal, r"its credentials are refused \(.*the entry credential of Secret dns\): no luck"),
        (78, Terminal, "it is not set up as it should be: no luck"),
    ],
)
def test_what_exit_codes_mean(
    program: Callable[[str], str], code: int, kind: type[CertwrightError], words: str
) -> None:
    made = build(program(f"#!/bin/sh\necho one >&2\necho no luck\nexit {code}\n"), CREDENTIAL)
    with pytest.raises(kind, match=rf"program-0 present _acme-challenge\.www\.example\.com\.: {words}$"):
        made.add_txt(ZONE, NAME, VALUES[0])


def test_a_signal_is_told(program: Callable[[str], str]) -> None:
    assert fault(build(program("#!/bin/sh\nkill -TERM $$\n"))).message.endswith("ended by signal 15")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


@pytest.mark.parametrize("last", ["sleep 600", "exit 0"], ids=["late", "in time"])
def test_nothing_is_left_running(program: Callable[[str], str], tmp_path: Path, last: str) -> None:
    """Neither the program after its deadline, nor what it started, which holds its output open."""
    pids = tmp_path / "pids"
    path = program(f"#!/bin/sh\nsleep 601 &\necho $! $$ >{pids}\n{last}\n")
    if last == "exit 0":
        build(path).add_txt(ZONE, NAME, VALUES[0])
    else:
        told = fault(build(path, timeout="2s"))
        assert isinstance(told, Retryable)
        assert told.message.endswith("killed after 2 s")
    assert all(gone(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nyes 0123456789\n",
        "#!/bin/sh\nexec >&- 2>&-\nwhile :; do :; done\n",
        "#!/bin/sh\nyes 0123456789 &\nexit 3\n",
    ],
    ids=["endless output", "closed output", "endless output of a child"],
)
def test_output_is_bounded(program: Callable[[str], str], text: str) -> None:
    ends = "exit 3" in text
    outcome = process.run([program(text)], environment={"PATH": os.environ["PATH"]}, seconds=60 if ends else 0.5)
    assert outcome.status == (3 if ends else None)
    assert len(outcome.output) <= process.MAX_OUTPUT


def test_long_output_before_the_end(program: Callable[[str], str]) -> None:
    path = program("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\\\0' x\necho\necho the end\nexit 1\n")
    assert fault(build(path)).message.endswith("exit code 1: the end")


def test_the_credential_is_in_no_message(program: Callable[[str], str]) -> None:
    path = program('#!/bin/sh\necho "cannot log in with <$CREDENTIAL>; token: abc123, https://me:pw@host/"\nexit 1\n')
    told = fault(build(path, CREDENTIAL)).message
    assert told.endswith("cannot log in with <[redacted]>; token: [redacted], https://me:[redacted]@host/")
    cut = program('#!/bin/sh\nprintf "%s" "$CREDENTIAL"; head -c 4080 /dev/zero | tr "\\\\0" x\nexit 1\n')
    assert fault(build(cut, CREDENTIAL)).message.endswith("exit code 1")
    assert CREDENTIAL not in repr(build(path, CREDENTIAL))


@pytest.mark.parametrize("text", ["no interpreter", "#!/no/such/interpreter\n"])
def test_a_program_that_cannot_be_run(program: Callable[[str], str], text: str) -> None:
    told = fault(build(program(text)))
    assert isinstance(told, Terminal)
    assert "config.program: " in told.message
    assert "cannot be run: " in told.message


def test_a_program_that_is_gone(program: Callable[[str], str]) -> None:
    path = program("#!/bin/sh\n")
    made = build(path)
    Path(path).unlink()
    assert isinstance(fault(made), Terminal)


@pytest.mark.parametrize("timeout", ["0s", "-1s", "3m", "soon"])
def test_a_bad_timeout(program: Callable[[str], str], timeout: str) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.timeout: "):
        build(program("#!/bin/sh\n"), timeout=timeout)


def test_zones_are_not_known(program: Callable[[str], str]) -> None:
    assert build(program("#!/bin/sh\n")).find_zone(NAME) is None
