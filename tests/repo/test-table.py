#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of rekindle-repository(7), attack → what stops it → the test that shows it: each test that it names is there."""

import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(os.path.dirname(TESTS), 'man', 'rekindle-repository.7')


def rows(text):
    table = text.split('.TS\n')[1].split('.TE\n')[0]
    for row in table.split('\nT{\n')[1:]:
        cells = [cell.strip('\n') for cell in row.replace('T{', '').split('T}')]
        yield cells[0], cells[2].replace('\t', '').replace('\\:', '').strip()


def missing(shown_by):
    """What the cell names and the tree does not have."""
    for part in shown_by.replace('\n', ' ').split(';'):
        files, _, names = part.strip().partition(': ')
        files = [os.path.join(TESTS, file.strip()) for file in files.split(',')]
        for file in files:
            if not os.path.exists(file):
                yield file
        for name in (n.strip() for n in names.split(',')):
            if ' ' in name or not name or not os.path.exists(files[0]):
                continue
            with open(files[0], encoding='utf-8') as source:
                if name not in source.read():
                    yield f'{name} in {files[0]}'


def main():
    with open(PAGE, encoding='utf-8') as page:
        table = list(rows(page.read()))
    bad = [f'{attack}: {what}' for attack, shown_by in table for what in missing(shown_by)]
    print('\n'.join(bad) or f'{len(table)} rows, every test is there')
    sys.exit(1 if bad or len(table) < 10 else 0)


main()
