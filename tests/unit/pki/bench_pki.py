"""What each step costs: `.venv/bin/python tests/unit/pki/bench_pki.py`. Prints milliseconds, best of five rounds."""

from __future__ import annotations

import gc
import timeit
import tracemalloc
from typing import TYPE_CHECKING

from pki_examples import EC256, NOW, RSA, key, root_data, spec

from certwright.pki import chain, csr, keys, secret, signing
from certwright.pki.certificate import parse_chain
from certwright.pki.difference import describe_difference, request_digest

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = 2_000


def main() -> None:
    wanted = spec(common_name="a.test", dns_names=("a.test", "*.a.test"))
    for kind in (EC256, RSA):
        root = root_data(kind)
        authority = signing.load_authority(root, where="x", now=NOW)
        request = csr.make_csr(wanted, key(kind))
        bundle = signing.sign(request, wanted, authority, now=NOW)
        data = secret.tls_secret_data(wanted, key(kind), chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem)
        facts, _ = parse_chain(bundle.chain_pem)
        print(f"{kind.algorithm} {kind.size}")
        _time("generate", lambda kind=kind: keys.generate(kind), 20)
        _time("load a key", lambda data=data: keys.load(data["tls.key"], "x"))
        _time("make_csr", lambda kind=kind: csr.make_csr(wanted, key(kind)))
        _time("load_authority", lambda root=root: signing.load_authority(root, where="x", now=NOW))
        _time("sign", lambda r=request, a=authority: signing.sign(r, wanted, a, now=NOW))
        _time("parse_chain", lambda pem=bundle.chain_pem: parse_chain(pem))
        _time("chain.problem", lambda pem=bundle.chain_pem, kind=kind: chain.problem(pem, key(kind), now=NOW))
        _time("read_tls_secret", lambda data=data: secret.read_tls_secret(data))
        _time("describe_difference", lambda facts=facts: describe_difference(wanted, facts, fuzzy=False))
        _time("request_digest", lambda: request_digest(wanted))
        _weigh(data)


def _time(what: str, run: Callable[[], object], number: int = 200) -> None:
    print(f"  {what:22}{min(timeit.repeat(run, number=number, repeat=5)) / number * 1e3:9.3f} ms")


def _weigh(data: dict[str, bytes]) -> None:
    gc.collect()
    tracemalloc.start()
    kept = [secret.read_tls_secret(data) for _ in range(KEPT)]
    gc.collect()
    print(f"  {'SecretFacts':22}{tracemalloc.get_traced_memory()[0] / len(kept):9.0f} bytes")
    tracemalloc.stop()


if __name__ == "__main__":
    main()
