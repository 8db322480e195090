"""A client of FTP that does what others do not: whole sessions in one segment, bytes one by one, orders that make no sense.

own.py LOG WHAT    tells its commands in LOG as ftp/server.py does

Needs nothing but Python; the servers of ftp.sh.
"""
import json
import re
import socket
import sys
import time

LOG = open(sys.argv[1], "a", encoding="utf-8")
SERVER = ("10.1.1.2", 21)


class Control:
    """A control connection; `say` sends a command and gives the codes that answer it."""

    def __init__(self, server=SERVER, source=None):
        self.socket = socket.create_connection(server, source_address=source)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = self.socket.getpeername()[:2]
        self.about = {"port": self.socket.getsockname()[1], "server": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
        self.buffer, self.said = b"", ""
        self.tell(None, None, self.answer())

    def tell(self, command, argument, codes):
        if isinstance(argument, bytes):
            argument = argument.decode("utf-8", "surrogateescape")
        if command == "PASS":
            argument = "?"
        LOG.write(json.dumps(dict(self.about, command=command, argument=argument, codes=codes)) + "\n")
        LOG.flush()

    def reply(self):
        """One reply: its code; what it said is in `said`."""
        code, text = None, []
        while True:
            while b"\n" not in self.buffer:
                more = self.socket.recv(65536)
                if not more:
                    return None
                self.buffer += more
            line, self.buffer = self.buffer.split(b"\n", 1)
            line = line.rstrip(b"\r").decode("utf-8", "replace")
            text.append(line)
            if code is None and line[3:4] == "-":
                code = line[:3]
            elif code is None or line.startswith(code + " "):
                self.said = "\n".join(text)
                return int(line[:3])

    def answer(self):
        codes = [self.reply()]
        while codes[-1] is not None and codes[-1] < 200:
            codes.append(self.reply())
        return [code for code in codes if code]

    def send(self, line):
        self.socket.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def say(self, line):
        self.send(line)
        return self.heard(line)

    def heard(self, line, codes=None):
        line = line.encode() if isinstance(line, str) else line
        word, argument = re.fullmatch(rb"[ \t]*([^ \t]*)(?:[ \t](.*))?", line, re.S).groups()
        codes = self.answer() if codes is None else codes
        self.tell(word.upper().decode("utf-8", "surrogateescape"), argument, codes)
        return codes

    def login(self, user="anonymous", password="hunter@example.test"):
        self.say(f"USER {user}")
        self.say(f"PASS {password}")
        return self

    def passive(self):
        """The endpoint that PASV is answered with."""
        self.say("PASV")
        numbers = list(map(int, re.search(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)", self.said).groups()))
        return ".".join(map(str, numbers[:4])), numbers[4] << 8 | numbers[5]

    def extended(self):
        self.say("EPSV")
        return self.socket.getpeername()[0], int(re.search(r"\|(\d+)\|", self.said)[1])

    def active(self, address=None, order="PORT"):
        """A socket that listens, told to the server."""
        address = address or self.socket.getsockname()[0]
        listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        port = listener.getsockname()[1]
        self.codes = self.say(port_line(order, address, port))
        return listener

    def transfer(self, line, connection, upload=None):
        """A transfer over a data connection (or one that the listener gets)."""
        self.send(line)
        codes = [self.reply()]
        if codes[0] is not None and codes[0] < 200:
            if hasattr(connection, "accept") and is_listening(connection):
                connection = connection.accept()[0]
            content = exchange(connection, upload)
            while codes[-1] is not None and codes[-1] < 200:
                codes.append(self.reply())
        else:
            content = None
        self.heard(line, [code for code in codes if code])
        return content

    def quit(self):
        self.say("QUIT")
        self.socket.close()


def is_listening(connection):
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def exchange(connection, upload=None):
    connection.settimeout(10)
    if upload is not None:
        connection.sendall(upload)
        connection.close()
        return None
    content = b""
    while more := connection.recv(65536):
        content += more
    connection.close()
    return content


def port_line(order, address, port):
    high, low = port >> 8, port & 255
    if order == "PORT":
        return f"PORT {address.replace('.', ',')},{high},{low}"
    if order == "EPRT":
        return f"EPRT |{2 if ':' in address else 1}|{address}|{port}|"
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return f"LPRT {6 if ':' in address else 4},{len(packed)},{','.join(map(str, packed))},2,{high},{low}"


def connected(endpoint):
    return socket.create_connection(endpoint, timeout=10)


def narrow(endpoint):
    """A connection whose receiver takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(endpoint)
    return connection


# --- what is done ----------------------------------------------------------------------------

def long_forms():
    """LPRT and LPSV, by IPv4 and IPv6."""
    for server in (SERVER, ("2001:db8:1::2", 21)):
        control = Control(server).login()
        control.say("LPSV")
        numbers = list(map(int, re.search(r"\(([\d,]+)\)", control.said)[1].split(",")))
        control.transfer("RETR /small", connected((server[0], numbers[-2] << 8 | numbers[-1])))
        control.transfer("RETR /text.txt", control.active(order="LPRT"))
        control.quit()


def once():
    """A session all in one segment; then one with every command in the segment of the one before."""
    lines = ["USER anonymous", "PASS hunter@example.test", "SYST", "TYPE I", "SIZE /small", "CWD /pub", "PWD", "NOOP", "QUIT"]
    control = Control()
    control.socket.sendall("".join(line + "\r\n" for line in lines).encode())
    for line in lines:
        control.heard(line)
    control.socket.close()


def one_by_one():
    """A byte a segment, as a user of telnet types (and as no line buffer cares)."""
    control = Control()

    def slowly(line):
        for byte in line.encode() + b"\r\n":
            control.socket.sendall(bytes([byte]))
            time.sleep(0.002)

    for line in ("USER anonymous", "PASS hunter@example.test", "TYPE I"):
        slowly(line)
        control.heard(line)
    slowly("PASV")
    control.heard("PASV")
    numbers = list(map(int, re.search(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)", control.said).groups()))
    connection = connected(("10.1.1.2", numbers[4] << 8 | numbers[5]))
    slowly("RETR /small")
    code = control.reply()
    exchange(connection)
    control.heard("RETR /small", [code, control.reply()])
    slowly("QUIT")
    control.heard("QUIT")


def endless():
    """A command line that does not end; then a long one that does."""
    control = Control().login()
    try:
        for _ in range(40):
            control.socket.sendall(b"A" * 1000)
            time.sleep(0.005)
        control.socket.sendall(b"\r\nNOOP\r\n")
        control.socket.settimeout(1)
        while control.socket.recv(65536):
            pass
    except OSError:
        pass
    control.socket.close()


def resumed():
    """A download broken off by the client and taken up again, in one control connection; then an upload in two pieces."""
    control = Control().login("lake", "pass word")
    control.say("TYPE I")
    connection = narrow(control.passive())
    control.send("RETR /part.bin")
    codes = [control.reply()]
    got = 0
    while got < 16000:
        got += len(connection.recv(4000))
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    codes.append(control.reply())
    control.heard("RETR /part.bin", codes)
    connection = connected(control.passive())
    control.say("REST 16000")
    control.transfer("RETR /part.bin", connection)
    content = open(sys.argv[3], "rb").read()
    control.transfer("STOR /upload/again.bin", connected(control.passive()), content[:9000])
    connection = connected(control.passive())
    control.say("REST 9000")
    control.transfer("STOR /upload/again.bin", connection, content[9000:])
    control.quit()


def failures():
    """Commands that are refused, each for a reason of its own."""
    control = Control()
    control.say("PWD")
    control.say("RETR /small")
    control.login()
    control.say("FOO bar")
    control.say("RETR /small")
    control.say("PORT 1,2,3")
    control.say("EPRT |9|10.1.1.1|4000|")
    control.say("TYPE X")
    control.say("RNTO /nowhere")
    control.transfer("RETR /missing", connected(control.passive()))
    control.transfer("STOR /closed/file", connected(control.passive()))
    control.say("CWD /missing")
    control.say("DELE /missing")
    control.say("RMD /missing")
    control.say("MKD /pub")
    control.say("SIZE /pub")
    control.say("REST x")
    control.quit()


def not_connected():
    """A listening end that the server cannot reach (425), then one that works; a passive end that nobody calls."""
    control = Control().login()
    control.say("TYPE I")
    listener = control.active()
    listener.close()
    control.say("RETR /small")
    control.transfer("RETR /small", control.active())
    control.passive()
    control.quit()


def never_made():
    """Data connections announced and never made, passive and active."""
    control = Control().login()
    control.passive()
    control.say("PWD")
    control.active().close()
    control.say("NOOP")
    control.quit()


def announced_twice():
    """Two announcements, the second is used: PASV and PASV, PORT and PASV, PASV and PORT."""
    control = Control().login()
    control.say("TYPE I")
    control.passive()
    control.transfer("RETR /small", connected(control.passive()))
    listener = control.active()
    control.transfer("RETR /style.css", connected(control.passive()))
    listener.close()
    control.passive()
    control.transfer("RETR /data.json", control.active())
    control.quit()


def at_once():
    """Two control connections between the same hosts, each with its transfers, mixed in time."""
    first, second = Control().login(), Control().login("lake", "pass word")
    for control in (first, second):
        control.say("TYPE I")
    of_first = narrow(first.passive())
    of_second = connected(second.passive())
    first.send("RETR /part.bin")
    second.send("RETR /data.json")
    codes = {control: [control.reply()] for control in (first, second)}
    exchange(of_second)
    codes[second].append(second.reply())
    second.heard("RETR /data.json", codes[second])
    second.transfer("STOR /upload/second.css", connected(second.passive()), open(sys.argv[3], "rb").read())
    exchange(of_first)
    codes[first].append(first.reply())
    first.heard("RETR /part.bin", codes[first])
    second.quit()
    first.transfer("RETR /small", first.active())
    first.quit()


def control_first():
    """The client closes the control connection while the file still comes."""
    control = Control().login()
    control.say("TYPE I")
    connection = narrow(control.passive())
    control.send("RETR /part.bin")
    control.heard("RETR /part.bin", [control.reply()])
    control.socket.close()
    exchange(connection)


def obeyed():
    """A client that calls the address of the 227, whatever it is."""
    control = Control().login()
    control.say("TYPE I")
    control.transfer("RETR /data.json", connected(control.passive()))
    control.transfer("STOR /upload/obeyed.css", connected(control.passive()), open(sys.argv[3], "rb").read())
    control.quit()


def other_own_address():
    """PORT and EPRT with the second address of the client."""
    control = Control().login()
    control.say("TYPE I")
    control.transfer("RETR /data.json", control.active("10.1.1.3"))
    control.transfer("RETR /small", control.active("10.1.1.3", "EPRT"))
    control.quit()


def bounce():
    """The server is asked to connect to a third host, to itself, and to a port of the system."""
    control = Control().login()
    control.say("PORT 10,1,1,77,0,25")
    control.say("RETR /small")
    control.say("EPRT |1|10.1.1.77|25|")
    control.say("PORT 127,0,0,1,0,22")
    control.say("PORT 10,1,1,1,0,22")
    control.quit()


def bounced():
    """The same where the server does it: a file of text is sent to a server of mail. Port 25 is too much for vsftpd, and ends the session."""
    control = Control().login()
    control.say("TYPE I")
    control.say("PORT 10,1,1,77,9,221")
    control.say("RETR /small.mail")
    control.quit()
    control = Control().login()
    control.say("PORT 10,1,1,77,0,25")
    control.say("RETR /small.mail")
    control.socket.close()


def fxp():
    """A file from one server to another: the target listens, the source connects. Then the other way about, with active and passive swapped."""
    source, target = Control().login(), Control(("10.1.1.4", 21)).login()
    for control in (source, target):
        control.say("TYPE I")
    for source, target, name in ((source, target, "data.json"), (target, source, "style.css")):
        address, port = target.passive()
        source.say(port_line("PORT", address, port))
        target.send(f"STOR /upload/{name}.fxp")
        source.send(f"RETR /{name}")
        codes = {control: [control.reply(), control.reply()] for control in (source, target)}
        source.heard(f"RETR /{name}", codes[source])
        target.heard(f"STOR /upload/{name}.fxp", codes[target])
    source.quit()
    target.quit()


def abort():
    """ABOR as RFC 959 asks for it: IAC IP, then IAC DM as urgent data; and plain."""
    control = Control().login()
    control.say("TYPE I")
    for urgent in (True, False):
        connection = narrow(control.passive())
        control.send("RETR /big.txt")
        codes = [control.reply()]
        connection.recv(1000)
        if urgent:
            control.socket.sendall(b"\xff\xf4")
            control.socket.send(b"\xff\xf2", socket.MSG_OOB)
        control.send("ABOR")
        time.sleep(0.3)
        connection.close()
        codes.append(control.reply())
        control.heard("RETR /big.txt", codes)
        control.heard("ABOR")
    control.quit()


def idle():
    """Nothing is said until the server has enough."""
    control = Control().login()
    control.say("PWD")
    control.tell(None, None, [control.reply()])
    control.socket.close()


def names():
    """Names as bytes: quotes, blanks at both ends, UTF-8, Latin-1, controls."""
    control = Control().login("lake", "pass word")
    control.say("TYPE I")
    for name in NAMES:
        control.say(b"MKD /odd/" + name)
        control.say(b"CWD /odd/" + name)
        control.say("PWD")
        control.transfer(b"STOR " + name + b".txt", connected(control.passive()), b"of " + name + b"\n")
        control.transfer(b"RETR " + name + b".txt", connected(control.passive()))
    control.say("CDUP")
    control.quit()


NAMES = [b'with "quotes"', b"with blanks  two", "größe_ü_雪".encode(), b"latin_gr\xf6\xdfe", b"back\\slash", b"semi;colon,comma"]


def odd_lines():
    """Lower case, blanks, tabs, no argument, a line of nothing, LF alone, bytes of telnet within a line, several in a segment."""
    control = Control()
    for line in ("user anonymous", "Pass hunter@example.test", "  PWD", "PWD ", "NOOP  two  blanks", "TYPE\tI", "CWD  /pub", "XPWD", "XCUP", "EPSV ALL", "PASV"):
        control.say(line)
    control.socket.sendall(b"\r\nNOOP\n")
    control.heard("NOOP")
    control.socket.sendall(b"PW\xff\xf1D\r\n")
    control.heard("PWD")
    control.quit()


def junk_lines():
    """Lines that are no commands."""
    control = Control().login()
    for line in (b"\x01\x02\x03", b"{}", b"12345", b"\xe4\xf6"):
        control.say(line)
    control.quit()


def logins_again():
    """Several users over one connection: USER while logged in, REIN, a login that fails, ACCT."""
    control = Control().login()
    control.say("PWD")
    control.say("REIN")
    control.say("PWD")
    control.login("lake", "wrong")
    control.login("lake", "pass word")
    control.say("ACCT money")
    control.login("ftp", "other@example.test")
    control.say("USER lake")
    control.say("NOOP")
    control.quit()


def noop_in_transfer():
    """Commands that are sent while a file still comes, to keep the connection alive."""
    control = Control().login()
    control.say("TYPE I")
    connection = narrow(control.passive())
    control.send("RETR /part.bin")
    codes = [control.reply()]
    control.send("NOOP")
    control.send("PWD")
    exchange(connection)
    codes.append(control.reply())
    control.heard("RETR /part.bin", codes)
    control.heard("NOOP")
    control.heard("PWD")
    control.quit()


def deflated():
    """MODE Z: what is carried is deflated."""
    control = Control().login("lake", "pass word")
    control.say("TYPE I")
    control.say("MODE Z")
    packed = control.transfer("RETR /text.txt", connected(control.passive()))
    open(sys.argv[3], "wb").write(packed)
    control.say("MODE S")
    control.transfer("RETR /text.txt", connected(control.passive()))
    control.quit()


if __name__ == "__main__":
    globals()[sys.argv[2]]()
