# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TUF repository in memory behind HTTP on loopback, and rekindle-tuf as its client.

A test gets a Bench: its repository, its client's folders, and the requests as they came. Canonical JSON and key ids are computed
here, signatures made by signer (libcrypto): nothing of the project judges itself.
"""

import copy
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

BUILD = os.environ['REKINDLE_BUILD']
PROGRAM = os.environ.get('REKINDLE_TUF', os.path.join(BUILD, 'src/tuf-client/rekindle-tuf'))
SIGNER = os.path.join(BUILD, 'tests/tuf/signer')
CLOCKSHIM = os.path.join(BUILD, 'tests/tuf/clockshim.so')
TOP_LEVEL = ('root', 'timestamp', 'snapshot', 'targets')
SCHEMES = {'ed25519': ('ed25519', 'ed25519'), 'p256': ('ecdsa', 'ecdsa-sha2-nistp256'), 'p384': ('ecdsa', 'ecdsa-sha2-nistp256'),
           'rsa': ('rsa', 'rsassa-pss-sha256'), 'rsa-long-salt': ('rsa', 'rsassa-pss-sha256'), 'rsa-small': ('rsa', 'rsassa-pss-sha256')}


class Failure(Exception):
    """What a test expected and did not see."""


def canonical(value):
    """The OLPC form, as bytes."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda item: item[0].encode())
        return b'{' + b','.join(canonical(k) + b':' + canonical(v) for k, v in members) + b'}'
    if isinstance(value, list):
        return b'[' + b','.join(canonical(v) for v in value) + b']'
    if isinstance(value, str):
        return b'"' + value.replace('\\', '\\\\').replace('"', '\\"').encode() + b'"'
    if value is True or value is False or value is None:
        return {True: b'true', False: b'false', None: b'null'}[value]
    return b'%d' % value


def from_now(days=0, seconds=0):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + days * 86400 + seconds))


