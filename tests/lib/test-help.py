#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the programs that are named say about themselves fits a terminal of 80 columns: --help, --help of every verb, and --describe."""

import os
import re
import subprocess
import sys

WIDTH = 80
WITH_VERBS = ('rekindlectl', 'rekindle-repo')
WITH_KEYS = ('rekindled', 'rekindle-fetch')
VERB = re.compile(r'^  ([a-z][a-z-]*(?: [a-z-]+)?) ', re.M)  # at the beginning of a line of the help


def said(program, *arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f'{program} {" ".join(arguments)}: exit {done.returncode}: {done.stderr}')
    return done.stdout


def texts(program):
    name = os.path.basename(program)
    yield '--help', said(program, '--help')
    if name in WITH_KEYS:
        yield '--describe', said(program, '--describe')
    if name in WITH_VERBS:
        verbs = VERB.findall(said(program, '--help'))
        if len(verbs) < 10:
            sys.exit(f'{name}: only these verbs are seen in its help: {verbs}')
        for verb in verbs:
            yield f'{verb} --help', said(program, *verb.split(), '--help')


def main():
    wide, n = [], 0
    for program in sys.argv[1:]:
        for what, text in texts(program):
            n += 1
            wide += [f'{os.path.basename(program)} {what}: {len(line)} columns: {line}' for line in text.splitlines() if len(line) > WIDTH]
    print('\n'.join(wide) or f'{n} texts fit')
    sys.exit(1 if wide or n < 6 else 0)


main()
