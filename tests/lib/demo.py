#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, told aloud: one gateway, one device on a line of 115200 baud, one web server, all real programs of Rekindle.

Every "ok" was looked up: on the bus, or in the flash file by a reader that shares no code with the device library.
"""

import os
import pty
import re
import signal
import subprocess
import sys
import time

from process import Failure
from world import World

COLOUR = sys.stdout.isatty()
STARTED = time.monotonic()
IMAGE_BYTES = 48 * 1024


def paint(text, code):
    return f'\033[{code}m{text}\033[0m' if COLOUR else text


def chapter(text):
    print(f'\n{paint(f"[{time.monotonic() - STARTED:5.1f} s]", "2")} {paint(text, "1")}', flush=True)


def say(text):
    if text.startswith('ok: '):
        text = paint('ok', '32') + text[2:]
    print(f'          {text}', flush=True)


class Terminal:
    """A command on a terminal of its own, its screen copied to ours: as it comes to a terminal, else each step as a line."""

    def __init__(self, world, *arguments):
        self.text = ''
        self.shown = 0.0
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            command = world.ctl_command(*arguments)
            os.execvpe(command[0], command, {**world.environment, 'TERM': 'xterm', 'COLUMNS': '100'})
        say(paint(f'$ rekindlectl {" ".join(arguments)}', '36'))

    def follow(self):
        """Copies until the command ends; its exit status."""
        while True:
            try:
                piece = os.read(self.screen, 4096)
            except OSError:
                piece = b''
            if not piece:
                break
            self._show(piece.decode(errors='replace'))
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _show(self, text):
        self.text += text
        if COLOUR:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        for line in re.split(r'[\r\n]+', re.sub(r'\033\[[0-9;?]*[A-Za-z]', '', text)):
            # a bar is drawn many times a second; a log wants some of it
            if line.strip() and ('%' not in line or time.monotonic() - self.shown > 0.7):
                if '%' in line:
                    self.shown = time.monotonic()
                say(line.rstrip())


def show_list(w):
    for line in w.ctl('list', expect=0).text.splitlines():
        say(line)


def publish(w, version, behaviour):
    say(f'$ rekindle-repo add … --version {version} …; rekindle-repo publish …   (a program that {behaviour[1]})')
    return w.publisher.publish(version, behaviour[0], pad=IMAGE_BYTES)


GOOD = ('healthy', 'is fine')
BAD = ('crash', 'crashes at once')


def begin(w):
    chapter('A publisher, a web server, a blank device on a serial line, a gateway')
    first = publish(w, '1.0.0', GOOD)
    device = w.add_device('boiler', 'boiler-ctl', '--pace')
    w.start()
    say('nginx serves the signed repository; rekindle-sim is the device; rekindled is the gateway')
    return first, device


def provision(w, first):
    chapter('1.0.0: the blank device gets its first program')
    w.ctl('check', expect=0)
    w.expect('1.0.0 runs, healthy and confirmed', w.wait_runs('1.0.0')['Health'] == 'healthy')
    w.expect_flash(first)
    show_list(w)


def upgrade(w):
    chapter('1.1.0 is published and arrives')
    second = publish(w, '1.1.0', GOOD)
    w.ctl('check', expect=0)
    terminal = Terminal(w, 'update', 'boiler')
    status = terminal.follow()
    w.expect('rekindlectl saw it through to the confirm', status == 0)
    w.expect('with a progress bar', '%' in terminal.text)
    state = w.wait_runs('1.1.0')
    w.expect('1.1.0 runs, and 1.0.0 is kept besides', state['PreviousVersion'] == '1.0.0')
    w.expect_flash(second)
    return second


def bad_release(w, second):
    chapter('1.2.0 is published; it crashes. Nobody helps')
    publish(w, '1.2.0', BAD)
    w.ctl('check', expect=0)
    state = w.wait_device('back on 1.1.0', lambda d: d['State'] == 'idle' and d['RunningVersion'] == '1.1.0' and d['Bad'])
    say(f'rekindled: {state["OutcomeText"]}')
    w.expect('1.1.0 runs again, confirmed', state['BackupVersion'] == '1.1.0')
    w.expect('1.2.0 is remembered as bad on this device', '1.2.0' in str(state['Bad']))
    w.expect_flash(second)


def power_cut(w, device, second):
    chapter('1.3.0 is published; the power of device and gateway is cut in the middle of the push')
    last = publish(w, '1.3.0', GOOD)
    device.stall_after(40)
    w.ctl('check', expect=0)
    device.wait_stalled()
    w.kill_daemon()
    device.cut_power()
    w.expect('the flash holds neither 1.1.0 nor 1.3.0', not device.holds(last) and not device.holds(second))
    say('both come back')
    device.start()
    w.start_daemon()
    w.expect('1.3.0 runs, healthy and confirmed', w.wait_runs('1.3.0')['Health'] == 'healthy')
    w.expect_flash(last)
    show_list(w)


def main():
    def on_signal(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    w = World('demo', say)
    try:
        first, device = begin(w)
        provision(w, first)
        second = upgrade(w)
        bad_release(w, second)
        power_cut(w, device, second)
        w.stop_daemon()
    except (Failure, OSError, subprocess.SubprocessError, KeyError) as failure:
        print(paint(f'\nFAILED: {failure}', '31'))
        w.show_logs()
        w.close(keep=True)
        print(f'kept: {w.tmp}')
        return 1
    left = w.close()
    chapter('done' if not left else f'left running: {left}')
    return 1 if left else 0


if __name__ == '__main__':
    sys.exit(main())
