#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""http-origin: a small web server for tests, which can also behave badly.

    http-origin.py FOLDER [--log FILE] [--host 127.0.0.1]

Listens on a free loopback port and prints "port N". Serves FOLDER with ETag, Range and If-Range; every request becomes two JSON lines
in the log, one before the answer is sent and one after: method, path, headers (names in lower case), body, time, status, sent (bytes
of the body), ended (null before, then true, or false for a body that was cut).

Standard input takes one command a line; each is answered by "ok", or "error TEXT":

    status CODE [SECONDS]   every answer is CODE (with Retry-After: SECONDS);  status off
    cut-after BYTES         every body is cut off after so many bytes;          cut-after off
    extra BYTES             every file has so many bytes more than it has, chunked;   extra off
    slow BYTES_PER_S [PATH] every body (below PATH) is sent at this speed;      slow off
    refuse                  close the listening socket: connections are refused
    hang                    take connections and requests, answer nothing
    answer                  after refuse and hang: as usual again, at the same port
    drop                    cut every connection that is open
    proxy-user USER:WORD    CONNECT is answered 407 without this user and password;   proxy-user off
    proxy-status CODE       CONNECT is answered by this status;                       proxy-status off
    proxy-flood             CONNECT is answered by headers without end
    quit

It is a proxy too: CONNECT to a loopback port makes a tunnel. The log tells it as a request whose path is HOST:PORT.

It ends at the end of its standard input. Paths below /_evil/ misbehave, whatever the folder holds:

    events[?n=N]      server events, N of them (for ever without), one every 50 ms
    endless           a chunked body without end
    cut?length=N&at=M a body announced with N bytes and cut after M
    longer            more body than announced
    chunks            a chunked body cut between two chunks
    loris             an answer of which one header byte comes every 200 ms
    flood             headers without end
    trailers          a chunked body, then trailers without end;   interims: interim answers without end
    drip              a body of which one byte comes every second
    bomb[?in=transfer]  64 MiB of zeros, compressed, as Content-Encoding or Transfer-Encoding
    big-header        one header of 20000 bytes
    loop              redirects to itself;   redirect?to=URL[&code=C][&body=N]
    header?line=TEXT  adds TEXT as a raw header line (percent-decoded, CR and LF too)
    bad-length        Content-Length: twelve
    bad-part          206 with other bytes than asked for;   part: 206 although nobody asked
    not-http          something that is not HTTP;            silent: closes without a byte
    echo              what was sent, as JSON;                interim: a 103 before the answer
    page?code=C&n=N   status C with a body of N bytes
