"""What runs in a process of its own to change TXT records by dns-lexicon; `providers.lexicon` starts it.

A job comes as JSON by standard input, and nothing else: no credential is in the arguments or the environment. The
answer is a line of the output that begins with a word of the job, since libraries print. Only here is lexicon imported.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import signal
import sys
import time
from argparse import ArgumentParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from certwright.providers.guard import Guard
from certwright.providers.lexicon_answer import FAILED, MISSING_EXTRA, OPTION, PROVIDER, REFUSED, fault_of
from certwright.providers.names import bare, relative
from certwright.providers.sandbox import Sandbox
from certwright.providers.txt import loose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS: Final = 3
PAUSE: Final = 1.0
"""Seconds before an API is asked again that does not yet tell what it was told."""
WITHHELD: Final = {
    "auto": "it guesses the provider by starting programs; name the provider itself",
    "localzone": "it writes files of the operator; use rfc2136 for a server of your own",
}
"""Providers of lexicon that are not offered, and why."""
Answer = dict[str, Any]


class RefusalError(Exception):
    """The job cannot be done as it is written; `kind` is one of lexicon_answer's."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def main() -> None:
    """Do one job and end."""
    job = json.loads(sys.stdin.buffer.read())
    # Whoever waits for this may be gone by then.
    signal.setitimer(signal.ITIMER_REAL, float(job["seconds"]) + 5)
    answer = do(job)
    sys.stdout.flush()
    line = f"\n{job['answer']} {json.dumps(answer)}\n".encode()
    while line:
        line = line[os.write(1, line) :]
    os._exit(0)  # what the library left running has no say any more


def do(job: Mapping[str, Any]) -> Answer:
    """The answer to a job; a fault is an answer, too."""
    try:
        importlib.import_module("lexicon.client")
    except ImportError as error:
        return {"fault": MISSING_EXTRA, "text": str(error)}
    if job["do"] == "describe":
        return {"providers": describe()}
    guard = Guard(
        allow_loopback=bool(job["guard"]["loopback"]),
        allowed=tuple(ipaddress.ip_network(network) for network in job["guard"]["allowed"]),
    )
    sandbox = Sandbox(guard)
    try:
        settings = _settings(job)
        sandbox.lay()
        _change(job, settings)
    except RefusalError as error:
        return {"fault": error.kind, "text": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's answer
        if sandbox.refusals:
            return {"fault": REFUSED, "text": "; ".join(sandbox.refusals)}
        return fault_of(error, job["secrets"])
    return {"ok": True}


def describe() -> dict[str, dict[str, str]]:
    """The providers of lexicon that can be used: the options of each, with what lexicon says of them."""
    discovery = importlib.import_module("lexicon._private.discovery")
    found: dict[str, dict[str, str]] = {}
    for name in sorted(discovery.find_providers()):
        if name not in WITHHELD:
            actions = _options(discovery, name).items()
            found[name] = {option: " ".join(str(action.help or "").split()) for option, action in actions}
    return found


def _options(discovery: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - a module of lexicon's
    """The options of a provider, as its command line has them: argparse's actions by name."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    discovery.load_provider_module(name).Provider.configure_parser(parser)
    return {action.dest: action for action in parser._actions}  # noqa: SLF001 - there is no other way to list them


def _settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """What lexicon's configuration resolves, with the defaults that only its command line would know."""
    name = job["provider"]
    discovery = importlib.import_module("lexicon._private.discovery")
    if name in WITHHELD:
        raise RefusalError(PROVIDER, f"lexicon's provider {name} is not offered: {WITHHELD[name]}")
    providers = discovery.find_providers()
    if name not in providers:
        raise RefusalError(PROVIDER, f"lexicon has no provider {name!r}; certwright providers lexicon lists them")
    if not providers[name]:
        raise RefusalError(MISSING_EXTRA, f"lexicon's provider {name} needs more: dns-lexicon[{name}]")
    known = _options(discovery, name)
    for option in job["options"]:
        if option not in known:
            has = ", ".join(sorted(known)) or "none"
            raise RefusalError(OPTION, f"{option}: lexicon's provider {name} has no such option; it has {has}")
    options = {option: action.default for option, action in known.items() if action.default is not None}
    zone = bare(job["zone"])
    # One provider looks for the zone among its own options.
    return {
        "provider_name": name,
        "domain": zone,
        "ttl": job["ttl"],
        name: {"domain": zone, **options, **job["options"]},
    }


def _client(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - lexicon's
    """A new client whose zone is ours: lexicon's own ways to find it ask the network, and err below delegations."""
    module: Any = importlib.import_module("lexicon.client")
    first, _, rest = settings["domain"].partition(".")
    parts = type("Parts", (), {"domain": first, "suffix": rest})
    module.tldextract = type("Ours", (), {"TLDExtract": staticmethod(lambda **_: lambda _domain: parts)})
    config = importlib.import_module("lexicon.config").ConfigResolver().with_dict(dict(settings))
    client = module.Client(config)
    if client.config.resolve("lexicon:domain") != settings["domain"]:
        raise RefusalError(FAILED, "this version of dns-lexicon does not take the zone that it is given")
    return client


def _change(job: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Change the values, and look by a new client whether that took effect; what did not is done again."""
    add = job["do"] == "add"
    left = [(bare(name), value) for name, value in job["items"]]
    for number in range(ROUNDS):
        with _client(settings) as operations:
            for name, value in left:
                values = _values(operations, name, settings["domain"])
                if values is None or (value in values) is not add:
                    _change_one(operations, name, value, add=add)
        with _client(settings) as operations:
            seen = {name: _values(operations, name, settings["domain"]) for name in dict(left)}
        left = [(name, value) for name, value in left if not _as_wanted(seen[name], value, add=add)]
        if not left:
            return
        if number < ROUNDS - 1:
            time.sleep(PAUSE)
    names = ", ".join(sorted({name for name, _ in left})[:3])
    raise RefusalError(FAILED, f"the API does not show that it did {job['do']} the value at {names}")


def _change_one(operations: Any, name: str, value: str, *, add: bool) -> None:  # noqa: ANN401 - lexicon's
    try:
        act: Callable[..., object] = operations.create_record if add else operations.delete_record
        done = act(rtype="TXT", name=name, content=value)
    except Exception as error:
        if add or not _is_missing(error):
            raise
        return  # what is gone already cannot be removed
    if done is False:
        raise RefusalError(FAILED, f"the API says no to {'adding' if add else 'removing'} a value at {name}")


def _is_missing(error: Exception) -> bool:
    """Whether an API said that there is no such record."""
    return getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.NOT_FOUND


def _as_wanted(values: list[str] | None, value: str, *, add: bool) -> bool:
    """Whether a listing shows the change; one that cannot be had shows nothing, and the DNS is asked later anyway."""
    return values is None or (value in values) is add


def _values(operations: Any, name: str, zone: str) -> list[str] | None:  # noqa: ANN401 - lexicon's
    """The TXT values at a name; None where lexicon's provider fails to list what is there, or that nothing is."""
    try:
        records = operations.list_records(rtype="TXT", name=name)
    except Exception as error:
        if fault_of(error, ())["fault"] != FAILED and not _is_missing(error):
            raise
        return None
    names = {name, relative(name, zone, apex="")}
    return [
        loose(str(record.get("content", "")))
        for record in records or ()
        if record.get("type", "TXT") == "TXT" and bare(str(record.get("name", ""))).removeprefix("@") in names
    ]


if __name__ == "__main__":
    main()
