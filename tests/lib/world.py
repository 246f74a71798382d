# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole small world for one story: bus, publisher, web server, simulated devices on ptys, gateway. Real programs only.

    from world import run

    def good_update(w):
        w.add_device('boiler')
        w.start()
        ...

    run(good_update)

Everything lives in one temporary folder; every process is ended by its pid when the story is over, and one that is left is a
failure. When a story fails, the ends of the logs are shown and the folder is kept.
REKINDLE_BUILD names the build folder; default: tests/.out/build.
"""

import atexit
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from bus import bus_config
from flash import FlashFile
from process import Failure, Program, listens, processes_of, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get('REKINDLE_BUILD', os.path.join(SOURCE, 'tests', '.out', 'build'))
PYTHON = '/usr/bin/python3'

BUS_NAME = 'org.rekindle.Rekindle1'
BUS_PATH = '/org/rekindle/Rekindle1'

NGINX_CONF = '''daemon off;
master_process off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log;
  types {{ application/json json; }}
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location /targets/ {{ limit_rate {rate}; }}
  }}
}}
'''

FETCH_CONF = '''[Fetch]
Origin={origin}
AllowHttp=yes
'''

GATEWAY_CONF = '''[Server]
PollInterval={poll}

[Updates]
Provision={provision}
AdoptSeconds=1
TrialMinSeconds=5
StatusInterval=1s
{updates}
'''

PORT_CONF = '''
[Port {port}]
Path={path}
Baud=115200
{port_keys}
'''

DEVICE_CONF = '''
[Device {name}]
Port={port}
Model={model}
{device_keys}
'''


def program(*candidates):
    for candidate in candidates:
        path = os.path.join(BUILD, candidate)
        if os.access(path, os.X_OK):
            return path
    raise Failure(f'{candidates[0]} is not built in {BUILD}')


def free_port():
    """Below the range that the kernel gives to clients, so that nobody gets it between this look and its use."""
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)):
                return port
    raise Failure('no free port')


def unwrap(value):
    """What busctl --json makes of a D-Bus value, without the types."""
    if isinstance(value, dict) and set(value) == {'type', 'data'}:
        return unwrap(value['data'])
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return value


class Answer:
    """What rekindlectl said."""

    def __init__(self, done):
        self.status = done.returncode
        self.text = done.stdout
        self.errors = done.stderr

    @property
    def json(self):
        return json.loads(self.text)


class Server:
    """Debian's nginx over the published files; stop() and start() keep the address."""

    def __init__(self, world, root):
        self.world = world
        self.root = root
        self.folder = world.folder('nginx')
        self.port = free_port()
        self.rate = 0
        self.nginx = None

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def start(self, rate=None):
        """rate: bytes per second of one download; 0: no limit."""
        if rate is not None:
            self.rate = rate
        conf = self.world.write('nginx/nginx.conf', NGINX_CONF.format(folder=self.folder, port=self.port, root=self.root,
                                                                      rate=self.rate))
        binary = shutil.which('nginx', path=os.environ.get('PATH', '') + ':/usr/sbin')
        self.nginx = self.world.spawn('nginx', [binary, '-p', self.folder, '-c', conf, '-e', f'{self.folder}/error.log'])
        wait_for('web server', self._answers, alive=[self.nginx])

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def stop(self):
        if self.nginx:
            self.nginx.kill()
            self.nginx = None

    def requests(self):
        try:
            with open(f'{self.folder}/access.log', encoding='utf-8') as log:
                return log.read()
        except FileNotFoundError:
            return ''


class Origin:
    """tests/lib/http-origin.py in its place: it also behaves badly, and tells every request that it had."""

    def __init__(self, world, root):
        self.log = os.path.join(world.folder('origin'), 'requests')
        self.program = world.spawn('http-origin', [PYTHON, os.path.join(HERE, 'http-origin.py'), root, '--log', self.log],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self._answer().split()[1])

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def _answer(self):
        return self.program.process.stdout.readline().decode().strip()

    def start(self):
        self.command('answer')

    def command(self, *lines):
        """See the top of http-origin.py."""
        for line in lines:
            self.program.process.stdin.write(line.encode() + b'\n')
            self.program.process.stdin.flush()
            answer = self._answer()
            if answer != 'ok':
                raise Failure(f'http-origin: {line}: {answer}')

    def requests(self, below=''):
        """Every request below this path whose answer has ended, oldest first."""
        with open(self.log, encoding='utf-8') as log:
            entries = [json.loads(line) for line in log if line.endswith('\n')]
        return [e for e in entries if e['path'].startswith(below) and e['ended'] is not None]

    def downloads(self, version, model='boiler-ctl'):
        """(status, offset asked for, with If-Range, bytes sent, complete) of each answer for the file of this release."""
        return [(r['status'], int(r['headers'].get('range', 'bytes=0-')[6:-1]), 'if-range' in r['headers'], r['sent'], r['ended'])
                for r in self.requests(f'/targets/{model}/{version}/')]


