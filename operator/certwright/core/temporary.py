"""Whether something is to be served by while the real certificate is on its way: on request only, by an annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certwright.core.observation import Observation
    from certwright.resources.names import Names


def temporary_wanted(observation: Observation, names: Names) -> bool:
    """Whether a temporary certificate is to be put into the Secret now.

    It is where the annotation asks for it, an order is under way, and the Secret has no key with its certificate: one
    that is merely old, or another issuer's, serves better.
    """
    certificate, secret = observation.certificate, observation.secret
    asked = certificate.meta.annotations.get(names.issue_temporary) == "true" and certificate.spec.csr_ref is None
    under_way = certificate.status.order is not None
    return asked and under_way and not (secret and secret.facts.key_matches_certificate)
