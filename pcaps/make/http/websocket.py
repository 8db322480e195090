#!/usr/bin/python3
"""An echo over WebSocket by the library websockets: `server ADDRESS PORT` or `client URL`."""
import asyncio
import sys

import websockets


async def echo(socket, _path=None):
    async for message in socket:
        await socket.send(message)


async def server(address, port):
    async with websockets.serve(echo, address, int(port)):
        await asyncio.Future()


async def client(url):
    async with websockets.connect(url) as socket:
        for message in ("hello", bytes(range(3)) * 100, "x" * 5000):
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())


asyncio.run({"server": server, "client": client}[sys.argv[1]](*sys.argv[2:]))