class Publisher:
    """A repository folder and the programs published in it."""

    def __init__(self, world):
        self.world = world
        self.path = os.path.join(world.tmp, 'repository')
        self.images = {}
        self.repo('init', self.path)

    def repo(self, *arguments):
        self.world.check([program('src/repo/rekindle-repo'), *arguments])

    def make_image(self, version, behaviour='healthy', model='boiler-ctl', pad=0, seed=None):
        """A program for the simulator: a copy of the example of that behaviour which says this version."""
        path = os.path.join(self.world.folder('images'), f'{model}-{version}-{behaviour}.bin')
        command = [program('src/device/port/linux/rkprog-make'), behaviour, version, path, '--model', model]
        if pad:
            command += ['--pad', str(pad)]
        if seed is not None:
            command += ['--seed', str(seed)]
        self.world.check(command)
        return path

    def add(self, version, image, *options, model='boiler-ctl', trial=5):
        self.repo('add', self.path, '--model', model, '--version', version, image, '--trial', str(trial), *options)
        self.images[model, version] = image

    def served_file(self, version, model='boiler-ctl'):
        return glob.glob(os.path.join(self.path, 'public', 'targets', model, version, '*'))[0]

    def publish(self, version=None, behaviour='healthy', *options, model='boiler-ctl', trial=5, pad=0):
        """Makes, adds and publishes one release; returns the image. Without a version: what was added so far."""
        image = None
        if version:
            image = self.make_image(version, behaviour, model, pad)
            self.add(version, image, *options, model=model, trial=trial)
        self.repo('publish', self.path)
        return image


