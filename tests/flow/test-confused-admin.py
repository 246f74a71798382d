#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""People who ask for odd things and pull the plug at once; and what the log says to them: news, once."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

CHECKS = 4


def running(w):
    """1.0.0 runs."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return device


def answered_is_durable(w):
    """The gateway loses its power with each answer; what was answered stays."""
    device = running(w)

    def cut():
        w.kill_daemon()
        w.start_daemon()

    w.ctl('hold', 'boiler', expect=0)
    cut()
    w.expect('it is held', w.device()['Hold'])
    w.ctl('unhold', 'boiler', expect=0)
    cut()
    w.expect('it is not held', not w.device()['Hold'])
    w.ctl('approve', 'boiler@9.0.0', expect=0)
    cut()
    w.expect('it is approved', w.device()['Approved'] == '9.0.0')

    w.say('an update that waits for its device')
    device.stop()
    w.wait_device('it is away', lambda d: d['State'] == 'absent')
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    w.ctl('update', 'boiler', '--no-wait', expect=0)
    cut()
    w.wait_device('the update is open', lambda d: d['Candidate'] == '1.1.0' and d['State'] == 'waiting')
    w.ctl('cancel', 'boiler', expect=0)
    cut()
    w.wait_for('it ended', lambda: w.results()[-1:] == [('1.1.0', 'canceled')])
    device.start()
    state = w.wait_device('the device is there', lambda d: d['State'] == 'idle')
    w.expect('and not updated', state['RunningVersion'] == '1.0.0' and state['PassedOver'] == '1.1.0')
    w.expect('it ended once', len(w.results()) == len(set(map(tuple, w.results()))))


def no_programs(w):
    """Pipes, folders, endless files and the like are no backup; the daemon stays where it is."""
    running(w)
    pipe = os.path.join(w.tmp, 'pipe')
    os.mkfifo(pipe)
    large = w.write('large', '')
    os.truncate(large, 1 << 40)
    for path, sentence in ((pipe, 'not a regular file'), (w.tmp, 'not a regular file'), ('/dev/zero', 'not a regular file'),
                           (large, 'larger than a program may be'), (w.write('empty', ''), 'is empty'),
                           ('/proc/self/mem', 'cannot be read'), (w.write('other', 'x' * 5000), 'another digest')):
        answer = w.ctl('backup', 'adopt', 'boiler', path, '--version', '1.0.0')
        w.expect(f'{path} is refused: {answer.errors.strip()}', answer.status in (2, 5) and sentence in answer.errors)
    w.ctl('backup', 'check', 'boiler', expect=0)
    w.expect('no temporary is left', not [name for name in os.listdir(os.path.join(w.state, 'images')) if name.endswith('.tmp')])
    w.expect('the backup is what it was', w.device()['BackupVersion'] == '1.0.0')


def quiet_log(w):
    """What fails each time is told the first time; a reload that is none is told, and harms nothing."""
    w.poll = '1s\nPollRandomDelay=0'
    running(w)

    def told():
        return [line for line in w.said().splitlines() if 'check: ' in line]

    def last():
        status = w.ctl('--json', 'status', expect=0).json
        return status['last-check'], status['last-check-result']

    def some_checks(result):
        for _ in range(CHECKS):
            before = last()[0]
            w.wait_for(f'a refresh: {result}', lambda: last() > (before, '') and last()[1] == result)  # pylint: disable=cell-var-from-loop

    some_checks('done')
    w.expect(f'the first was told: {told()}', len(told()) == 1)
    w.server.stop()
    some_checks('server-unreachable')
    w.expect(f'the first failure was told: {told()}', len(told()) == 2)
    w.server.start()
    some_checks('done')
    w.expect(f'and its end: {told()}', len(told()) == 3)
    os.kill(w.daemon.pid, signal.SIGHUP)
    w.wait_for('the answer to SIGHUP', lambda: 'the configuration is read at the start' in w.said())
    some_checks('done')
    w.expect('it goes on', w.device()['State'] == 'idle')


def loose_plug(w):
    """A device that comes and goes all day: the log says so, and leaves it at that."""
    device = running(w)
    flaps = 0

    def is_told():
        return 'it comes and goes' in w.said()

    while not is_told() and flaps < 20:
        device.cut_power()
        w.wait_device('it is away', lambda d: not d['Present'])
        device.start()
        w.wait_device('it is back', lambda d: d['Present'])
        flaps += 1
    w.expect(f'told after {flaps} times', is_told())
    w.expect('once', w.said().count('it comes and goes') == 1)
    w.expect('it is as it was', w.device()['RunningVersion'] == '1.0.0' and not w.device()['Candidate'])


run(answered_is_durable, no_programs, quiet_log, loose_plug)
