"""Two relays between clients and a KDC that make one TCP connection of many, and cut it as no client does.

relay.py near LISTEN-ADDRESS LISTEN-PORT ADDRESS PORT [pieces:N]
relay.py far LISTEN-ADDRESS LISTEN-PORT ADDRESS PORT [pieces:N] [hold:N]

`near` takes any number of clients and passes their requests on in one connection; the replies come back in that order. `far` takes
that connection and asks the KDC, in a connection for each request. `pieces`: N bytes in each segment. `hold`: N requests are read
before the first is answered.
"""
import select
import socket
import sys
import time


def framed(sock):
    """One message with its length before it; nothing at the end."""
    head = sock.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return b""
    return head + sock.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)


def send(sock, data, pieces):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), pieces):
        sock.sendall(data[at:at + pieces])
        if pieces < len(data):
            time.sleep(0.0005)


def near(listener, to, pieces):
    up, waiting, clients = None, [], []
    while True:
        ready, _, _ = select.select([listener, *clients] + ([up] if up else []), [], [])
        for one in ready:
            if one is listener:
                clients.append(listener.accept()[0])
                up = up or socket.create_connection(to)
            elif one is up:
                reply = framed(up)
                if not reply:
                    return
                client = waiting.pop(0)
                client.sendall(reply)
                client.close()
            else:
                clients.remove(one)
                request = framed(one)
                if request:
                    waiting.append(one)
                    send(up, request, pieces)


def far(listener, to, pieces, hold):
    down, _ = listener.accept()
    held = []
    while request := framed(down):
        held.append(request)
        if len(held) < hold:
            continue
        for request in held:
            with socket.create_connection(to) as kdc:
                kdc.sendall(request)
                send(down, framed(kdc), pieces)
        held = []


def main():
    which, listen, port, address, to, *rules = sys.argv[1:]
    given = {name: int(value) for name, value in (rule.split(":") for rule in rules)}
    listener = socket.create_server((listen, int(port)))
    pieces = given.get("pieces", 1 << 20)
    if which == "near":
        near(listener, (address, int(to)), pieces)
    else:
        far(listener, (address, int(to)), pieces, given.get("hold", 1))


main()
