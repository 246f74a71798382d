#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power-cut model finds nothing in a store that is right, and each planted fault in one that is not."""

import importlib.util
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
import durability  # noqa: E402  pylint: disable=wrong-import-position

WORKLOAD = os.path.join(HERE, 'durability-workload.py')
SPEC = importlib.util.spec_from_file_location('checker', os.path.join(HERE, 'durability-checker.py'))
CHECKER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CHECKER)

# flag of the workload, whether losses are wanted
CASES = [('', False), ('journal', False), ('record-first', True), ('no-folder-sync', True), ('no-file-sync', True),
         ('torn-journal', True)]


def explore(flag):
    with tempfile.TemporaryDirectory(prefix='durability-store-') as folder:
        os.mkdir(os.path.join(folder, 'data'))
        return durability.run(['/usr/bin/python3', WORKLOAD, folder, *([flag] if flag else [])], folder, CHECKER.judge,
                              stdout=subprocess.DEVNULL)


def main():
    good = 0
    for flag, losses in CASES:
        result = explore(flag)
        right = result.status == 0 and result.states > 10 and bool(result.bad) == losses and not result.capped
        good += right
        print(f'{"ok" if right else "WRONG"}: {flag or "no fault"}: {result.states} states after {result.calls} calls, '
              f'{len(result.bad)} bad')
        if not right:
            print('\n'.join(f'  {bad}' for bad in result.bad[:5]))
    print(f'{good} passed, {len(CASES) - good} failed')
    return 0 if good == len(CASES) else 1


if __name__ == '__main__':
    sys.exit(main())
