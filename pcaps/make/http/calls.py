#!/usr/bin/python3
"""gRPC in clear, its messages plain bytes: `calls.py server PORT`, `calls.py client ADDRESS FOLDER`.

The client puts the body of every message that was carried whole into FOLDER.
"""

import struct
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc

SERVICE = "spanlake.test.Echo"


def framed(*messages):
    """Messages as they lie in a body (length-prefixed, not compressed)."""
    return b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        method = details.method.rsplit("/", 1)[1]
        return {
            "Once": grpc.unary_unary_rpc_method_handler(lambda message, _: message.upper()),
            "Often": grpc.unary_stream_rpc_method_handler(self.often),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Slow": grpc.unary_unary_rpc_method_handler(self.slow),
        }.get(method)

    @staticmethod
    def often(message, _):
        for number in range(5):
            yield b"%d %s" % (number, message)

    @staticmethod
    def talk(messages, _):
        for message in messages:
            yield b"heard " + message

    @staticmethod
    def fail(_, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "nothing is there")

    @staticmethod
    def slow(message, _):
        time.sleep(1)
        return message


def server(port):
    served = grpc.server(futures.ThreadPoolExecutor(8))
    served.add_generic_rpc_handlers((Handler(),))
    served.add_insecure_port(f"0.0.0.0:{port}")
    served.start()
    served.wait_for_termination()


def client(address, folder):
    bodies = []
    # Without a proxy and its search for one.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = lambda kind, name: getattr(channel, kind)(f"/{SERVICE}/{name}")
        text = b"a message of some words, " * 8
        for _ in range(2):
            answer = call("unary_unary", "Once")(text, metadata=[("x-request", "one")])
            bodies += [framed(text), framed(answer)]
        bodies += [framed(text), framed(*call("unary_stream", "Often")(text))]
        for name, deadline in (("Fail", None), ("Nowhere", None), ("Slow", 0.2)):
            try:
                call("unary_unary", name)(text, timeout=deadline)
            except grpc.RpcError as error:
                print(name, error.code())
            bodies.append(framed(text))
        talk = call("stream_stream", "Talk")(iter([b"one", b"two"]))
        print(next(talk), next(talk))
        bodies += [framed(b"one", b"two"), framed(b"heard one", b"heard two")]
        # Ends with the client's cancelling.
        waiting = call("unary_unary", "Slow").future(text)
        time.sleep(0.2)
        waiting.cancel()
        bodies.append(framed(text))
        time.sleep(0.2)
    for number, body in enumerate(bodies):
        Path(folder, f"message_{number}").write_bytes(body)


if sys.argv[1] == "server":
    server(int(sys.argv[2]))
else:
    client(sys.argv[2], sys.argv[3])
