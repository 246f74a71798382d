#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Killed, or without room, at some of its writes, in each situation; tests/full.d/40-kill-repo does it at all of them."""

import cut
from publisher import tell

STEPS = {cut.publish: 17, cut.publish_keys_on_a_simple_file_system: 41, cut.publish_on_a_simple_file_system: 41, cut.export: 31}


def story(situation):
    def killed(desk):
        c = situation(desk)
        step = STEPS.get(situation, 13)
        print(f'  {c.name}: killed at {c.sample(step)} of {len(c.calls)} calls, without room at {c.sample_full(max(step // 4, 3))}')
    killed.__name__ = situation.__name__ + '_survives_a_cut'
    return killed


tell(*[story(situation) for situation in cut.SITUATIONS])