class Signer:
    """The process that holds the private keys; pools them, because RSA keys take their time."""

    def __init__(self):
        self.process = subprocess.Popen([SIGNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding='ascii')
        self.made = 0
        self.pool = {}

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip('\n')
        if not answer:
            raise Failure('the signer is gone')
        return answer

    def key(self, kind, index):
        """The index-th key of this kind."""
        pool = self.pool.setdefault(kind, [])
        while len(pool) <= index:
            public = self.ask(f'new {kind}').replace('\\n', '\n')
            keytype, scheme = SCHEMES[kind]
            pool.append((self.made, {'keytype': keytype, 'scheme': scheme, 'keyval': {'public': public}}))
            self.made += 1
        return pool[index]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Key:
    def __init__(self, signer, kind, index):
        self.signer = signer
        self.number, public = signer.key(kind, index)
        self.object = copy.deepcopy(public)
        self.forced_id = None

    @property
    def id(self):
        return self.forced_id or hashlib.sha256(canonical(self.object)).hexdigest()

    def sign(self, signed):
        return self.signer.ask(f'sign {self.number} {canonical(signed).hex()}')


class Role:
    """What is signed, and who signs it. `keys` are those that its delegator names, `signers` those that do it."""

    def __init__(self, kind):
        self.signed = {'_type': kind, 'spec_version': '1.0.34', 'version': 1, 'expires': from_now(days=30)}
        self.signers = []
        self.versions = {}  # version → bytes as published
        self.newest = None

    @property
    def version(self):
        return self.signed['version']

    @version.setter
    def version(self, number):
        self.signed['version'] = number


class Repository:
    """Top-level roles signed by one Ed25519 key each; published with version 1."""

    def __init__(self, signer, kind='ed25519'):
        self.signer = signer
        self.kind = kind
        self.made = {}
        self.roles = {}
        self.artifacts = {}   # path on the server → bytes
        self.overrides = {}   # path on the server → bytes, a status, or a function of the handler
        self.with_hashes = False
        self.root = self.add_role('root', 'root', consistent_snapshot=True, keys={}, roles={})
        self.timestamp = self.add_role('timestamp', 'timestamp', meta={'snapshot.json': {'version': 1}})
        self.snapshot = self.add_role('snapshot', 'snapshot', meta={'targets.json': {'version': 1}})
        self.targets = self.add_role('targets', 'targets', targets={})
        for name in TOP_LEVEL:
            self.root.signed['roles'][name] = {'keyids': [], 'threshold': 1}
            self.add_key(name)
        for name in ('targets', 'snapshot', 'timestamp', 'root'):
            self.put_up(name)

    def add_role(self, name, kind, **members):
        role = self.roles[name] = Role(kind)
        role.signed.update(members)
        return role

    def new_key(self, kind=None):
        kind = kind or self.kind
        index = self.made[kind] = self.made.get(kind, -1) + 1
        return Key(self.signer, kind, index)

    def add_key(self, name, key=None, signs=True):
        """A key more for a top-level role, from the next root on."""
        key = key or self.new_key()
        self.root.signed['keys'][key.id] = key.object
        self.root.signed['roles'][name]['keyids'].append(key.id)
        if signs:
            self.roles[name].signers.append(key)
        return key

    def set_keys(self, name, keys, threshold=1, signers=None):
        self.root.signed['roles'][name] = {'keyids': [], 'threshold': threshold}
        self.roles[name].signers = []
        for key in keys:
            self.add_key(name, key, signs=False)
        self.roles[name].signers = list(keys if signers is None else signers)

    def rotate(self, name):
        self.set_keys(name, [self.new_key()])

    def document(self, name):
        role = self.roles[name]
        return {'signatures': [{'keyid': k.id, 'sig': k.sign(role.signed)} for k in role.signers], 'signed': role.signed}

    def put_up(self, name, data=None):
        """Signs a role as it is and puts it on the server."""
        role = self.roles[name]
        if data is None:
            data = json.dumps(self.document(name), indent=1).encode()
        role.versions[role.version] = role.newest = data
        return data

    def entry(self, name):
        entry = {'version': self.roles[name].version}
        if self.with_hashes:
            data = self.roles[name].newest
            entry['length'] = len(data)
            entry['hashes'] = {'sha256': hashlib.sha256(data).hexdigest()}
        return entry

    def promise(self, name):
        if name == 'snapshot':
            self.timestamp.signed['meta']['snapshot.json'] = self.entry(name)
        elif name not in TOP_LEVEL or name == 'targets':
            self.snapshot.signed['meta'][f'{name}.json'] = self.entry(name)

    def publish(self, *names):
        """The next version of each role, in this order, promised by the one that lists it."""
        for name in names:
            role = self.roles[name]
            if role.newest is not None:
                role.version += 1
            self.put_up(name)
            self.promise(name)

    def publish_all(self):
        self.publish(*[n for n in self.roles if n not in TOP_LEVEL], 'targets', 'snapshot', 'timestamp')

    def add_target(self, path, data, role='targets', hashes=('sha256',), custom=None):
        entry = {'length': len(data), 'hashes': {h: hashlib.new(h, data).hexdigest() for h in hashes}}
        if custom is not None:
            entry['custom'] = custom
        self.roles[role].signed['targets'][path] = entry
        folder, slash, name = path.rpartition('/')
        for digest in entry['hashes'].values():
            self.artifacts[f'{folder}{slash}{digest}.{name}'] = data
        self.artifacts[path] = data
        return entry

    def delegate(self, delegator, name, paths=('*',), terminating=False, threshold=1, key=None, prefixes=None):
        """A delegation, last in the list; the role is made if it is new, and gets a key."""
        if name not in self.roles:
            self.add_role(name, 'targets', targets={})
        key = key or self.new_key()
        if key not in self.roles[name].signers:
            self.roles[name].signers.append(key)
        delegations = self.roles[delegator].signed.setdefault('delegations', {'keys': {}, 'roles': []})
        delegations['keys'][key.id] = key.object
        role = {'name': name, 'keyids': [key.id], 'threshold': threshold, 'terminating': terminating}
        role.update({'path_hash_prefixes': list(prefixes)} if prefixes is not None else {'paths': list(paths)})
        delegations['roles'].append(role)
        return role

    def fetch(self, path):
        """Bytes of a path below the repository, or None."""
        if path.startswith('targets/'):
            return self.artifacts.get(urllib.parse.unquote(path[len('targets/'):]))
        name = path[len('metadata/'):]
        if not path.startswith('metadata/') or not name.endswith('.json'):
            return None
        name = name[:-len('.json')]
        if name == 'timestamp' or not self.root.signed.get('consistent_snapshot') and not name.endswith('.root'):
            role = self.roles.get(urllib.parse.unquote(name))
            return role.newest if role else None
        version, _, name = name.partition('.')
        role = self.roles.get(urllib.parse.unquote(name))
        return role.versions.get(int(version)) if role and version.isdigit() else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1
    disable_nagle_algorithm = True
    bench = None

    def do_GET(self):  # pylint: disable=invalid-name
        bench = type(self).bench
        path = self.path.lstrip('/')
        bench.requests.append(path)
        answer = bench.repository.overrides.get(path, bench.repository.fetch(path))
        if callable(answer):
            answer(self)
        elif isinstance(answer, int) or answer is None:
            self.send(b'', answer or 404)
        else:
            self.send(answer)

    def do_HEAD(self):  # pylint: disable=invalid-name
        type(self).bench.requests.append('HEAD ' + self.path)
        self.send_error(405)

    def send(self, data, status=200, headers=()):
        self.send_response(status)
        self.send_header('Content-Length', str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Bench:
    """One test's repository and client."""

    def __init__(self, signer, server, kind='ed25519'):
        self.server = server
        self.repository = Repository(signer, kind)
        self.requests = []
        self.tmp = tempfile.mkdtemp(prefix='rekindle-tuf-')
        self.metadata = os.path.join(self.tmp, 'metadata')
        self.targets = os.path.join(self.tmp, 'targets')
        os.mkdir(self.metadata)
        os.mkdir(self.targets)
        self.base = f'http://127.0.0.1:{server.server_address[1]}'
        self.shift = 0
        self.said = ''
        Handler.bench = self
        self.init()

    def close(self):
        shutil.rmtree(self.tmp, ignore_errors=True)

    def command(self, *arguments):
        return [PROGRAM, '--metadata-dir', self.metadata, *arguments]

    def run(self, *arguments, wrapper=()):
        env = dict(os.environ, ASAN_OPTIONS='exitcode=99:verify_asan_link_order=0', UBSAN_OPTIONS='halt_on_error=1:exitcode=99')
        if self.shift:
            env.update(LD_PRELOAD=CLOCKSHIM, CLOCK_SHIFT=str(self.shift))
        done = subprocess.run([*wrapper, *self.command(*arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='utf-8', errors='replace', env=env, timeout=60, check=False)
        self.said = done.stdout.strip()
        return done.returncode

    def init(self, data=None):
        path = os.path.join(self.tmp, 'trusted-root.json')
        with open(path, 'wb') as file:
            file.write(self.repository.root.versions[1] if data is None else data)
        return self.run('init', path)

    def url(self):
        return ('--metadata-url', self.base + '/metadata/')

    def run_refresh(self, *options, wrapper=()):
        self.requests.clear()
        return self.run(*self.url(), *options, 'refresh', wrapper=wrapper)

    def run_download(self, *names, options=(), wrapper=()):
        self.requests.clear()
        wanted = [word for name in names for word in ('--target-name', name)]
        return self.run(*self.url(), *options, *wanted, '--target-dir', self.targets, '--target-base-url', self.base + '/targets/',
                        'download', wrapper=wrapper)

    def expect(self, condition, what):
        if not condition:
            raise Failure(f'{what}; it said: {self.said or "nothing"}; requests: {self.requests}')

    def good(self, requests=None, **kwargs):
        """A refresh that has to succeed, with these requests below metadata/."""
        self.expect(self.run_refresh(**kwargs) == 0, 'refresh fails')
        self.expect_requests(requests)

    def refused(self, text, requests=None, *options):
        """A refresh that has to fail and say so."""
        self.expect(self.run_refresh(*options) == 1, 'refresh does not exit with 1')
        self.expect(text in self.said, f'it does not say "{text}"')
        self.expect_requests(requests)

    def expect_requests(self, requests):
        if requests is None:
            return
        got = [r[len('metadata/'):-len('.json')] for r in self.requests if r.startswith('metadata/')]
        self.expect(got == requests, f'the requests are not {requests}')

    def download(self, *names, **kwargs):
        self.expect(self.run_download(*names, **kwargs) == 0, f'download of {names} fails')

    def download_refused(self, text, *names, **kwargs):
        self.expect(self.run_download(*names, **kwargs) == 1, f'download of {names} does not exit with 1')
        self.expect(text in self.said, f'it does not say "{text}"')

    def trusted(self):
        """Role → version of every ROLE.json in the client's folder."""
        found = {}
        for name in sorted(os.listdir(self.metadata)):
            if name.endswith('.json'):
                with open(os.path.join(self.metadata, name), 'rb') as file:
                    found[name[:-len('.json')]] = json.load(file)['signed']['version']
        return found

    def expect_trusted(self, **versions):
        self.expect(self.trusted() == versions, f'trusted are {self.trusted()} instead of {versions}')

    def stored(self, name):
        with open(os.path.join(self.metadata, name), 'rb') as file:
            return file.read()

    def files(self):
        """Name → bytes in the folder of targets."""
        found = {}
        for name in os.listdir(self.targets):
            with open(os.path.join(self.targets, name), 'rb') as file:
                found[name] = file.read()
        return found


def run(*tests, kind='ed25519'):
    """Runs the tests (those named on the command line, else all) and exits; the last line is "N passed, N failed". A test is a
    function of a Bench, or a tuple of such a function, a name and more arguments."""
    signer = Signer()
    server = Server(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
    chosen = []
    for test in tests:
        function, name, *arguments = test if isinstance(test, tuple) else (test, None)
        name = function.__name__ + (f' [{name}]' if name else '')
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
            chosen.append((function, name, arguments))
    good = 0
    for function, name, arguments in chosen:
        bench = Bench(signer, server, kind)
        try:
            function(bench, *arguments)
            good += 1
            print(f'ok: {name}')
        except Failure as failure:
            print(f'FAILED: {name}: {failure}')
        except Exception:  # pylint: disable=broad-except
            print(f'FAILED: {name}')
            traceback.print_exc(file=sys.stdout)
        bench.close()
    server.shutdown()
    signer.close()
    print(f'{good} passed, {len(chosen) - good} failed')
    sys.exit(0 if chosen and good == len(chosen) else 1)
