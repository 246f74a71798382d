#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf against servers that are slow, endless, elsewhere or behind TLS, and two clients at once."""

import gzip
import json
import os
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import Handler, Server, run  # noqa: E402  pylint: disable=wrong-import-position

DATA = b'the bytes'
METADATA = ('timestamp', '1.snapshot', '1.targets')


def endless(handler):
    """No length, and bytes as long as somebody takes them."""
    handler.send_response(200)
    handler.send_header('Connection', 'close')
    handler.end_headers()
    try:
        for _ in range(4096):
            handler.wfile.write(b' ' * 65536)
    except OSError:
        pass
    handler.close_connection = True


def endless_metadata(b, name):
    b.repository.overrides[f'metadata/{name}.json'] = endless
    b.refused('has more than')
    b.expect(name in b.said, 'it does not say which')


def endless_target(b):
    entry = b.repository.add_target('file', DATA)
    b.repository.publish_all()
    b.repository.overrides[f'targets/{entry["hashes"]["sha256"]}.file'] = endless
    b.download_refused('TUF 5.7.3: file: has more than 9 bytes', 'file')
    b.expect(b.files() == {}, 'nothing is there')


def crawl(handler):
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header('Content-Length', '10000')
    handler.end_headers()
    try:
        for _ in range(500):
            handler.wfile.write(b' ')
            handler.wfile.flush()
            time.sleep(0.2)
    except OSError:
        pass
    handler.close_connection = True


def silence(handler):
    """Takes the question, and that is all."""
    handler.close_connection = True
    handler.server.released.wait(20)


def slow(b, answer):
    """Given up; what was trusted stays."""
    b.server.released = threading.Event()
    b.repository.overrides['metadata/timestamp.json'] = answer
    began = time.monotonic()
    b.expect(b.run_refresh('--timeout', '3') == 1, 'it does not exit with 1')
    b.server.released.set()
    b.expect(time.monotonic() - began < 60, 'it waits without end')
    b.expect('timestamp.json: ' in b.said, 'it does not say what was slow')
    b.expect_trusted(root=1)
    b.repository.overrides.clear()
    b.good()


def slow_target(b):
    entry = b.repository.add_target('file', b' ' * 10000)
    b.repository.publish_all()
    b.repository.overrides[f'targets/{entry["hashes"]["sha256"]}.file'] = crawl
    b.download_refused('file: ', 'file', options=('--timeout', '3'))
    b.expect(b.files() == {}, 'nothing is there')


def cut_off(b):
    """Fewer bytes than were announced are no file."""
    def answer(handler):
        handler.send_response(200)
        handler.send_header('Content-Length', str(len(b.repository.timestamp.newest) + 10))
        handler.end_headers()
        handler.wfile.write(b.repository.timestamp.newest)
        handler.close_connection = True
    b.repository.overrides['metadata/timestamp.json'] = answer
    b.refused('timestamp.json: ')
    b.expect_trusted(root=1)


def raw(head, body=b'', forever=None):
    """An answer byte by byte as it is written here; then this for ever, in the head if there is no body."""
    end = b'\r\n' if head and (body or not forever) else b''

    def answer(handler):
        handler.close_connection = True
        try:
            handler.wfile.write(head + end + body)
            for _ in range(4096 if forever else 0):
                handler.wfile.write(forever)
        except OSError:
            pass
    return answer


OK = b'HTTP/1.1 200 OK\r\n'
CHUNKED = OK + b'Transfer-Encoding: chunked\r\n'
HEADER = b'X-Filler: ' + b'a' * 1000 + b'\r\n'


def plain(data):
    return b'Content-Length: %d\r\n' % len(data)


def chunk(data):
    return b'%x\r\n' % len(data) + data + b'\r\n'


