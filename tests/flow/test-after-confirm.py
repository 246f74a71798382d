#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that pass their trial and fail later."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def after_confirm(w):
    """A confirmed program that no longer starts: the previous is restored. One that is sick, or flaps: shown, not restored."""
    kept = w.publisher.publish('1.0.0', model='pump')
    w.publisher.publish('1.0.0', model='valve')
    w.publisher.publish('1.0.0', model='fan')
    pump = w.add_device('pump', 'pump', '--flash-times', 'off')
    w.add_device('valve', 'valve', '--flash-times', 'off')
    w.add_device('fan', 'fan', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0', 'pump')
    w.wait_runs('1.0.0', 'valve')
    w.wait_runs('1.0.0', 'fan')

    w.say('1.1.0 passes its trial on all of them')
    w.publisher.publish('1.1.0', 'crash-after-confirm', model='pump')
    sick = w.publisher.publish('1.1.0', 'sick-after-confirm', model='valve')
    flapping = w.publisher.publish('1.1.0', 'flap-after-confirm', model='fan')
    w.ctl('check', expect=0)
    w.wait_for('pump confirms 1.1.0', lambda: ('1.1.0', 'done') in w.results('pump'))

    w.say('the valve reports that it is sick: that is shown, and nothing is restored')
    state = w.wait_device('valve is unhealthy', lambda d: d['State'] == 'unhealthy', 'valve')
    w.expect('1.1.0 still runs', state['RunningVersion'] == '1.1.0')
    w.expect('the flag is set', state['Unhealthy'])
    w.expect('it is not on the bad list', not state['Bad'])
    w.expect_flash(sick, 'valve')
    w.expect('history tells', any(e['event'] == 'unhealthy' for e in w.history('valve')))

    w.say('the fan says that it is healthy at every start, and crashes: that is shown too')
    state = w.wait_device('fan is unhealthy', lambda d: d['State'] == 'unhealthy', 'fan')
    w.expect('the sentence tells', 'keeps starting again' in state['StateText'])
    w.expect('it is not on the bad list', not state['Bad'])
    w.expect_flash(flapping, 'fan')
    w.expect('history tells', any(e['event'] == 'unhealthy' for e in w.history('fan')))

    w.say('the pump is switched off and on: its program crashes at every start from now on')
    pump.control('reset')
    state = w.wait_device('the previous is restored', lambda d: d['Outcome'] == 'restored-previous', 'pump')
    w.wait_device('pump is idle', lambda d: d['State'] == 'idle', 'pump')
    state = w.device('pump')
    w.expect('1.0.0 runs', state['RunningVersion'] == '1.0.0')
    w.expect('it is the backup now', state['BackupVersion'] == '1.0.0')
    w.expect('there is no previous', state['PreviousVersion'] == '')
    w.expect('1.1.0 is on the bad list', [bad[1] for bad in state['Bad']] == ['1.1.0'])
    w.expect_flash(kept, 'pump')


run(after_confirm)
