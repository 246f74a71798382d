#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines that are shared with an application, held by somebody else, late, or sockets."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

HOLD_LINE = 'import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print("held", flush=True); time.sleep(600)'


class Holder:
    """Another process that has the line open."""

    def __init__(self, w, device):
        self.w = w
        self.device = device
        self.process = None
        self.times = 0

    def open(self):
        self.process = self.w.spawn('application', ['/usr/bin/python3', '-c', HOLD_LINE, self.device.line])
        self.times += 1
        self.w.wait_for('the application has the line', lambda: self.process.tail(1000).count('held') == self.times)

    def close(self):
        self.process.kill()


class Application(Holder):
    """The owner of an on-demand line, which hears PortWanted and lets go when the story says so."""

    def __init__(self, w, device):
        super().__init__(w, device)
        self.monitor = w.spawn('monitor', ['busctl', '--system', '--json=short', 'monitor', '--match',
                                           "type='signal',member='PortWanted'"])
        w.wait_for('monitor', lambda: 'Monitoring bus' in self.monitor.tail())
        self.seen = 0

    def signals(self):
        """(port, wanted) of every PortWanted so far."""
        heard = []
        for line in self.monitor.tail(1000).splitlines():
            if line.startswith('{'):
                heard.append(tuple(json.loads(line)['payload']['data']))
        return heard

    def wait_signal(self, wanted):
        """The next signal says so."""
        signals = self.w.wait_for(f'PortWanted {wanted}', lambda: self.signals()[self.seen:])
        self.w.expect(f'the application is told: wanted {wanted}', signals[0] == ('line-boiler', wanted))
        self.seen += 1


def port(w, name='boiler'):
    return [p for p in w.ctl('--json', 'ports', expect=0).json if p['name'] == f'line-{name}'][0]


def has_open(w, device):
    """Whether the daemon has the line open."""
    folder = f'/proc/{w.daemon.pid}/fd'
    line = os.path.realpath(device.line)
    return line in [os.readlink(f'{folder}/{fd}') for fd in os.listdir(folder) if os.path.lexists(f'{folder}/{fd}')]


def hand_over(w, application):
    """Still open in the application: refused, naming it. Closed: accepted."""
    refused = w.ctl('ports', 'release', 'line-boiler')
    w.expect('a line that is still open is refused', refused.status == 5)
    w.expect('its holder is named', f'python3 (pid {application.process.pid})' in refused.errors)
    w.expect('the port tells it too', f'(pid {application.process.pid})' in port(w)['problem'])
    application.close()
    w.ctl('ports', 'release', 'line-boiler', expect=0)


def on_demand(w):
    """The application hands the line over for first contact and update, and gets it back each time."""
    image = w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', port_keys='Mode=on-demand')
    w.start_bus()
    application = Application(w, device)
    application.open()
    w.start()

    application.wait_signal(True)
    w.expect('the port is wanted', port(w)['state'] == 'wanted')
    w.expect('the daemon does not touch the line', not has_open(w, device))
    hand_over(w, application)
    w.wait_device('the device is met', lambda d: d['Serial'] == 'SN-boiler')
    application.wait_signal(False)
    w.wait_for('the line is given back', lambda: not has_open(w, device))
    application.open()
    w.expect('a line that is not wanted cannot be handed over', w.ctl('ports', 'release', 'line-boiler').status == 3)

    w.ctl('check', expect=0)
    application.wait_signal(True)
    hand_over(w, application)
    w.wait_device('the trial of 1.0.0 is under way', lambda d: d['State'] == 'trial')
    w.expect('the line is kept during the trial', has_open(w, device))
    application.wait_signal(False)
    w.wait_for('the line is given back', lambda: not has_open(w, device))
    w.expect('the port is closed', port(w)['state'] == 'closed')
    w.wait_result('1.0.0', 'done')
    w.expect_flash(image)
    w.expect('it is confirmed', device.record()['state'] == 'confirmed')


def held_by_somebody(w):
    """Another process has the line open: it is named, and the line taken as soon as it is free."""
    image = w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    other = Holder(w, device)
    other.open()
    w.start()
    w.wait_for('the port cannot be opened', lambda: port(w)['state'] == 'failed')
    w.expect('the holder is named', f'is held by python3 (pid {other.process.pid})' in port(w)['problem'])
    w.expect('people see it too', f'(pid {other.process.pid})' in w.ctl('ports', expect=0).text)
    w.ctl('check', expect=0)
    other.close()
    w.wait_runs('1.0.0')
    w.expect_flash(image)


def late(w):
    """The line is not there at the start, as an adapter that is plugged in later."""
    image = w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', start=False)
    w.start()
    w.ctl('check', expect=0)
    w.expect('the port says what is missing', 'No such file' in port(w)['problem'])
    device.start()
    w.wait_runs('1.0.0')
    w.expect_flash(image)


def unix_socket(w):
    """The port is a stream socket, as of a terminal server or an emulator; it goes away and comes back."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', line='--unix')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    device.control('unplug')
    w.wait_device('it is seen as absent', lambda d: not d['Present'])
    image = w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    device.control('plug')
    w.wait_runs('1.1.0')
    w.expect_flash(image)


run(on_demand, held_by_somebody, late, unix_socket)