"""
import argparse
import base64
import email.utils
import gzip
import hashlib
import json
import os
import re
import select
import socket
import sys
import threading
import time
import urllib.parse

CHUNK = 16384


class Gone(Exception):
    """The connection is over, on purpose or not."""


class Origin:
    def __init__(self, folder, host, log):
        self.folder, self.host = folder, host
        self.lock = threading.Lock()
        self.log = open(log, "a", buffering=1) if log else None
        self.mode, self.status, self.retry_after = "answer", None, None
        self.cut_after, self.slow, self.slow_path, self.extra = None, None, "/", None
        self.proxy_user, self.proxy_status = None, None
        self.connections = set()
        self.listener = None
        self.port = 0
        self.listen()

    def listen(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.host, self.port))
        s.listen(64)
        self.port = s.getsockname()[1]
        self.listener = s
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def stop_listening(self):
        s, self.listener = self.listener, None
        if s:
            s.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
            s.close()

    def accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            while Exchange(self, c).run():
                pass
        except (Gone, OSError):
            pass
        finally:
            with self.lock:
                self.connections.discard(c)
            c.close()

    def drop(self):
        with self.lock:
            open_now = list(self.connections)
        for c in open_now:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def write_log(self, entry):
        if self.log:
            with self.lock:
                self.log.write(json.dumps(entry) + "\n")

    def command(self, line):
        word, *rest = line.split()
        off = rest[:1] == ["off"]
        if word == "status":
            self.status = None if off else int(rest[0])
            self.retry_after = rest[1] if len(rest) > 1 else None
        elif word == "cut-after":
            self.cut_after = None if off else int(rest[0])
        elif word == "extra":
            self.extra = None if off else int(rest[0])
        elif word == "slow":
            self.slow = None if off else int(rest[0])
            self.slow_path = rest[1] if len(rest) > 1 else "/"
        elif word == "refuse":
            self.stop_listening()
        elif word == "hang":
            self.mode = "hang"
        elif word == "answer":
            self.mode = "answer"
            if not self.listener:
                self.listen()
        elif word == "proxy-user":
            self.proxy_user = None if off else rest[0]
        elif word == "proxy-status":
            self.proxy_status = None if off else int(rest[0])
        elif word == "proxy-flood":
            self.proxy_status = -1
        elif word == "drop":
            self.drop()
        else:
            raise ValueError("unknown command " + word)


class Exchange:
    def __init__(self, origin, connection):
        self.o, self.c = origin, connection
        self.entry = {}
        self.keep = True

    # --- reading

    def read_request(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.c.recv(65536)
            if not more:
                raise Gone()
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = first.split(" ", 2)
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers, self.header_list = {}, []
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
            self.header_list.append(line)
        wanted = int(self.headers.get("content-length", "0"))
        while len(body) < wanted:
            more = self.c.recv(65536)
            if not more:
                raise Gone()
            body += more
        self.body = body
        self.entry = {"method": self.method, "path": target, "headers": self.headers,
                      "body": body.decode("latin-1"), "time": time.time()}

    # --- writing

    def raw(self, data):
        try:
            self.c.sendall(data)
        except OSError:
            raise Gone()

    def note(self, status, sent, ended):
        self.o.write_log({**self.entry, "status": status, "sent": sent, "ended": ended})

    def head(self, status, headers):
        lines = ["HTTP/1.1 %d Test" % status, "Date: " + email.utils.formatdate(usegmt=True)]
        lines += ["%s: %s" % h for h in headers]
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def answer(self, status, data, headers=()):
        """data: bytes, or an open file and its length."""
        source, length = data if isinstance(data, tuple) else (None, len(data))
        sent = 0
        self.note(status, 0, None)
        self.head(status, [*headers, ("Content-Length", length)])
        try:
            while sent < length:
                n = min(CHUNK, length - sent)
                slow = self.o.slow
                if slow and self.path.startswith(self.o.slow_path):
                    n = min(n, max(1, slow // 20))
                    time.sleep(n / slow)
                cut = self.o.cut_after
                if cut is not None:
                    n = min(n, cut - sent)
                    if n <= 0:
                        raise Gone()
                self.raw(source.read(n) if source else data[sent:sent + n])
                sent += n
        finally:
            self.note(status, sent, sent == length)

    def answer_chunked(self, data, headers):
        self.note(200, 0, None)
        self.head(200, [*headers, ("Transfer-Encoding", "chunked")])
        sent = 0
        try:
            while sent < len(data):
                piece = data[sent:sent + CHUNK]
                self.raw(b"%x\r\n" % len(piece) + piece + b"\r\n")
                sent += len(piece)
            self.raw(b"0\r\n\r\n")
        finally:
            self.note(200, sent, sent == len(data))

    # --- files

    def serve_file(self):
        path = os.path.normpath(os.path.join(self.o.folder, urllib.parse.unquote(self.path).lstrip("/")))
        if not (path + "/").startswith(os.path.normpath(self.o.folder) + "/") or not os.path.isfile(path):
            return self.answer(404, b"not found\n")
        with open(path, "rb") as f:
            st = os.fstat(f.fileno())
            etag = '"%s"' % hashlib.sha256(("%d %d %d" % (st.st_ino, st.st_size, st.st_mtime_ns)).encode()).hexdigest()[:16]
            headers = [("ETag", etag), ("Accept-Ranges", "bytes")]
            if self.headers.get("if-none-match") == etag:
                self.note(304, 0, True)
                return self.head(304, headers)
            part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
            if self.o.extra:
                return self.answer_chunked(f.read() + b"x" * self.o.extra, headers)
            if not part or self.headers.get("if-range", etag) != etag:
                return self.answer(200, (f, st.st_size), headers)
            start = int(part[1])
            if start >= st.st_size:
                return self.answer(416, b"", [("Content-Range", "bytes */%d" % st.st_size)])
            f.seek(start)
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, st.st_size - 1, st.st_size)))
            return self.answer(206, (f, st.st_size - start), headers)

    # --- evil

    def evil_events(self):
        self.head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
        n = 0
        while "n" not in self.query or n < int(self.query["n"]):
            self.raw(b"data: %d\n\n" % n)
            n += 1
            time.sleep(0.05)
        raise Gone()

    def evil_endless(self):
        self.head(200, [("Transfer-Encoding", "chunked")])
        self.note(200, 0, None)
        sent = 0
        try:
            while True:
                self.raw(b"%x\r\n" % CHUNK + b"e" * CHUNK + b"\r\n")
                sent += CHUNK
        finally:
            self.note(200, sent, False)

    def evil_cut(self):
        length, at = int(self.query["length"]), int(self.query["at"])
        self.head(200, [("Content-Length", length), ("ETag", '"cut"')])
        self.raw(b"c" * at)
        raise Gone()

    def evil_longer(self):
        self.head(200, [("Content-Length", 10), ("Connection", "close")])
        self.raw(b"0123456789and more")
        raise Gone()

    def evil_chunks(self):
        self.head(200, [("Transfer-Encoding", "chunked")])
        self.raw(b"5\r\nhello\r\n")
        raise Gone()

    def evil_loris(self):
        self.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            self.raw(b"s")
            time.sleep(0.2)

    def flood(self, begin, line):
        """Without end; the log tells how much was sent."""
        sent = 0
        self.note(200, 0, None)
        try:
            self.raw(begin)
            while True:
                self.raw(line)
                sent += len(line)
        finally:
            self.note(200, sent, False)

    def evil_flood(self):
        self.flood(b"HTTP/1.1 200 OK\r\n", b"X-Flood: %s\r\n" % (b"f" * 100))

    def evil_trailers(self):
        self.flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"X-Flood: %s\r\n" % (b"f" * 100))

    def evil_interims(self):
        self.flood(b"", b"HTTP/1.1 103 Early Hints\r\nX-Flood: %s\r\n\r\n" % (b"f" * 100))

    def evil_drip(self):
        self.head(200, [("Content-Length", 1000000)])
        while True:
            self.raw(b"d")
            time.sleep(1)

    def evil_bomb(self):
        body = gzip.compress(bytes(64 << 20), 9)
        if self.query.get("in") == "transfer":
            self.head(200, [("Transfer-Encoding", "gzip, chunked")])
            self.raw(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        else:
            self.answer(200, body, [("Content-Encoding", "gzip")])

    def evil_big_header(self):
        self.answer(200, b"", [("X-Big", "b" * 20000)])

    def evil_loop(self):
        self.answer(302, b"", [("Location", "/_evil/loop")])

    def evil_redirect(self):
        self.answer(int(self.query.get("code", "302")), b"r" * int(self.query.get("body", "20")),
                    [("Location", self.query["to"])])

    def evil_header(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + self.query["line"].encode("latin-1") + b"\r\n\r\nok")

    def evil_bad_length(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: twelve\r\n\r\nhello")
        raise Gone()

    def evil_bad_part(self):
        self.answer(206, b"part", [("Content-Range", "bytes 7-10/100")])

    evil_part = evil_bad_part

    def evil_not_http(self):
        self.raw(b"SSH-2.0-OpenSSH_9.2\r\n")
        raise Gone()

    def evil_silent(self):
        raise Gone()

    def evil_echo(self):
        self.answer(200, json.dumps({"method": self.method, "lines": self.header_list,
                                     "body": self.body.decode("latin-1")}).encode())

    def evil_interim(self):
        self.raw(b"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
        self.answer(200, b"after\n", [("X-Late", "yes")])

    def evil_page(self):
        self.answer(int(self.query["code"]), b"p" * int(self.query["n"]))

    # --- proxy

    def connect(self):
        wanted = "Basic " + base64.b64encode((self.o.proxy_user or "").encode()).decode()
        if self.o.proxy_status == -1:
            self.flood(b"HTTP/1.1 200 OK\r\n", b"X-Flood: %s\r\n" % (b"f" * 100))
        if self.o.proxy_status:
            return self.answer(self.o.proxy_status, b"refused\n")
        if self.o.proxy_user and self.headers.get("proxy-authorization") != wanted:
            return self.answer(407, b"who are you?\n", [("Proxy-Authenticate", "Basic realm=test")])
        host, _, port = self.path.rpartition(":")
        with socket.create_connection(("127.0.0.1" if host == "localhost" else host, int(port))) as other:
            self.raw(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.note(200, 0, None)
            self.tunnel(other)
        self.note(200, 0, True)
        raise Gone()

    def tunnel(self, other):
        ways = {self.c: other, other: self.c}
        while True:
            for source in select.select(list(ways), [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                ways[source].sendall(data)

    # --- one exchange

    def run(self):
        self.read_request()
        if self.o.mode == "hang":
            select.select([self.c], [], [])  # until the other side goes
            raise Gone()
        if self.method == "CONNECT":
            self.connect()
        elif self.o.status is not None:
            extra = [("Retry-After", self.o.retry_after)] if self.o.retry_after else []
            self.answer(self.o.status, b"status set by the test\n", extra)
        elif self.path.startswith("/_evil/"):
            getattr(self, "evil_" + self.path[7:].replace("-", "_"))()
        else:
            self.serve_file()
        return self.headers.get("connection", "").lower() != "close"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--log")
    p.add_argument("--host", default="127.0.0.1")
    a = p.parse_args()
    origin = Origin(os.path.abspath(a.folder), a.host, a.log)
    print("port", origin.port, flush=True)
    for line in sys.stdin:
        if line.split() == ["quit"]:
            break
        try:
            if line.strip():
                origin.command(line)
            print("ok", flush=True)
        except (ValueError, IndexError, OSError) as e:
            print("error", e, flush=True)
    os._exit(0)  # threads that send an endless body would keep us


if __name__ == "__main__":
    main()
