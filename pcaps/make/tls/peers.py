#!/usr/bin/python3
"""Has openssl s_client and s_server talk, and writes down what they themselves say of it.

peers.py FACTS CAPTURE [OPTION ...] -- SERVER-ARGUMENT ... [-- CLIENT-ARGUMENT ...]...

One server, one client after the other. Each gets a line in FACTS (see facts.py). Options:
    --netns CLIENT SERVER   the namespaces
    --client PROGRAM        the openssl of the client
    --server PROGRAM        the openssl of the server
    --at ADDRESS            where the server listens, ADDRESS:PORT
    --from ADDRESS          the client's address; its ports are counted from --ports on
    --ports NUMBER
    --says TEXT             what the client says first (\\n at the end is added)
    --late SECONDS          how long the client waits for an answer
    --note TEXT             goes into the last column
    --alone yes             only clients: another server is there already
    --names SERVER CLIENT   files of certificates that the two were given (for chains that they do not print)
The server answers each line; the client then closes.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import facts


def options(words):
    given = {"netns": [None, None], "client": "openssl", "server": "openssl", "at": "10.1.1.2:443", "from": "10.1.1.1",
             "ports": "40001", "says": "hello", "late": "2", "note": "-", "alone": "", "names": ["", ""]}
    while words and words[0] != "--":
        name = words.pop(0).removeprefix("--")
        given[name] = [words.pop(0), words.pop(0)] if name in ("netns", "names") else words.pop(0)
    parts = [[]]
    for word in words[1:]:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    return given, parts[0], parts[1:]


class Peer:
    def __init__(self, netns, words, log):
        inside = ["ip", "netns", "exec", netns] if netns else []
        self.path = log
        self.out = open(log, "wb")
        self.process = subprocess.Popen([*inside, "stdbuf", "-o0", *words], stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.STDOUT)

    def text(self, since=0):
        return self.path.read_bytes()[since:].decode("latin-1")

    def saw(self, words, since=0, seconds=5.0):
        """Whether one of the words is printed in time, before the program ends."""
        end = time.time() + seconds
        while time.time() < end:
            ended = self.process.poll() is not None
            if any(word in self.text(since) for word in words):
                return True
            if ended:
                return False
            time.sleep(0.02)
        return False

    def say(self, line):
        try:
            self.process.stdin.write(line.encode().decode("unicode_escape").encode("latin-1") + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def end(self, seconds=2.0):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


def main():
    path, capture = sys.argv[1:3]
    given, server_words, clients = options(sys.argv[3:])
    work = pathlib.Path(tempfile.mkdtemp(prefix="peers."))
    address, port = given["at"].rsplit(":", 1)
    listen = ["-port", port, "-6"] if ":" in address else ["-accept", f"{address}:{port}"]
    words = ["sleep", "1000"] if given["alone"] else [given["server"], "s_server", *listen, "-msg", *server_words]
    server = Peer(given["netns"][1], words, work / "server")
    if not given["alone"] and not server.saw(["ACCEPT"]):
        sys.exit("no server: " + server.text())
    # What it serves by itself (-www, -HTTP, -rev) needs no words of ours.
    serves = bool({"-www", "-WWW", "-HTTP", "-rev"} & set(server_words))
    for number, client_words in enumerate(clients):
        before = len(server.text())
        source = int(given["ports"]) + number
        own = "[2001:db8:1::1]" if ":" in address else given["from"]
        bind = ["-bind", f"{own}:{source}"]
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        client = Peer(given["netns"][0], [given["client"], "s_client", "-connect", place, *bind, "-msg", *client_words], work / f"client{number}")
        late = float(given["late"])
        client.saw(["\n---\nSSL handshake has read", "SSL handshake has read", "DONE", "errno"], seconds=late + 3)
        if "Cipher is (NONE)" not in client.text() and client.process.poll() is None:
            if not serves and not given["alone"]:
                server.saw(["CIPHER is", "ERROR"], before, late)
            client.say(given["says"])
            if serves:
                client.saw(["closed", "olleh", "</HTML>", "</html>"], seconds=late)
            elif given["alone"]:
                time.sleep(0.2)
            elif server.saw([given["says"].split("\\n")[-1]], before, late):
                length = len(client.text())
                server.say("answer")
                client.saw(["answer"], length, late)
        time.sleep(0.05)
        client.end()
        time.sleep(0.15)
        fact = facts.of_openssl(given["client"], client.text(), server.text(before), client_words, given["names"], bool(given["alone"]) or serves)
        fact.update(capture=capture, client=f"{own}:{source}", server=place, note=given["note"])
        facts.add(path, fact)
        print("\t".join(fact[name] for name in facts.COLUMNS[1:10]), flush=True)
    server.end(0.1)
    if os.environ.get("KEEP"):
        print(work)
    else:
        for log in work.iterdir():
            log.unlink()
        work.rmdir()


main()
