#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every kind of bad program, on a device each, at the same time: the backup comes back, and the program is remembered as bad."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

# Behaviour of the bad release: what the bad list says of it.
BAD = {
    'crash': 'last reset: crash',
    'crash-50ms': 'it keeps starting again',
    'crash-3s': 'it keeps starting again',
    'hang': 'last reset: watchdog',
    'silent': 'last reset: trial timeout',
    'wrong-version': 'it says that it is version',
    'sick-5s': 'it reports that it is sick',
}


def bad_programs(w):
    """1.1.0 fails its trial in every way; 1.0.0 is back on every device without help."""
    good = {}
    for behaviour in BAD:
        w.add_device(behaviour, f'model-{behaviour}', '--flash-times', 'off')
        good[behaviour] = w.publisher.make_image('1.0.0', model=f'model-{behaviour}')
        w.publisher.add('1.0.0', good[behaviour], model=f'model-{behaviour}')
    w.publisher.publish()
    w.start()
    w.ctl('check', expect=0)
    for behaviour in BAD:
        w.wait_runs('1.0.0', behaviour)

    w.say('1.1.0 is published, and is bad on each in its own way')
    for behaviour in BAD:
        image = w.publisher.make_image('1.1.0', behaviour, model=f'model-{behaviour}')
        w.publisher.add('1.1.0', image, model=f'model-{behaviour}', trial=8 if behaviour == 'sick-5s' else 5)
    w.publisher.publish()
    w.ctl('check', expect=0)
    for behaviour, reason in BAD.items():
        state = w.wait_device(f'{behaviour}: restored', lambda d: d['Outcome'] == 'restored' and d['State'] == 'idle', behaviour)
        w.expect(f'{behaviour}: 1.0.0 runs', state['RunningVersion'] == '1.0.0')
        w.expect(f'{behaviour}: 1.1.0 is remembered as bad', [bad[1] for bad in state['Bad']] == ['1.1.0'])
        w.expect(f'{behaviour}: the bad list says why ({reason})', reason in state['Bad'][0][2])
        w.expect(f'{behaviour}: 1.0.0 is still the backup', state['BackupVersion'] == '1.0.0')
        w.expect_flash(good[behaviour], behaviour)

    w.say('nobody tries a bad program twice')
    w.ctl('check', expect=0)
    for behaviour in BAD:
        w.expect(f'{behaviour}: refused as known bad', w.device(behaviour)['Verdict'] == 'known-bad')
        w.expect(f'{behaviour}: a person is refused too', w.ctl('update', behaviour).status == 5)

    w.say('after clear-bad it is tried again')
    w.ctl('clear-bad', 'crash', expect=0)
    w.wait_device('it is tried again', lambda d: d['Candidate'] == '1.1.0', 'crash')
    w.wait_device('and is bad again', lambda d: d['Bad'] and d['State'] == 'idle', 'crash')
    w.expect_flash(good['crash'], 'crash')


run(bad_programs)
