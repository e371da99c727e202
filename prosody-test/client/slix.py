"""A real client library, which believes that it joins by itself."""

import asyncio

from slixmpp import ClientXMPP

from lab.lab import Endpoint

TIMEOUT_S = 15


class SlixClient(ClientXMPP):
    def __init__(self, account: str, resource: str):
        super().__init__(f"{account}/{resource}", "secret")
        self.enable_plaintext = True
        self.enable_starttls = False
        self.enable_direct_tls = False
        self["feature_mechanisms"].unencrypted_plain = True
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0410", "xep_0203"):
            self.register_plugin(plugin)
        self.bodies: asyncio.Queue[str] = asyncio.Queue()
        self.add_event_handler("groupchat_message", lambda message: self.bodies.put_nowait(message["body"]))

    async def go_online(self, endpoint: Endpoint) -> None:
        started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: started.done() or started.set_result(None))
        self.connect(endpoint.address, endpoint.port)
        await asyncio.wait_for(started, TIMEOUT_S)
        self.send_presence()

    async def join(self, room: str, nick: str) -> None:
        await self["xep_0045"].join_muc_wait(room, nick, timeout=TIMEOUT_S)

    async def next_body(self) -> str:
        return await asyncio.wait_for(self.bodies.get(), TIMEOUT_S)

    def roster_of(self, room: str) -> set[str]:
        return set(self["xep_0045"].get_roster(room))

    async def stop(self) -> None:
        await self.disconnect()
        # The library's sender only ends when it is told to.
        self._run_out_filters.cancel()
        await asyncio.gather(self._run_out_filters, return_exceptions=True)
