#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person chose stays: an older version that was named, an update that was canceled. A newer release ends that."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def begin(w, *versions):
    for version in versions:
        w.publisher.publish(version)
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs(versions[-1])


def is_passed_over(w, version):
    w.ctl('check', expect=0)
    state = w.wait_device(f'{version} is passed over', lambda d: d['Verdict'] == 'passed-over' and d['State'] == 'idle')
    w.expect(f'which is said: {state["StateText"]}', state['PassedOver'] == version and version in state['StateText'])
    w.expect('show says how it comes back', 'rekindlectl update boiler' in ' '.join(w.ctl('show', 'boiler', expect=0).text.split()))
    return state


def older_by_name(w):
    """The older version that was named is not followed by the automatic upgrade back; a later release is."""
    begin(w, '1.0.0', '1.1.0')
    w.ctl('update', 'boiler@1.0.0', expect=0)
    state = is_passed_over(w, '1.1.0')
    w.expect('1.0.0 runs', state['RunningVersion'] == '1.0.0')
    w.stop_daemon()
    w.start_daemon()
    state = is_passed_over(w, '1.1.0')
    w.expect('also after a restart', state['RunningVersion'] == '1.0.0')
    w.expect('explain says it too', any(e['version'] == '1.1.0' and e['outcome'] == 'passed-over'
                                        for e in w.ctl('--json', 'check', '--explain', expect=0).json))

    w.say('a person wants what is offered')
    w.ctl('update', 'boiler', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('nothing is passed over any more', state['PassedOver'] == '')

    w.say('back once more, and then a later release comes')
    w.ctl('update', 'boiler@1.0.0', expect=0)
    image = w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    state = w.wait_runs('1.2.0')
    w.expect('nothing is passed over any more', state['PassedOver'] == '')
    w.expect_flash(image)


def canceled(w):
    """A canceled candidate does not come back by itself, nor anything below it; what is newer does."""
    begin(w, '1.0.0')
    w.server.stop()
    w.server.start(rate=2000)
    w.publisher.add('1.1.0', w.publisher.make_image('1.1.0'))
    w.publisher.publish('1.2.0', pad=60000)
    w.ctl('check', expect=0)
    w.wait_device('1.2.0 is being downloaded', lambda d: d['State'] == 'downloading' and d['Candidate'] == '1.2.0')
    w.ctl('cancel', 'boiler', expect=0)
    w.wait_result('1.2.0', 'canceled')
    w.server.stop()
    w.server.start(rate=0)
    state = is_passed_over(w, '1.2.0')
    w.expect('1.0.0 runs', state['RunningVersion'] == '1.0.0')
    w.publisher.publish('1.3.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.3.0')


run(older_by_name, canceled)
