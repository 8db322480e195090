#!/usr/bin/python3
"""SCTP by the usrsctp library, for kernels without it.

sctp.py listen PORT              echoes each message, until the peer ends
sctp.py connect ADDRESS PORT     sends messages on two streams, one of them in several DATA chunks

Needs libusrsctp2 and the right to open raw sockets.
"""
import ctypes
import os
import socket
import struct
import sys
import threading
import time

AF_INET, SOCK_STREAM, IPPROTO_SCTP = 2, 1, 132
SNDINFO = 1

lib = ctypes.CDLL("libusrsctp.so.2")
lib.usrsctp_socket.restype = ctypes.c_void_p
lib.usrsctp_accept.restype = ctypes.c_void_p
lib.usrsctp_recvv.restype = ctypes.c_ssize_t
lib.usrsctp_sendv.restype = ctypes.c_ssize_t


def address(host, port):
    return ctypes.create_string_buffer(struct.pack("=H", AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8), 16)


def opened():
    lib.usrsctp_init(0, None, None)
    return ctypes.c_void_p(lib.usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, None, None, 0, None))


def send(sock, data, stream, protocol):
    info = struct.pack("=HHIII", stream, 0, socket.htonl(protocol), 0, 0)
    lib.usrsctp_sendv(sock, data, ctypes.c_size_t(len(data)), None, 0, info, len(info), SNDINFO, 0)


def receive(sock):
    data = ctypes.create_string_buffer(65536)
    length = ctypes.c_uint32(16)
    source = ctypes.create_string_buffer(16)
    info = ctypes.create_string_buffer(64)
    info_length, info_type, flags = ctypes.c_uint32(64), ctypes.c_uint(0), ctypes.c_int(0)
    size = lib.usrsctp_recvv(sock, data, ctypes.c_size_t(65536), source, ctypes.byref(length), info,
                             ctypes.byref(info_length), ctypes.byref(info_type), ctypes.byref(flags))
    return data.raw[:max(size, 0)]


def main():
    sock = opened()
    if sys.argv[1] == "listen":
        lib.usrsctp_bind(sock, address("0.0.0.0", int(sys.argv[2])), 16)
        lib.usrsctp_listen(sock, 1)
        while True:
            peer = ctypes.c_void_p(lib.usrsctp_accept(sock, None, None))
            while message := receive(peer):
                send(peer, message[:100], 0, 0)
            lib.usrsctp_close(peer)
    timer = threading.Timer(5, lambda: os._exit(1))
    timer.daemon = True
    timer.start()
    if lib.usrsctp_connect(sock, address(sys.argv[2], int(sys.argv[3])), 16) < 0:
        os._exit(1)
    for message, stream, protocol in ((b"hello", 0, 0), (b"on another stream", 1, 46), (b"long" * 1000, 0, 47)):
        send(sock, message, stream, protocol)
        receive(sock)
        time.sleep(0.1)
    lib.usrsctp_close(sock)
    time.sleep(1)
    os._exit(0)


main()
