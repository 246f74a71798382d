#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole updates of the real daemon under the power-cut model: every state that a cut may leave of the state folder is judged."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import durability  # noqa: E402  pylint: disable=wrong-import-position
from state_check import Judge, LineWatch  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

STRACE = ['strace', '-D', '-f', '-qq', '-y', '-xx', '-s', '100000000', '-e', 'signal=none', '-e', f'trace={durability.CALLS}', '-o']

# What the daemon did is replayed as if it had left these syncs out.
FAULTS = [
    ('the record is written before its data', lambda what, path: isinstance(what, durability.File) and '/images/' in path),
    ('the sync of the folder is left out', lambda what, path: isinstance(what, durability.Folder)),
    ('the sync of the file is left out', lambda what, path: isinstance(what, durability.File)),
]


def digest_of(path):
    with open(path, 'rb') as file:
        return durability.hashlib.sha256(file.read()).hexdigest()


def traced_update(w, version, behaviour, is_done):
    """Provisions 1.0.0, then records what the daemon does during the next update."""
    first = w.publisher.publish('1.0.0')
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.stop_daemon()
    second = w.publisher.publish(version, behaviour)
    w.devices['boiler'].stop()
    w.save('before')
    w.devices['boiler'].start()
    trace = os.path.join(w.tmp, 'trace')
    w.daemon_wrapper = [*STRACE, trace, '--']
    w.start_daemon()
    w.ctl('check', expect=0)
    w.wait_device(f'{version} to its end', is_done, seconds=120)
    w.stop_daemon()
    return digest_of(first), digest_of(second)


def explore(w, judge, ignore=None, enough=None):
    """The state folder goes back to what it was before; then the trace is replayed."""
    w.load('before')
    replay = durability.Replay(w.state, watch=LineWatch(lambda path: path.startswith('/dev/pts/')), ignore=ignore)
    with open(os.path.join(w.tmp, 'trace'), encoding='ascii', errors='replace') as lines:
        return durability.explore(lines, replay, judge, enough=enough), replay.model.acks.decode().split()


def judge_all(w, judge):
    result, words = explore(w, judge)
    for bad in result.bad[:5]:
        print(f'    {bad}')
    w.expect(f'{result.states} states after {result.calls} calls, {words.count("begin")} pushes: nothing is lost',
             result.states > 100 and words.count('begin') > 0 and not result.bad and not result.capped)
    for fault, ignore in FAULTS:
        result, _ = explore(w, judge, ignore, enough=20)
        w.expect(f'the planted fault "{fault}" is found: {len(result.bad)} of {result.states} states', result.bad)


def good_update_keeps_its_state(w):
    """1.1.0 is confirmed; at every cut the record, the journal and the images fit each other."""
    _, second = traced_update(w, '1.1.0', 'healthy', lambda d: d['State'] == 'idle' and d['BackupVersion'] == '1.1.0')
    judge_all(w, Judge('boiler', lambda record: record['backup']['sha256'] == second))


def bad_update_keeps_its_state(w):
    """1.1.0 crashes and 1.0.0 is restored; the same holds, and the bad one is remembered."""
    first, second = traced_update(w, '1.1.0', 'crash', lambda d: d['State'] == 'idle' and d['Bad'])
    judge_all(w, Judge('boiler', lambda record: record['backup']['sha256'] == first and
                       second in [bad['sha256'] for bad in record.get('bad', [])]))


if __name__ == '__main__':
    run(good_update_keeps_its_state, bad_update_keeps_its_state)
