#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kinds of lines and devices: half duplex with echo, other speeds, flash that stops the core, small buffers, two at once."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE_BYTES = 48 * 1024


def provision(w, device, pad=IMAGE_BYTES):
    """1.0.0 on the blank device."""
    image = w.publisher.publish('1.0.0', pad=pad)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0', device.name)
    w.expect_flash(image, device.name)
    w.expect('it was done in one update', w.results(device.name) == [('1.0.0', 'done')])


def provision_and_upgrade(w, device, pad=IMAGE_BYTES):
    """1.0.0 on the blank device, then 1.1.0, which the program has to leave for."""
    provision(w, device, pad)
    image = w.publisher.publish('1.1.0', pad=pad)
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0', device.name)
    w.expect_flash(image, device.name)
    w.expect('1.0.0 is the way back', state['PreviousVersion'] == '1.0.0')
    w.expect('no update failed', w.results(device.name) == [('1.0.0', 'done'), ('1.1.0', 'done')])


def half_duplex_with_echo(w):
    """Two wires, an address, and an adapter that hears itself."""
    device = w.add_device('boiler', 'boiler-ctl', '--half-duplex', '--echo', '--address', '9', port_keys='HalfDuplex=yes',
                          device_keys='Address=9')
    provision_and_upgrade(w, device)


def fast_push(w):
    """The push goes at a higher speed than everything else, on a line that keeps time."""
    device = w.add_device('boiler', 'boiler-ctl', '--pace', '--speeds', '115200,460800', port_keys='PushBaud=460800')
    provision_and_upgrade(w, device)
    w.expect('each push was at 460800 baud', device.simulator.tail(1000).count('line: 460800 baud') == 2)
    w.expect('the program runs at 115200', device.status()['baud'] == 115200)


def fastest_push(w):
    """Nothing is configured: the fastest speed that both know."""
    device = w.add_device('boiler', 'boiler-ctl', '--pace', '--speeds', '38400,115200,921600', port_keys='Baud=38400')
    provision(w, device)
    w.expect('the push was at 921600 baud', device.simulator.tail(1000).count('line: 921600 baud') == 1)


def program_at_another_speed(w):
    """Bootloader at 115200, program at 19200."""
    device = w.add_device('boiler', 'boiler-ctl', '--pace', '--program-baud', '19200', port_keys='ProgramBaud=19200')
    provision_and_upgrade(w, device, pad=20 * 1024)


def flash_that_stops_the_core(w):
    """The device is deaf while its flash works, and says so."""
    device = w.add_device('boiler', 'boiler-ctl', '--pace', '--flash-blocks-cpu')
    provision(w, device)
    deaf = device.status()['deaf']
    w.expect(f'no data was sent to deaf ears: {deaf} bytes, hardly a question again whose answer was late', deaf < 256)


def small_buffer(w):
    """512 bytes of receive buffer."""
    device = w.add_device('boiler', 'boiler-ctl', '--buffer', '512', '--max-payload', '512')
    provision(w, device)


def two_at_once(w):
    """Two devices on two lines are updated at the same time."""
    names = ('boiler', 'burner')
    devices = [w.add_device(name, 'boiler-ctl', '--pace') for name in names]

    def meet(operations):
        """In the middle of both pushes."""
        for device in devices:
            device.stall_after(operations)
        w.ctl('check', expect=0)
        for device in devices:
            device.wait_stalled()
        for device in devices:
            device.go_on()

    w.publisher.publish('1.0.0', pad=IMAGE_BYTES)
    w.start()
    meet(30)
    for name in names:
        w.wait_runs('1.0.0', name)
    image = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    meet(30)
    for name in names:
        w.wait_runs('1.1.0', name)
        w.expect_flash(image, name)


run(half_duplex_with_echo, fast_push, fastest_push, program_at_another_speed, flash_that_stops_the_core, small_buffer,
    two_at_once)
