"""The vendors whose APIs are faked, each with its fake and the Secret that goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from certwright.errors import InvalidSpec
from certwright.providers import (
    akamai,
    api,
    cloudflare,
    desec,
    digitalocean,
    gandi,
    godaddy,
    hetzner,
    infoblox,
    ionos,
    linode,
    namecheap,
    ovh,
    scaleway,
    vultr,
)
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers import (
    fake_akamai,
    fake_cloudflare,
    fake_desec,
    fake_digitalocean,
    fake_gandi,
    fake_godaddy,
    fake_hetzner,
    fake_infoblox,
    fake_ionos,
    fake_linode,
    fake_namecheap,
    fake_ovh,
    fake_scaleway,
    fake_vultr,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from certwright.providers.base import Secrets
    from unit.providers.fake_api import FakeApi

PATH = "spec.acme.solvers[0].dns01.provider.config"


def secrets_of(entries: dict[str, str]) -> Secrets:
    """One Secret, called `dns`."""

    def read(name: str, key: str) -> bytes:
        if name != "dns" or key not in entries:
            raise InvalidSpec(f"Secret ns/{name} has no value under {key!r}", reason="SecretNotFound")
        return entries[key].encode()

    return read


@dataclass(frozen=True)
class Vendor:
    """One vendor.

    Args:
        module: Of the provider.
        kind: Makes the provider of its API.
        fake: The vendor's fake.
        entries: Of the Secret.
        config: What the config needs beside the Secret.
        url: Where the API is by default; the module's own where it has one.
        requests: How many the first two values of a name may cost: at least the zone, and reading and writing each.
        subzone: A zone below example.com; None where the vendor has registered domains only.
    """

    module: ModuleType
    kind: Callable[[Any], Any]
    fake: type[FakeApi]
    entries: dict[str, str]
    config: dict[str, object] = field(default_factory=dict)
    url: str = ""
    requests: int = 5
    subzone: str | None = "sub.example.com."

    @property
    def name(self) -> str:
        return str(self.module.PROVIDER.name)

    @property
    def fields(self) -> Fields:
        """A config whose credentials are in one Secret."""
        return Fields({**self.config, "secretRef": {"name": "dns"}}, PATH)

    def provider(self, fake: FakeApi | str) -> Any:
        """A new provider that talks to the fake, or to the one at a URL."""
        url = fake if isinstance(fake, str) else fake.url
        endpoint = self.module.endpoint(self.fields, secrets_of(self.entries))
        there = replace(endpoint, url=url, url_field="url")
        client = getattr(self.module, "CLIENT", api.Api)
        return self.kind(client(there, guard=Guard(allow_loopback=True)))


VENDORS = (
    Vendor(cloudflare, cloudflare.Cloudflare, fake_cloudflare.FakeCloudflare, {"apiToken": fake_cloudflare.TOKEN}),
    Vendor(
        digitalocean, digitalocean.DigitalOcean, fake_digitalocean.FakeDigitalOcean, {"token": fake_digitalocean.TOKEN}
    ),
    Vendor(hetzner, hetzner.Hetzner, fake_hetzner.FakeHetzner, {"apiToken": fake_hetzner.TOKEN}),
    Vendor(desec, desec.Desec, fake_desec.FakeDesec, {"apiToken": fake_desec.TOKEN}),
    Vendor(gandi, gandi.Gandi, fake_gandi.FakeGandi, {"apiToken": fake_gandi.TOKEN}),
    Vendor(
        godaddy,
        godaddy.GoDaddy,
        fake_godaddy.FakeGoDaddy,
        {"apiKey": fake_godaddy.KEY, "apiSecret": fake_godaddy.SECRET},
    ),
    Vendor(
        infoblox,
        lambda made: infoblox.Infoblox(made, fake_infoblox.VIEW),
        fake_infoblox.FakeInfoblox,
        {"password": fake_infoblox.PASSWORD},
        config={"host": "https://gm.example.com", "username": fake_infoblox.USER, "view": fake_infoblox.VIEW},
        url="https://gm.example.com/wapi/v2.11",
    ),
    Vendor(
        akamai,
        akamai.Akamai,
        fake_akamai.FakeAkamai,
        {
            "clientToken": fake_akamai.CLIENT_TOKEN,
            "clientSecret": fake_akamai.CLIENT_SECRET,
            "accessToken": fake_akamai.ACCESS_TOKEN,
        },
        config={"serviceConsumerDomain": "akab-0123456789.luna.akamaiapis.net"},
        url="https://akab-0123456789.luna.akamaiapis.net/config-dns/v2",
    ),
    Vendor(linode, linode.Linode, fake_linode.FakeLinode, {"apiToken": fake_linode.TOKEN}),
    Vendor(vultr, vultr.Vultr, fake_vultr.FakeVultr, {"apiKey": fake_vultr.KEY}),
    Vendor(ionos, ionos.Ionos, fake_ionos.FakeIonos, {"apiKey": fake_ionos.KEY}),
    Vendor(
        namecheap,
        namecheap.Namecheap,
        fake_namecheap.FakeNamecheap,
        {"apiKey": fake_namecheap.KEY},
        config={"apiUser": fake_namecheap.USER, "clientIP": fake_namecheap.ADDRESS},
        subzone=None,
    ),
    Vendor(
        ovh,
        ovh.Ovh,
        fake_ovh.FakeOvh,
        {"applicationKey": fake_ovh.KEY, "applicationSecret": fake_ovh.SECRET, "consumerKey": fake_ovh.CONSUMER},
        requests=6,
    ),
    Vendor(scaleway, scaleway.Scaleway, fake_scaleway.FakeScaleway, {"secretKey": fake_scaleway.KEY}),
)