# name → what makes the answer of the bytes that would be right, and what is said of it
ODD_ANSWERS = {
    'compressed': (lambda d: raw(OK + b'Content-Encoding: gzip\r\n' + plain(gzip.compress(d)), gzip.compress(d)), 'with a Content-Encoding'),
    'a gzip bomb': (lambda d: raw(OK + b'Content-Encoding: gzip\r\n', gzip.compress(b' ' * 10000000)), 'with a Content-Encoding'),
    'compressed on the way': (lambda d: raw(OK + b'Transfer-Encoding: gzip, chunked\r\n', chunk(gzip.compress(d)) + b'0\r\n\r\n'),
                              'Transfer-Encoding other than chunked'),
    'a part that nobody asked for': (lambda d: raw(b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/10\r\n' + plain(d), d), 'HTTP 206'),
    'no content': (lambda d: raw(b'HTTP/1.1 204 No\r\n'), 'HTTP 204'),
    'not modified': (lambda d: raw(b'HTTP/1.1 304 Not\r\n'), 'HTTP 304'),
    'a status without a meaning': (lambda d: raw(b'HTTP/1.1 999 What\r\n' + plain(d), d), 'HTTP 999'),
    'no head': (lambda d: raw(b'', d), 'timestamp.json: '),
    'nothing': (lambda d: lambda handler: setattr(handler, 'close_connection', True), 'timestamp.json: '),
    'two lengths': (lambda d: raw(OK + b'Content-Length: 3\r\n' + plain(d), d), 'Content-Length that is no one number'),
    'a length beyond 64 bits': (lambda d: raw(OK + b'Content-Length: 18446744073709551616\r\n', d), 'Content-Length'),
    'a negative length': (lambda d: raw(OK + b'Content-Length: -1\r\n', d), 'Content-Length'),
    'a length that is too short': (lambda d: raw(OK + plain(d[:-9]), d), 'no JSON'),
    'a chunk without a length': (lambda d: raw(CHUNKED, b'what\r\n' + d), 'timestamp.json: '),
    'a chunk beyond 64 bits': (lambda d: raw(CHUNKED, b'fffffffffffffffff\r\n' + d), 'timestamp.json: '),
    'a last chunk that is missing': (lambda d: raw(CHUNKED, chunk(d)), 'timestamp.json: '),
    'headers without end': (lambda d: raw(OK, forever=HEADER * 16), 'of headers'),
    'a header line without end': (lambda d: raw(OK + b'X-Filler: ', forever=b'a' * 65536), 'a line of its head that is too long'),
    'interim answers without end': (lambda d: raw(b'', forever=b'HTTP/1.1 100 Continue\r\n\r\n' * 64), 'of heads and trailers'),
    'trailers without end': (lambda d: raw(CHUNKED, chunk(d) + b'0\r\n', forever=HEADER * 16), 'of heads and trailers'),
    'control characters in a header': (lambda d: raw(OK + b'X: \x1b[31m\r\n' + plain(d), d), 'a header line that is not'),
}


def odd_answer(b, make, text):
    b.repository.overrides['metadata/timestamp.json'] = make(b.repository.timestamp.newest)
    b.refused(text)
    b.expect('timestamp' in b.said and b.said.count('\n') == 0 and '\x1b' not in b.said, 'it does not say it in a sentence')
    b.expect_trusted(root=1)
    b.repository.overrides.clear()
    b.good()


def odd_answers_that_are_right(b):
    """Chunked, with an interim answer, a trailer and headers that nobody asked for; with bytes behind the body, which are no answer."""
    data = b.repository.timestamp.newest
    for answer, requests in ((raw(b'HTTP/1.1 103 Early\r\nLink: x\r\n\r\n' + CHUNKED + b'Set-Cookie: a=b\r\n', chunk(data) + b'0\r\nX: y\r\n\r\n'),
                              ['2.root', 'timestamp', '1.snapshot', '1.targets']),
                             (raw(OK + plain(data), data + OK + plain(b'{}') + b'\r\n{}'), ['2.root', 'timestamp'])):
        b.repository.overrides['metadata/timestamp.json'] = answer
        b.good(requests)


def redirect_to(url, status=302):
    return lambda handler: handler.send(b'elsewhere', status, [('Location', url)])


def redirect_on_the_same_server(b, status):
    b.repository.overrides['metadata/timestamp.json'] = redirect_to('/metadata/elsewhere.json', status)
    b.repository.overrides['metadata/elsewhere.json'] = b.repository.timestamp.newest
    b.good(['2.root', 'timestamp', 'elsewhere', '1.snapshot', '1.targets'])


def redirect_to_a_stranger(b):
    b.repository.overrides['metadata/timestamp.json'] = redirect_to('http://127.0.0.2:1/timestamp.json')
    b.refused('redirect: host 127.0.0.2 port 1 is not allowed', ['2.root', 'timestamp'])


def redirect_to_a_file(b):
    b.repository.overrides['metadata/timestamp.json'] = redirect_to(f'file://{b.tmp}/trusted-root.json')
    b.refused('redirect: ', ['2.root', 'timestamp'])


def redirects_without_end(b):
    b.repository.overrides['metadata/timestamp.json'] = redirect_to('/metadata/timestamp.json')
    b.refused('more than 5 redirects', ['2.root'] + ['timestamp'] * 6)


def redirect_of_a_root_is_no_end_of_the_chain(b):
    b.repository.overrides['metadata/2.root.json'] = redirect_to('http://127.0.0.2:1/')
    b.refused('2.root.json: redirect: ', ['2.root'])


def server_that_is_gone(b):
    b.base = 'http://127.0.0.1:1'
    b.refused('2.root.json: ', [])
    b.expect_trusted(root=1)


def too_many_delegations(b):
    role = b.repository.delegate('targets', 'r')
    roles = b.repository.targets.signed['delegations']['roles']
    roles.extend(dict(role, name=f'r{n}') for n in range(1024))
    b.repository.publish_all()
    b.refused('TUF 4.5: targets: delegations: "roles" has 1025 elements; 1024 are allowed')


def too_many_signatures(b):
    b.repository.put_up('timestamp')
    document = b.repository.document('timestamp')
    document['signatures'] = [{'keyid': f'{n:064x}', 'sig': '00'} for n in range(1025)]
    b.repository.overrides['metadata/timestamp.json'] = json.dumps(document, separators=(',', ':')).encode()
    b.refused('TUF 5.4.1: timestamp.json: has more than 16384 bytes')


def two_clients_at_once(b):
    """On one folder: they wait for each other, and both come out well."""
    b.repository.add_target('file', DATA)
    b.repository.publish_all()
    command = b.command(*b.url(), '--target-name', 'file', '--target-dir', b.targets, '--target-base-url', b.base + '/targets',
                        'download')
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8') for _ in range(6)]
    for client in clients:
        b.said = client.communicate(timeout=60)[0]
        b.expect(client.returncode == 0, 'one of them fails')
    b.expect(b.files() == {'file': DATA}, 'the file is there')
    b.expect(len(os.listdir(b.metadata)) == 4, 'four roles and nothing else')
    b.expect(sum(r.startswith('targets/') for r in b.requests) == 1, 'only the first one downloads')


def make_certificate(b):
    key, certificate = os.path.join(b.tmp, 'key.pem'), os.path.join(b.tmp, 'certificate.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return key, certificate


def serve_tls(b, highest):
    key, certificate = make_certificate(b)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers('ALL:@SECLEVEL=0')
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = highest
    context.load_cert_chain(certificate, key)
    server = Server(('127.0.0.1', 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
    b.base = f'https://127.0.0.1:{server.server_address[1]}'
    return server, certificate


def tls(b):
    """The certificate has to lead to one that is trusted; a redirect to plain HTTP is never followed."""
    plain = b.base
    server, certificate = serve_tls(b, ssl.TLSVersion.TLSv1_3)
    b.refused('2.root.json: ', [])
    b.expect(b.run_refresh('--ca-file', certificate) == 0, 'it does not trust its CA')
    b.repository.overrides['metadata/timestamp.json'] = redirect_to(plain + '/metadata/timestamp.json')
    b.expect(b.run_refresh('--ca-file', certificate) == 1 and 'redirect' in b.said, 'it follows a redirect to HTTP')
    server.shutdown()
    server.server_close()


def old_tls(b):
    """Nothing below TLS 1.2."""
    server, certificate = serve_tls(b, ssl.TLSVersion.TLSv1_1)
    b.refused('2.root.json: ', [], '--ca-file', certificate)
    server.shutdown()
    server.server_close()


if __name__ == '__main__':
    run(*[(endless_metadata, name, name) for name in ('2.root', *METADATA)], endless_target,
        (slow, 'crawl', crawl), (slow, 'silence', silence), slow_target, cut_off,
        *[(odd_answer, name, *case) for name, case in ODD_ANSWERS.items()], odd_answers_that_are_right,
        *[(redirect_on_the_same_server, str(status), status) for status in (301, 302, 307, 308)],
        redirect_to_a_stranger, redirect_to_a_file, redirects_without_end, redirect_of_a_root_is_no_end_of_the_chain,
        server_that_is_gone, too_many_delegations, too_many_signatures, two_clients_at_once, tls, old_tls)
