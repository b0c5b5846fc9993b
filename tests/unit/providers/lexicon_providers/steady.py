# ruff: noqa: ARG002 - the interface
"""A provider for lexicon as lexicon's documentation describes one; its API is `test_lexicon.Records`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from lexicon.exceptions import AuthenticationError
from lexicon.interfaces import Provider as BaseProvider

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Provider(BaseProvider):
    """Keeps to the interface in all."""

    @staticmethod
    def get_nameservers() -> list[str]:
        return []

    @staticmethod
    def configure_parser(parser: ArgumentParser) -> None:
        parser.add_argument("--auth-token", help="the token")
        parser.add_argument("--endpoint", help="the API's URL")
        parser.add_argument("--view", help="a view", default="outside")
        parser.add_argument("--login-refused", help="let the login fail", action="store_true")

    def authenticate(self) -> None:
        if self._get_provider_option("login_refused"):
            raise AuthenticationError(f"No domain found with {self._get_provider_option('auth_token')}")
        assert self._get_provider_option("view") == "outside"  # a default of the command line counts here, too
        self._call("GET", f"/{self.domain}")

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        body = {"type": rtype, "value": content, "ttl": self._get_lexicon_option("ttl")}
        self._call("POST", f"/{self.domain}/{self._full_name(name)}", body)
        return True

    def list_records(
        self, rtype: str | None = None, name: str | None = None, content: str | None = None
    ) -> list[dict[str, Any]]:
        found = self._call("GET", f"/{self.domain}/{self._full_name(name or '')}")
        return [one for one in found if one["type"] == rtype and content in {None, one["content"]}]

    def update_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        raise NotImplementedError

    def delete_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        self._call("DELETE", f"/{self.domain}/{self._full_name(name or '')}", {"type": rtype, "value": content})
        return True

    def _call(self, method: str, path: str, body: object = None) -> Any:
        token = self._get_provider_option("auth_token")
        # The worst that a real one does: the credential in the URL, and no timeout.
        url = f"{self._get_provider_option('endpoint')}{path}"
        response = requests.request(method, url, params={"token": token}, json=body)  # noqa: S113
        response.raise_for_status()
        return response.json() if response.content else None
