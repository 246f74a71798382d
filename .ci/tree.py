# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks share: the files of the tree, the functions in a C file, and how findings are told.

Each check takes the root of the tree as its only argument (default: the tree it lies in), prints one line
"PATH:LINE: what is wrong; what would be right" for each finding, and ends with status 1 when there was one."""
import os
import re
import subprocess
import sys

SKIPPED = {'.git', '.out', '__pycache__'}


class Tree:
    def __init__(self):
        here = os.path.dirname(os.path.dirname(os.path.realpath(sys.argv[0])))
        self.root = os.path.realpath(sys.argv[1]) if len(sys.argv) > 1 else here
        self.findings = 0
        self.paths = sorted(self._list())

    def _list(self):
        """What is committed or staged; outside of a repository every file."""
        if os.path.isdir(os.path.join(self.root, '.git')):
            out = subprocess.run(['git', '-C', self.root, 'ls-files', '-z'], check=True, stdout=subprocess.PIPE).stdout
            return [p for p in out.decode().split('\0') if p and os.path.isfile(os.path.join(self.root, p))]
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return found

    def select(self, folders, suffixes):
        return [p for p in self.paths if p.startswith(folders) and p.endswith(suffixes)]

    def read(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
            return f.read()

    def finding(self, path, line, text):
        self.findings += 1
        print(f'{path}:{line}: {text}')

    def end(self, name, checked):
        print(f'{name}: {checked}, {self.findings} finding{"" if self.findings == 1 else "s"}')
        sys.exit(1 if self.findings else 0)


def _blank(match):
    """The same number of lines and columns, without words."""
    return re.sub(r'[^\n]', ' ', match.group(0))


def without_comments(text):
    """Comments blanked; strings and characters emptied, so that nothing in them looks like code."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, _blank, text, flags=re.S)


class Function:
    def __init__(self, name, line, lines, parameters):
        self.name = name
        self.line = line
        self.lines = lines
        self.parameters = parameters


def _parameters(text):
    """How many there are in the text between the parentheses."""
    if text.strip() in ('', 'void'):
        return 0
    depth, n = 0, 1
    for c in text:
        depth += c in '([{'
        depth -= c in ')]}'
        n += c == ',' and depth == 0
    return n


def _table_lines(body):
    """Lines of a body that belong to initialisers of more than one line: tables are no code."""
    n = inside = 0
    for line in body:
        if not inside and not re.search(r'=\s*(\([^()]*\)\s*)?\{\s*$', line):
            continue
        n += 1
        inside += line.count('{') - line.count('}')
    return n


def functions(text):
    """The functions defined in a C file that is formatted by our rules: they begin and end in the first column."""
    lines = without_comments(text).split('\n')
    found, start = [], None
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.startswith('#'):
            while lines[i].endswith('\\'):
                i += 1
            start = None
        elif start is None and line and not line[0].isspace() and line[0] not in '{}':
            start = i
        if start is not None and line.rstrip().endswith('{'):
            head = ' '.join(lines[start:i + 1])
            end = next((j for j in range(i + 1, len(lines)) if lines[j].startswith('}')), len(lines) - 1)
            match = re.match(r'^(?!typedef\b)[^={}]*?\b(\w+)\s*\(((?:[^(){}]|\([^()]*\))*)\)\s*\{$', _undecorated(head))
            if match:
                length = end - start + 1 - _table_lines(lines[i + 1:end])
                found.append(Function(match.group(1), start + 1, length, _parameters(match.group(2))))
            i, start = end, None
        elif start is not None and line.rstrip().endswith((';', '}')):
            start = None
        i += 1
    return found


def _undecorated(head):
    """The head without the attributes that look like calls."""
    head = re.sub(r'__attribute__\s*\(\(.*?\)\)|\b_(?:printf|cleanup)_\([^()]*\)', '', head)
    return re.sub(r'\s+', ' ', head).strip()
