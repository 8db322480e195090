"""A client on the OpenSSL 1.0.2 that nassl carries: SSL 2.0, hellos of SSL 2.0 for newer versions, export suites.

ancient.py ADDRESS PORT FROM-PORT VERSION CIPHERS      VERSION is SSLV2, SSLV3, SSLV23, TLSV1, TLSV1_1 or TLSV1_2
Prints NAME=VALUE: what it and its OpenSSL say of the handshake.
"""
import hashlib
import socket
import ssl
import sys

from nassl.legacy_ssl_client import LegacySslClient
from nassl.ssl_client import OpenSslVerifyEnum, OpenSslVersionEnum

NAMES = {
    "DES-CBC3-MD5": "SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "RC4-MD5": "SSL_CK_RC4_128_WITH_MD5", "EXP-RC4-MD5": "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
    "RC2-CBC-MD5": "SSL_CK_RC2_128_CBC_WITH_MD5", "DES-CBC-MD5": "SSL_CK_DES_64_CBC_WITH_MD5", "IDEA-CBC-MD5": "SSL_CK_IDEA_128_CBC_WITH_MD5",
    "EXP-RC2-CBC-MD5": "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
}
NAMES_3 = {
    "EXP-RC4-MD5": "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "EXP-DES-CBC-SHA": "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "EXP-RC2-CBC-MD5": "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    "DES-CBC-SHA": "TLS_RSA_WITH_DES_CBC_SHA", "RC4-MD5": "TLS_RSA_WITH_RC4_128_MD5", "RC4-SHA": "TLS_RSA_WITH_RC4_128_SHA",
    "DES-CBC3-SHA": "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "NULL-MD5": "TLS_RSA_WITH_NULL_MD5", "NULL-SHA": "TLS_RSA_WITH_NULL_SHA", "AES128-SHA": "TLS_RSA_WITH_AES_128_CBC_SHA",
    "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA", "IDEA-CBC-SHA": "TLS_RSA_WITH_IDEA_CBC_SHA", "SEED-SHA": "TLS_RSA_WITH_SEED_CBC_SHA",
}
VERSIONS = {"SSLV2": "SSLv2", "SSLV3": "SSLv3", "SSLV23": "?", "TLSV1": "TLSv1", "TLSV1_1": "TLSv1.1", "TLSV1_2": "TLSv1.2"}


def main():
    address, port, own, version, ciphers = sys.argv[1:]
    sock = socket.socket()
    sock.bind(("10.1.1.1", int(own)))
    sock.settimeout(3)
    sock.connect((address, int(port)))
    client = LegacySslClient(ssl_version=OpenSslVersionEnum[version], underlying_socket=sock, ssl_verify=OpenSslVerifyEnum.NONE)
    client.set_cipher_list(ciphers)
    facts = {"client": f"10.1.1.1:{own}", "server": f"{address}:{port}", "resumed": "false", "server_name": "-", "group": "-", "established": "false", "version": "?", "cipher": "?"}
    try:
        client.do_handshake()
        name = client.get_current_cipher_name()
        facts.update(established="true", version=VERSIONS[version], cipher=(NAMES if version == "SSLV2" else NAMES_3)[name])
        chain = [ssl.PEM_cert_to_DER_cert(pem.as_pem() if hasattr(pem, "as_pem") else pem) for pem in client.get_received_chain()] if version != "SSLV2" else []
        facts["server_certificates"] = ",".join(hashlib.sha256(der).hexdigest() for der in chain) or "?"
        client.write(b"hello\n")
        client.read(100)
    except Exception as error:
        facts["note"] = f"{type(error).__name__} {error}".replace("\n", " ")
    client.shutdown()
    sock.close()
    print("\n".join(f"{name}={value}" for name, value in facts.items()))


main()
