#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""totals.py against real cmocka output and planted logs."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

CMOCKA_GOOD = '[==========] Running 3 test(s).\n[==========] 3 test(s) run.\n'
CMOCKA_GOOD_ERR = '[  PASSED  ] 3 test(s).\n'
CMOCKA_BAD = '[==========] names: 5 test(s) run.\n'
CMOCKA_BAD_ERR = ('[  FAILED  ] a_2\n[  PASSED  ] 2 test(s).\n[  SKIPPED ] names: 1 test(s), listed below:\n[  SKIPPED ] c\n'
                  '[  FAILED  ] names: 2 test(s), listed below:\n[  FAILED  ] a_2\n[  FAILED  ] b\n\n 2 FAILED TEST(S)\n')

# name of the case, (result, stdout, stderr) of each program, last line wanted, exit status wanted
CASES = [
    ('cmocka_totals_are_summed', [('OK', CMOCKA_GOOD, CMOCKA_GOOD_ERR)] * 2, '6 passed, 0 failed', 0),
    ('failed_and_skipped_cmocka_tests_are_counted', [('FAIL', CMOCKA_BAD, CMOCKA_BAD_ERR)],
     '2 passed, 2 failed, 1 skipped', 1),
    ('script_counts_with_its_closing_line', [('OK', 'x\n7 passed, 0 failed\n', '')], '7 passed, 0 failed', 0),
    ('silent_program_counts_as_one', [('OK', '', '')], '1 passed, 0 failed', 0),
    ('crash_after_good_tests_is_a_failure', [('FAIL', CMOCKA_GOOD, CMOCKA_GOOD_ERR)], '3 passed, 1 failed', 1),
    ('timeout_is_a_failure', [('TIMEOUT', '', '')], '0 passed, 1 failed', 1),
    ('skip_fails_the_run', [('OK', '', ''), ('SKIP', '', '')], '1 passed, 0 failed, 1 skipped', 1),
    ('empty_log_fails_the_run', [], '0 passed, 0 failed', 1),
]


def run_case(programs):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'meson-logs'))
        with open(os.path.join(folder, 'meson-logs', 'testlog.json'), 'w', encoding='utf-8') as log:
            for number, (result, stdout, stderr) in enumerate(programs):
                log.write(json.dumps({'name': f'program-{number}', 'result': result, 'stdout': stdout,
                                      'stderr': stderr, 'duration': 0.1}) + '\n')
        return subprocess.run(['/usr/bin/python3', os.path.join(HERE, 'totals.py'), folder],
                              stdout=subprocess.PIPE, encoding='utf-8', check=False)


def main():
    bad = 0
    for name, programs, wanted_line, wanted_status in CASES:
        done = run_case(programs)
        last = done.stdout.splitlines()[-1] if done.stdout else ''
        if (last, done.returncode) != (wanted_line, wanted_status):
            print(f'{name}: wanted {wanted_line!r} and {wanted_status}, got {last!r} and {done.returncode}')
            bad += 1
    print(f'{len(CASES) - bad} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
