#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up what the test programs themselves said.

    totals.py BUILD-FOLDER...

Reads meson's test logs of each folder. A cmocka program counts with the totals that it printed, a script that closes with
"N passed, N failed" with those, any other test as one. A program that failed without naming a failed test (a crash, a
timeout) counts as one failure. The last line printed is "N passed, N failed", with ", N skipped" when there are any.
A skip is a hole: it fails the run, but for the tests that need root when the caller is not root.
"""

import errno
import glob
import json
import os
import re
import sys

NEEDS_ROOT = 'needs root'

RUN = re.compile(r'^\[==========\].*?(\d+) test\(s\) run', re.M)
PASSED = re.compile(r'^\[  PASSED  \] .*?(\d+) test\(s\)', re.M)
FAILED = re.compile(r'^\[  FAILED  \] .*?(\d+) test\(s\)', re.M)
SKIPPED = re.compile(r'^\[  SKIPPED \] .*?(\d+) test\(s\)', re.M)
CLOSING = re.compile(r'^(\d+) passed, (\d+) failed$', re.M)


def total(expression, text):
    return sum(int(number) for number in expression.findall(text))


def count(entry):
    """(passed, failed, skipped) of one line of the log."""
    text = (entry.get('stdout') or '') + '\n' + (entry.get('stderr') or '')
    good = entry['result'] in ('OK', 'EXPECTEDFAIL')
    skip = entry['result'] == 'SKIP'
    closing = CLOSING.findall(text)
    if RUN.search(text):
        passed, failed, skipped = total(PASSED, text), total(FAILED, text), total(SKIPPED, text)
    elif closing:
        passed, failed, skipped = int(closing[-1][0]), int(closing[-1][1]), 0
    else:
        passed, failed, skipped = int(good), 0, int(skip)
    if skip and not skipped:
        skipped = 1
    if not good and not skip and not failed:
        failed = 1
    return passed, failed, skipped


def read_log(folder):
    paths = sorted(glob.glob(os.path.join(folder, 'meson-logs', 'testlog*.json')))
    if not paths:
        raise FileNotFoundError(errno.ENOENT, 'no log')
    entries = []
    for path in paths:
        with open(path, encoding='utf-8', errors='replace') as log:
            entries += [json.loads(line) for line in log if line.strip()]
    return entries


def allowed_skip(entry):
    text = (entry.get('stdout') or '') + (entry.get('stderr') or '')
    return os.geteuid() != 0 and NEEDS_ROOT in text


def main():
    sums = [0, 0, 0]
    holes = []
    problem = False
    for folder in sys.argv[1:]:
        try:
            entries = read_log(folder)
        except OSError as error:
            print(f'totals: no test ran in {folder}: {error.strerror}')
            problem = True
            continue
        print(f'{folder}:')
        for entry in sorted(entries, key=lambda e: e['name']):
            numbers = count(entry)
            sums = [a + b for a, b in zip(sums, numbers)]
            passed, failed, skipped = numbers
            note = (f', {failed} FAILED' if failed else '') + (f', {skipped} skipped' if skipped else '')
            print(f'  {entry["name"]:<36} {passed:>4} passed{note}  ({entry["duration"]:.1f} s)')
            if skipped and not allowed_skip(entry):
                holes.append(entry['name'])
    for name in holes:
        print(f'totals: {name} skipped tests, and no skip is expected here')
    print()
    print(f'{sums[0]} passed, {sums[1]} failed' + (f', {sums[2]} skipped' if sums[2] else ''))
    return 1 if sums[1] or holes or problem or not sums[0] else 0


if __name__ == '__main__':
    sys.exit(main())