class Simulator(FlashFile):
    """One simulated device; its flash is a file that outlives it."""

    def __init__(self, world, name, model, options, line='--link'):
        self.world = world
        self.name = name
        self.model = model
        self.line_option = line  # --link: a terminal, --unix: a socket
        self.folder = world.folder(f'device-{name}')
        self.flash = os.path.join(self.folder, f'flash-SN-{name}')
        self.line = os.path.join(self.folder, 'tty')
        self.control_path = os.path.join(self.folder, 'control')
        self.options = list(options)
        self.slots = int(self.options[self.options.index('--slots') + 1]) if '--slots' in self.options else 1
        self.serial = f'SN-{name}'
        self.section = True
        self.bus = None  # of hub.py
        self.simulator = None

    @property
    def port_path(self):
        return f'unix:{self.line}' if self.line_option == '--unix' else self.line

    def start(self, *more):
        """Switches the power on."""
        for left in (self.line, self.control_path):
            if os.path.lexists(left):
                os.unlink(left)  # of a simulator that was killed
        self.simulator = self.world.spawn(f'device-{self.name}', [
            program('src/device/port/linux/rekindle-sim'), '--flash', self.flash, self.line_option, self.line, '--control',
            self.control_path, '--model', self.model, '--serial', self.serial, '--verbose', *self.options, *more])
        wait_for(f'line of {self.name}', lambda: os.path.exists(self.line) and os.path.exists(self.control_path),
                 alive=[self.simulator])

    def stop(self):
        return self.simulator.stop()

    def replace(self, serial):
        """Another unit on the same line: each serial has a flash of its own, a new one is blank."""
        self.stop()
        self.serial = serial
        self.flash = os.path.join(self.folder, f'flash-{serial}')
        self.start()

    def cut_power(self):
        """At once, in the middle of whatever it does; start() brings the power back. The terminal's name goes with it, as a
        device manager sees to: its number is given away again, and may be another story's line the next moment."""
        if os.path.islink(self.line):
            os.unlink(self.line)
        self.simulator.kill()

    def control(self, command):
        """One line to the control socket of the hardware; its answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(self.control_path)
            line.sendall(command.encode() + b'\n')
            answer = b''
            while not answer.endswith(b'\n'):
                piece = line.recv(65536)
                if not piece:
                    break
                answer += piece
        return answer.decode().strip()

    def status(self):
        return json.loads(self.control('status'))

    def stall_after(self, operations):
        """The flash stops in this operation from now on, and a push with it, until go_on(): what a story does meanwhile is done
        in the middle, however fast the device and however slow the computer is. The gateway bears it for 30 s."""
        self.control(f'stall-after {operations}')

    def is_stalled(self):
        return self.status()['stalled']

    def wait_stalled(self):
        wait_for(f'{self.name} is in the middle of it', self.is_stalled, alive=[self.simulator])

    def go_on(self):
        self.control('stall-after 0')


class World:
    """See the top of this file."""

    def __init__(self, story='story', say=None):
        self.story = story
        self.say = say or (lambda text: print(f'  {text}', flush=True))
        self.tmp = tempfile.mkdtemp(prefix='rk-')
        os.chmod(self.tmp, 0o755)
        self.programs = []
        self.devices = {}
        self.buses = []  # lines with several devices, see hub.py
        self.bus = None
        self.daemon = None
        self.updates_keys = ''
        self.port_keys = {}
        self.device_keys = {}
        self.provision = 'auto'
        self.poll = '0'
        self.environment = dict(os.environ)
        self.daemon_wrapper = []
        self.inside = []  # words before every command that talks to the daemon
        self.ctl_path = None
        self.config = os.path.join(self.folder('etc'), 'rekindled.conf')
        self.state = os.path.join(self.tmp, 'state')
        self.mounted = False
        self.closed = False
        atexit.register(self.close)

        self.publisher = Publisher(self)
        self.server = Server(self, os.path.join(self.publisher.path, 'public'))

    # --- folders and programs

    def folder(self, name):
        path = os.path.join(self.tmp, name)
        os.makedirs(path, exist_ok=True)
        return path

    def write(self, name, text):
        path = os.path.join(self.tmp, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def spawn(self, name, command, env=None, **streams):
        started = Program(name, command, os.path.join(self.folder('log'), f'{name}.log'), env=env or self.environment, **streams)
        self.programs.append(started)
        return started

    def check(self, command):
        """Runs a command that must succeed; its output."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding='utf-8', errors='replace', env=self.environment, timeout=60, check=False)
        if done.returncode:
            raise Failure(f'{os.path.basename(command[0])} {" ".join(command[1:])}: exit {done.returncode}\n{done.stdout}')
        return done.stdout

    # --- building the world

    def start_bus(self):
        policies = self.folder('policies')
        shutil.copy(os.path.join(SOURCE, 'systemd', f'{BUS_NAME}.conf'), policies)
        address = os.path.join(self.tmp, 'bus')
        conf = self.write('bus.conf', bus_config(address, policies))
        self.bus = self.spawn('bus', ['dbus-daemon', f'--config-file={conf}', '--nofork', '--nopidfile', '--nosyslog'])
        wait_for('bus', lambda: listens(address), alive=[self.bus])
        self.environment['DBUS_SYSTEM_BUS_ADDRESS'] = f'unix:path={address}'

    def add_device(self, name='boiler', model='boiler-ctl', *options, start=True, port_keys='', device_keys='', line='--link',
                   section=True):
        """section: whether the configuration has a [Device] section for it, not only one for its port."""
        device = Simulator(self, name, model, options, line)
        device.section = section
        self.devices[name] = device
        self.port_keys[name] = port_keys
        self.device_keys[name] = device_keys
        if start:
            device.start()
        return device

    def use_origin(self):
        """Before start(): the origin that behaves badly takes nginx's place."""
        self.server = Origin(self, self.server.root)
        return self.server

    def write_config(self):
        text = GATEWAY_CONF.format(poll=self.poll, provision=self.provision, updates=self.updates_keys)
        for bus in self.buses:
            text += PORT_CONF.format(port=bus.name, path=bus.port_path, port_keys=bus.port_keys)
        for name, device in self.devices.items():
            port = device.bus.name if device.bus else f'line-{name}'
            if not device.bus:
                text += PORT_CONF.format(port=port, path=device.port_path, port_keys=self.port_keys[name])
            if device.section:
                text += DEVICE_CONF.format(port=port, name=name, model=device.model, device_keys=self.device_keys[name])
        self.write('etc/rekindled.conf', text)
        self.write('etc/fetch.conf', FETCH_CONF.format(origin=self.server.url))

    def trust(self):
        """The owner puts the publisher's first root on the gateway."""
        shutil.copy(os.path.join(self.publisher.path, 'root.json'), self.folder('etc'))

    def start(self):
        """Bus, server, configuration, trust and daemon."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        if not self.bus:
            self.start_bus()
        self.server.start()
        self.write_config()
        self.trust()
        self.start_daemon()

    def mount_state(self, size):
        """Before start(): the state folder becomes a disk of this size; in a mount namespace of one's own."""
        os.makedirs(self.state, mode=0o700)
        self.check(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700', 'rekindle-test', self.state])
        self.mounted = True

    def daemon_command(self):
        return [program('src/daemon/rekindled'), '--config', self.config, '--state-dir', self.state, '--fetch-socket',
                os.path.join(self.tmp, 'fetch'), '--fetch-program', program('src/fetch/rekindle-fetch'), '--fetch-config',
                os.path.join(self.tmp, 'etc', 'fetch.conf'), '--root', os.path.join(self.tmp, 'etc', 'root.json'), '--log-level', 'debug']

    def start_daemon(self, wait=True):
        self.daemon = self.spawn('rekindled', [*self.daemon_wrapper, *self.daemon_command()])
        if wait:
            wait_for('rekindled on the bus', lambda: self.objects() is not None, alive=[self.daemon])

    def set_clock(self, shift, kind='free'):
        """The daemon's time of day is so many seconds ahead from now on, in one step, as a clock that is set; its timers go on
        as they were. kind: free or synchronised. Before start() for the first time."""
        path = os.path.join(self.tmp, 'clock')
        self.daemon_wrapper = ['env', f'LD_PRELOAD={program("tests/tuf/clockshim.so")}', f'CLOCK_FILE={path}']
        self.write('clock.new', f'{int(shift)} {kind}')
        os.rename(f'{path}.new', path)

    def kill_daemon(self):
        """kill -9, as a crash or a power cut of the gateway would."""
        self.daemon.kill()

    def stop_daemon(self):
        status = self.daemon.stop()
        if status:
            raise Failure(f'rekindled ended with {status} after SIGTERM')

    def save(self, name):
        """Keeps state and flash as they are now; daemon and devices must be stopped."""
        place = os.path.join(self.tmp, f'saved-{name}')
        shutil.copytree(self.state, os.path.join(place, 'state'))
        for device in self.devices.values():
            shutil.copy(device.flash, os.path.join(place, device.name))

    def load(self, name):
        """State and flash as they were saved."""
        place = os.path.join(self.tmp, f'saved-{name}')
        shutil.rmtree(self.state)
        shutil.copytree(os.path.join(place, 'state'), self.state)
        for device in self.devices.values():
            shutil.copy(os.path.join(place, device.name), device.flash)

    # --- looking at it

    def ctl_command(self, *arguments):
        return [*self.inside, self.ctl_path or program('src/ctl/rekindlectl'), *arguments]

    def ctl(self, *arguments, expect=None, timeout=120):
        """rekindlectl; expect: the wanted exit status."""
        done = subprocess.run(self.ctl_command(*arguments), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8', errors='replace',
                              env=self.environment, timeout=timeout, check=False)
        if expect is not None and done.returncode != expect:
            raise Failure(f'rekindlectl {" ".join(arguments)}: exit {done.returncode} instead of {expect}\n'
                          f'{done.stdout}{done.stderr}')
        return Answer(done)

    def spawn_ctl(self, *arguments):
        return self.spawn('rekindlectl', self.ctl_command(*arguments))

    def said(self):
        """All that the daemon has said so far; it holds what was over before anybody could ask."""
        with open(self.daemon.log, encoding='utf-8', errors='replace') as log:
            return log.read()

    def objects(self):
        """Every object of the daemon: {path: {property: value}}; None while it does not answer."""
        done = subprocess.run([*self.inside, 'busctl', '--system', '--json=short', '--timeout=30', 'call', BUS_NAME, BUS_PATH,
                               'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects'], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding='utf-8', env=self.environment,
                              check=False)
        if done.returncode:
            return None
        objects = {}
        for path, interfaces in unwrap(json.loads(done.stdout))[0].items():
            objects[path] = {}
            for name, properties in interfaces.items():
                if name.startswith(BUS_NAME):
                    objects[path].update(properties)
        return objects

    def device(self, name='boiler'):
        """The properties of one device; {} when it is not known."""
        for properties in (self.objects() or {}).values():
            if properties.get('Id') == name:
                return properties
        return {}

    def wait_for(self, what, predicate, seconds=90):
        return wait_for(what, predicate, seconds, alive=[self.daemon] if self.daemon else [])

    def wait_device(self, what, predicate, name='boiler', seconds=120):
        """Waits until predicate(properties) is true; the properties then."""
        seen = {}

        def look():
            seen.clear()
            seen.update(self.device(name))
            return seen and predicate(seen)

        try:
            self.wait_for(what, look, seconds)
        except Failure as failure:
            shown = {key: seen.get(key) for key in ('State', 'StateText', 'DeviceState', 'Phase', 'Progress', 'RunningVersion',
                                                    'BackupVersion', 'PreviousVersion', 'Outcome', 'OutcomeText', 'Waiting', 'Verdict', 'VerdictText')}
            raise Failure(f'{failure}; last seen: {shown}') from None
        return seen

    def wait_runs(self, version, name='boiler', seconds=180):
        """The version runs, is confirmed and is the backup."""
        return self.wait_device(f'{version} confirmed on {name}', lambda d: d['State'] == 'idle' and
                                d['RunningVersion'] == version and d['BackupVersion'] == version, name, seconds)

    def history(self, name='boiler'):
        return self.ctl('--json', 'history', name, expect=0).json

    def results(self, name='boiler'):
        """(version, outcome) of every update that has ended, oldest first."""
        return [(e['candidate'], e['outcome']) for e in self.history(name) if e['event'] == 'result']

    def wait_result(self, version, outcome, name='boiler', seconds=90):
        """Waits until the last update that ended was to this version, ended so, and is closed."""
        def ended():
            return self.results(name)[-1:] == [(version, outcome)] and self.device(name).get('State') != 'reporting'

        try:
            self.wait_for(f'{version} on {name}: {outcome}', ended, seconds)
        except Failure as failure:
            raise Failure(f'{failure}; seen: {self.results(name)}') from None

    def images(self):
        """What the store holds."""
        return self.ctl('--json', 'backup', 'images', expect=0).json

    def received(self):
        """Bytes in the store of a download that is not complete."""
        parts = glob.glob(os.path.join(self.state, 'images', '*.part'))
        return os.path.getsize(parts[0]) if parts else 0

    def outbox(self):
        """The reports that wait for the fleet server, in their order."""
        folder = os.path.join(self.state, 'outbox')
        reports = []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                reports.append(json.load(file))
        return reports

    # --- judging and ending it

    def expect(self, what, truth):
        if not truth:
            raise Failure(what)
        self.say(f'ok: {what}')

    def expect_flash(self, image, name='boiler'):
        self.expect(f'the flash of {name} is exactly {os.path.basename(image)}', self.devices[name].holds(image))

    def show_logs(self):
        for started in {program.log: program for program in self.programs}.values():
            text = started.tail()
            if text:
                print(f'--- end of {started.log}\n{text}', flush=True)

    def close(self, keep=False):
        """Ends every process by its pid. Returns what had to be ended although nothing of ours should have been left."""
        if self.closed:
            return []
        self.closed = True
        for started in reversed(self.programs):
            try:
                started.stop(5)
            except Failure:
                pass
        left = processes_of(self.tmp + '/')
        deadline = time.monotonic() + 5
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = processes_of(self.tmp + '/')
        for pid, _ in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.mounted and not keep:
            subprocess.run(['umount', '--lazy', self.state], check=False)
        if not keep:
            shutil.rmtree(self.tmp, ignore_errors=True)
        return [command for _, command in left]


def _on_signal(number, _frame):
    sys.exit(128 + number)


def run_story(story):
    """True when the story went as told and left nothing running."""
    print(f'{story.__name__}: {(story.__doc__ or "").strip().splitlines()[0] if story.__doc__ else ""}', flush=True)
    world = None
    try:
        world = World(story.__name__)
        story(world)
    except Exception as failure:  # pylint: disable=broad-except
        if isinstance(failure, Failure):
            print(f'  FAILED: {failure}', flush=True)
        else:
            traceback.print_exc(file=sys.stdout)
        if world:
            world.show_logs()
            world.close(keep=True)
            print(f'  kept: {world.tmp}', flush=True)
        return False
    left = world.close()
    if left:
        print(f'  FAILED: left running: {left}', flush=True)
    return not left


def run(*stories):
    """Runs the stories (those named on the command line, else all) and exits; the last line is "N passed, N failed"."""
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGINT, _on_signal)
    named = sys.argv[1:]
    chosen = [story for story in stories if not named or story.__name__ in named]
    good = sum([run_story(story) for story in chosen])
    print(f'{good} passed, {len(chosen) - good} failed')
    sys.exit(0 if chosen and good == len(chosen) else 1)
