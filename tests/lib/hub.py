# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus in a story's world: one half-duplex line with echo, several devices with addresses on it (hub.c).

    bus = Bus(world)
    bus.add_device('a', 1)
    bus.start()
    world.start()
"""

import json
import os
import subprocess

from world import Simulator, program

BAUD = 115200
BEGIN, DATA = 0x03, 0x06  # types of frames, rekindle-link(7)


class Bus:
    def __init__(self, world, name='bus', turnaround_usec=1000):
        self.world = world
        self.name = name
        self.port_keys = f'HalfDuplex=yes\nTurnaroundUsec={turnaround_usec}'
        self.folder = world.folder(f'hub-{name}')
        self.gateway = os.path.join(self.folder, 'gateway')
        self.log = os.path.join(self.folder, 'frames')
        self.ends = {}
        self.hub = None
        world.buses.append(self)

    @property
    def port_path(self):
        """For Path= of a port."""
        return 'unix:' + self.gateway

    def take(self, device, address, device_keys='', start=True):
        """Puts a device whose line is a socket or a terminal on the bus; it is named to the gateway with its address."""
        device.bus = self
        self.ends[device.name] = device.line
        if device.section:
            self.world.devices[device.name] = device
            self.world.device_keys[device.name] = f'Address={address}\n{device_keys}'
        if start:
            device.start()
        return device

    def add_device(self, name, address, *options, model='boiler-ctl', line='--unix', device_keys='', start=True, section=True):
        """A simulated device."""
        device = Simulator(self.world, name, model, ['--half-duplex', '--address', str(address), *options], line)
        device.section = section
        return self.take(device, address, device_keys, start)

    def start(self):
        """The line: from now on all hear each other."""
        ends = [f'{name}={path}' for name, path in self.ends.items()]
        self.hub = self.world.spawn(self.name, [program('tests/lib/hub'), '--baud', str(BAUD), '--echo', '--log', self.log,
                                                '--gateway', self.gateway, *ends], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer('ready')

    def _answer(self, expected=None):
        answer = self.hub.process.stdout.readline().decode().strip()
        if expected and answer != expected:
            raise RuntimeError(f'hub says {answer!r}')
        return answer

    def _command(self, line):
        self.hub.process.stdin.write(line.encode() + b'\n')
        self.hub.process.stdin.flush()

    def unplug(self, name):
        """Off the line; the device keeps its power."""
        self._command(f'unplug {name}')
        self._answer('ok')

    def plug(self, name):
        self._command(f'plug {name}')
        self._answer('ok')

    def counts(self):
        """{'collisions': damaged bytes, 'late': those of which one was too late, 'ends': {name: {'sent': bytes, 'lost': bytes}}}"""
        self._command('counts')
        return json.loads(self._answer())

    def damaged(self):
        """Bytes that met others, in time or late: on a busy computer all that two say at once may be late."""
        counts = self.counts()
        return counts['collisions'] + counts['late']

    def expect_quiet(self):
        """What a device of a busy computer says too late is not held against the gateway."""
        counts = self.counts()
        self.world.expect(f'nobody spoke while another did, {counts["late"]} bytes that came late aside', counts['collisions'] == 0)

    def frames(self):
        """What was on the line, oldest first."""
        with open(self.log, encoding='utf-8') as log:
            return [json.loads(line) for line in log if line.endswith('\n')]
