#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person sees: the bar of an update on terminals of several widths, and every table of 80 columns."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from process import read_terminal  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

COLOR = re.compile('\033\\[[0-9]*m')


def on_terminal(w, columns, *arguments):
    """Exit status and all that came out of the terminal, which is `columns` wide from the start."""
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    with subprocess.Popen(w.ctl_command(*arguments), stdin=follower, stdout=follower, stderr=follower,
                          env=w.environment) as started:
        os.close(follower)
        seen = read_terminal(leader)
    return started.returncode, COLOR.sub('', seen.decode('ascii'))


def lines_of(seen):
    return [line.rstrip('\r') for line in seen.split('\n')]


def watch_update(w, columns):
    """The frames of the bar, in their order, and the line that is left when it is gone."""
    status, seen = on_terminal(w, columns, 'update', 'boiler')
    *frames, left = re.split('\033\\[K', seen)
    frames = [frame.split('\r')[-1] for frame in frames]
    w.expect(f'{columns} columns: done', status == 0)
    w.expect(f'{columns} columns: no frame is wider: {max(map(len, frames))}', all(len(frame) < columns for frame in frames))
    w.expect(f'{columns} columns: the bar is gone at the end', frames[-1] == '' and lines_of(left)[0].startswith('boiler: '))
    return [frame for frame in frames if frame]


def percents(frames):
    return [int(p) for p in re.findall(r'(\d+) %', '\n'.join(frames))]


def bars(w):
    """Wide and narrow; 100 % comes after the confirm only, and nothing goes back once the push runs."""
    w.publisher.publish('1.1.0', pad=40000)
    frames = watch_update(w, 80)
    pushing = [frame for frame in frames if 'downloading' not in frame and 'validating' not in frame]
    w.expect(f'it only rises: {percents(pushing)}', percents(pushing) == sorted(percents(pushing)))
    full = [frame for frame in frames if '100 %' in frame and 'downloading' not in frame]
    w.expect(f'100 % is for the report: {full}', all('reporting' in frame for frame in full))
    w.expect('bar, rate and time left', any(re.search(r'send +\[#+\.+\] +\d+ %  [\d.]+ KiB/s  \d:\d\d left', f) for f in frames))
    w.expect('the trial has a time left', any(re.search(r'trial +\[#+\.+\] +9\d %  0:\d\d left', f) for f in frames))
    w.expect('the bar stays in its place', len({(f.index('['), f.index(']')) for f in frames if '[' in f}) == 1)
    w.publisher.publish('1.2.0')
    w.expect('a narrow terminal has no bar', not any('[' in frame for frame in watch_update(w, 40)))


def numbers(w, monitor):
    """What programs see of the same updates."""
    phase, told = '', []
    with open(monitor.log, encoding='utf-8') as log:
        for change in map(json.loads, log):
            phase = change.get('phase', phase)
            if 'progress' in change:
                told.append((phase, change['progress']))
    early = [(phase, progress) for phase, progress in told if progress >= 1000 and phase not in ('confirming', 'reporting')]
    w.expect(f'progress is 1000 after the confirm only: {early}', not early)
    w.expect('and it was told all the way', any(phase == 'trial' and progress > 900 for phase, progress in told))


def tables(w):
    for arguments in (['list'], ['status'], ['show', 'boiler'], ['backup', 'list'], ['backup', 'images'], ['history'],
                      ['check', '--explain'], ['backup', 'check']):
        status, seen = on_terminal(w, 80, *arguments)
        wide = [line for line in lines_of(seen) if len(line) > 80]
        w.expect(f'{" ".join(arguments)} fits 80 columns: {wide}', status == 0 and not wide)


def one_line_tables(w):
    """Long paths, names and sentences: a row is one line of the terminal, whatever its width."""
    for columns in (80, 60, 40, 20):
        for arguments, rows in ((['list'], 2), (['ports'], 2), (['backup', 'list'], 2), (['backup', 'images'], 1)):
            status, seen = on_terminal(w, columns, *arguments)
            lines = [line for line in lines_of(seen) if line]
            wide = [line for line in lines if len(line) > columns]
            w.expect(f'{" ".join(arguments)} has {rows} lines of {columns} columns at most: {lines}', status == 0 and not wide
                     and len(lines) == 1 + rows)


def long_names(w):
    """A gateway whose lines have long paths, and whose devices have long names."""
    w.publisher.publish('1.0.0')
    w.publisher.publish('1.1.0-rc.1-build.20260131')
    for name in ('boiler', 'boiler-in-the-cellar-of-the-north-wing-next-to-the-stairs'):
        w.add_device(name, 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    for name in w.devices:
        w.wait_runs('1.1.0-rc.1-build.20260131', name)
    one_line_tables(w)


def terminal(w):
    """An upgrade and its faces."""
    w.publisher.publish('1.0.0')
    w.add_device('boiler', 'boiler-ctl', '--pace')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    monitor = w.spawn('monitor', w.ctl_command('--json', 'monitor', 'boiler'))
    bars(w)
    monitor.process.terminate()
    monitor.process.wait()
    numbers(w, monitor)
    tables(w)


run(terminal, long_names)
