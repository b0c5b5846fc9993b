"""Keeps an eye on kopf's requests: adds the credentials of the moment, and notes when each watch was opened last.

kopf tells neither when a list is complete nor that a watch has ended for good; its requests do.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import kopf

from certwright.errors import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp.client_middlewares import ClientHandlerType

    from certwright.kube.client import Kube
    from certwright.watch.scope import Place

LOGIN_PAUSE = 5.0  # seconds
SOCKETS_CLOSE = 0.1  # seconds; aiohttp closes TLS connections a moment after their session


class Streams:
    """The watches of one run.

    Args:
        kube: Who knows the credentials.
        places: The watches there must be.
        user_agent: How the audit log shall name us.
        on_listed: Called with a place when its watch opens after a list, so after whatever a gap has hidden.
    """

    def __init__(
        self, kube: Kube, places: Iterable[Place], *, user_agent: str, on_listed: Callable[[Place], None]
    ) -> None:
        self._kube = kube
        self._places = {place.path: place for place in places}
        self._user_agent = user_agent
        self._on_listed = on_listed
        self._lock = threading.Lock()
        self._opened = dict.fromkeys(self._places, time.monotonic())
        self._listed: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._server_name = self._base = ""
        self._logged_in = -LOGIN_PAUSE

    def oldest(self) -> float:
        """Seconds since the watch that was opened longest ago was opened; each ends by itself and is opened again."""
        with self._lock:
            return time.monotonic() - min(self._opened.values(), default=time.monotonic())

    async def login(self) -> kopf.AiohttpSession:
        """A session for kopf with the credentials as they are now.

        Raises:
            Terminal: When they cannot be read.
        """
        # A refused credential makes kopf ask again at once, which must not become a storm.
        pause, self._logged_in = self._logged_in + LOGIN_PAUSE - time.monotonic(), time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        credentials = await asyncio.to_thread(self._kube.credentials)
        self._server_name = credentials.server_name
        self._base = urlsplit(credentials.server).path  # where a proxy serves several clusters
        try:
            context = ssl.create_default_context(cafile=credentials.ca_path or None)
            if credentials.certificate_path:
                context.load_cert_chain(credentials.certificate_path, credentials.key_path or None)
        except OSError as error:
            raise Terminal(f"cannot read the credentials for the API server: {error}", reason="NoLogin") from None
        if credentials.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            headers={"User-Agent": self._user_agent},
            middlewares=(self._pass,),
            proxy=credentials.proxy or None,
        )
        return kopf.AiohttpSession(server=credentials.server, aiohttp_session=self._session)

    async def close(self) -> None:
        """Close the connections, which kopf leaves open when it fails."""
        if self._session and not self._session.closed:
            await self._session.close()
        await asyncio.sleep(SOCKETS_CLOSE)

    async def _pass(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        # In a thread, since a plugin may have to be run for it.
        if authorization := await asyncio.to_thread(self._kube.authorization):
            request.headers["Authorization"] = authorization
        if self._server_name:
            request.server_hostname = self._server_name
        response = await handler(request)
        if (
            response.ok
            and request.method == "GET"
            and (place := self._places.get(request.url.path.removeprefix(self._base)))
        ):
            self._note(place, watch=request.url.query.get("watch") == "true")
        return response

    def _note(self, place: Place, *, watch: bool) -> None:
        with self._lock:
            if not watch:
                self._listed.add(place.path)
                return
            self._opened[place.path] = time.monotonic()
            again = place.path in self._listed
            self._listed.discard(place.path)
        if again:
            self._on_listed(place)
