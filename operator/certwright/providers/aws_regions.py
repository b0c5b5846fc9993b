"""Where AWS's services are, by region: the parts of AWS that know nothing of each other have names of their own.

Route 53 has one endpoint in each part, and its requests are signed for one region; STS has an endpoint in each region
(https://docs.aws.amazon.com/general/latest/gr/r53.html and sts.html).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from certwright.resources.reading import Fields

DEFAULT_REGION: Final = "us-east-1"
ROUTE53, STS = "route53", "sts"
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,2}-[0-9]{1,2}")
"""A region's name is part of a host's name: nothing else may be."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of AWS.

    Args:
        prefix: Of its regions' names.
        suffix: Of its hosts' names.
        route53: Route 53's host.
        signing: The region that requests to Route 53 are signed for.
    """

    prefix: str
    suffix: str
    route53: str
    signing: str


_PARTS: Final = (
    _Part("cn-", "amazonaws.com.cn", "route53.amazonaws.com.cn", "cn-northwest-1"),
    _Part("us-gov-", "amazonaws.com", "route53.us-gov.amazonaws.com", "us-gov-west-1"),
    _Part("eusc-", "amazonaws.eu", "route53.amazonaws.eu", "eusc-de-east-1"),
    _Part("", "amazonaws.com", "route53.amazonaws.com", "us-east-1"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """One service as it is reached.

    Args:
        url: Its URL.
        region: The region that requests are signed for.
        url_field: Who chose the URL, where it is not AWS's own; see Endpoint.url_field.
    """

    url: str
    region: str
    url_field: str = ""


def region_of(config: Fields) -> str:
    """The region of a config, else the operator's, as AWS's own programs find it.

    Raises:
        InvalidSpec: It cannot be a region's name.
    """
    region, field = config.text("region").strip(), config.at("region")
    if not region:
        region, field = operators_region()
    if not _REGION.fullmatch(region):
        raise InvalidSpec(f"{field}: {region[:40]!r} cannot be the name of an AWS region; write one like eu-central-1")
    return region


def operators_region() -> tuple[str, str]:
    """The region of the operator's environment, us-east-1 where it has none, and the variable that it is from."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(variable):
            return os.environ[variable], f"{variable} of the operator's environment"
    return DEFAULT_REGION, "the region"


def route53(region: str) -> Service:
    """Route 53, of the part of AWS that a region is in."""
    part = _part(region)
    return _service("AWS_ENDPOINT_URL_ROUTE_53", Service(f"https://{part.route53}", part.signing))


def sts(region: str) -> Service:
    """The Security Token Service of a region."""
    return _service("AWS_ENDPOINT_URL_STS", Service(f"https://sts.{region}.{_part(region).suffix}", region))


def _part(region: str) -> _Part:
    return next(part for part in _PARTS if region.startswith(part.prefix))


def _service(variable: str, usual: Service) -> Service:
    """The service, at another URL where the operator's environment has one, as AWS's own programs take it."""
    for name in (variable, "AWS_ENDPOINT_URL"):
        if os.environ.get(name):
            return Service(os.environ[name], usual.region, f"{name} of the operator's environment")
    return usual
