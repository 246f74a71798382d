#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may a power cut leave? Every answer of a file system that promises nothing but fsync, tried out.

    durability.py --folder DIR --checker COMMAND [--max N] [--keep DIR] -- PROGRAM [ARGUMENT...]

Runs PROGRAM under strace (with its children) and replays its calls below DIR in a model. After every call that changed something
it builds the folders that a cut at that moment may leave, and runs `COMMAND FOLDER ACKS` in each; ACKS is a file with the lines
that PROGRAM had written to its standard output by then: what it has promised. A checker that does not exit with 0 found a loss.

The model. A file's bytes are safe when the file was synced after they were written; a name (created, renamed, removed) is safe when
its folder was synced after. What is not safe may be there, be missing, be zeros, or be torn:
  names   all of them lost; each prefix kept; all but one kept
  bytes   of all unsafe files together and of each alone: old, new, new length with zeros, last write torn in the middle (rest missing,
          or rest zeros)
A rename is atomic. Calls that the model does not know (shared writable mappings, splice, ...) end the run instead of being guessed.
Equal folders are checked once for the same promises. At the start everything in DIR is taken as safe.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = ('open,openat,openat2,creat,read,readv,write,writev,pwrite64,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,sync,'
         'syncfs,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,copy_file_range,sendfile,'
         'splice,mmap,dup,dup2,dup3,fcntl,io_uring_setup,close')

LINE = re.compile(r'^(\d+) +(.*)$')
CALL = re.compile(r'^(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)$', re.S)
UNFINISHED = re.compile(r'^(.*) <unfinished \.\.\.>$', re.S)
RESUMED = re.compile(r'^<\.\.\. (\w+) resumed>(.*)$', re.S)
DESCRIPTOR = re.compile(r'^(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?)?')
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
DATA_MODES = ('old', 'new', 'zero', 'torn', 'torn-zero')


class CannotModel(Exception):
    """A call whose effect the model does not know."""


def unhex(text):
    return bytes.fromhex(text.replace('\\x', ''))


class File:
    """now: as a reader sees it; safe: as the last sync left it; writes since then."""

    def __init__(self, data=b'', safe=True):
        self.now = bytearray(data)
        self.safe = bytes(data) if safe else b''
        self.writes = []
        self.dirty = not safe

    def write(self, offset, data):
        if offset > len(self.now):
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset:offset + len(data)] = data
        self.writes.append((offset, bytes(data)))
        self.dirty = True

    def resize(self, length):
        if length < len(self.now):
            del self.now[length:]
        else:
            self.now.extend(bytes(length - len(self.now)))
        self.dirty = True

    def sync(self):
        self.safe = bytes(self.now)
        self.writes = []
        self.dirty = False

    def after_cut(self, mode):
        if mode == 'old' or not self.dirty:
            return self.safe
        if mode == 'new' or not self.writes:
            return bytes(self.now)
        left = bytearray(self.now)
        if mode == 'zero':
            for offset, data in self.writes:
                end = min(offset + len(data), len(left))
                left[offset:end] = bytes(max(0, end - offset))
            return bytes(left)
        offset, data = self.writes[-1]
        middle = offset + len(data) // 2
        if mode == 'torn' and offset + len(data) >= len(left):
            return bytes(left[:middle])
        end = min(offset + len(data), len(left))
        old = self.safe[middle:end] if mode == 'torn' else b''
        left[middle:end] = old + bytes(max(0, end - middle - len(old)))
        return bytes(left)


class Folder:
    def __init__(self):
        self.now = {}
        self.safe = {}


class Change:
    """One atomic change of names: [(folder, name, file or None)]; not yet safe."""

    def __init__(self, text, effects):
        self.text = text
        self.effects = effects

    def touches(self, folder):
        return any(where is folder for where, _, _ in self.effects)

    def shares_name(self, other):
        mine = {(id(where), name) for where, name, _ in self.effects}
        return any((id(where), name) in mine for where, name, _ in other.effects)


class Model:
    """The folder as the calls so far have made it."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.root = self._load(self.path)
        self.pending = []
        self.nameless = {}
        self.positions = {}
        self.acks = b''
        self.last_call = 'nothing'

    def _load(self, path):
        folder = Folder()
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                folder.now[entry.name] = self._load(entry.path)
            elif entry.is_file(follow_symlinks=False):
                with open(entry.path, 'rb') as file:
                    folder.now[entry.name] = File(file.read())
        folder.safe = dict(folder.now)
        return folder

    # --- names

    def contains(self, path):
        return path == self.path or path.startswith(self.path + '/')

    def parent_of(self, path):
        """(folder, last name); (None, '') outside."""
        if not self.contains(path) or path == self.path:
            return None, ''
        folder = self.root
        *between, name = path[len(self.path) + 1:].split('/')
        for part in between:
            folder = folder.now.get(part)
            if not isinstance(folder, Folder):
                return None, ''
        return folder, name

    def find(self, path):
        if path == self.path:
            return self.root
        folder, name = self.parent_of(path)
        return folder.now.get(name) if folder else None

    def change(self, text, effects):
        for folder, name, what in effects:
            if what is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = what
        self.pending.append(Change(text, effects))

    def sync_folder(self, folder):
        """Makes the folder's changes safe, and those before them that speak of the same names."""
        chosen = [change for change in self.pending if change.touches(folder)]
        grown = True
        while grown:
            grown = False
            for position, change in enumerate(self.pending):
                if change not in chosen and any(change.shares_name(other) for other in chosen
                                                if self.pending.index(other) > position):
                    chosen.append(change)
                    grown = True
        for change in [change for change in self.pending if change in chosen]:
            apply_change(change)
        self.pending = [change for change in self.pending if change not in chosen]

    def sync(self, what):
        if isinstance(what, Folder):
            self.sync_folder(what)
        elif isinstance(what, File):
            what.sync()

    def sync_all(self):
        for change in self.pending:
            apply_change(change)
        self.pending = []
        for file in self.files():
            file.sync()

    def files(self):
        """Every file that has a name, now or after a cut."""
        found = {}

        def walk(what):
            if isinstance(what, File):
                found[id(what)] = what
            elif isinstance(what, Folder):
                for item in list(what.now.values()) + list(what.safe.values()):
                    walk(item)

        walk(self.root)
        for change in self.pending:
            for _, _, what in change.effects:
                walk(what)
        return list(found.values())

    # --- what a cut may leave

    def name_choices(self):
        count = len(self.pending)
        everything = frozenset(range(count))
        choices = [frozenset(range(length)) for length in range(count + 1)]
        choices += [everything - {lost} for lost in range(count)]
        return list(dict.fromkeys(choices))

    def data_choices(self):
        dirty = [file for file in self.files() if file.dirty]
        choices = [{id(file): mode for file in dirty} for mode in DATA_MODES]
        if len(dirty) > 1:
            for alone in dirty:
                for mode in DATA_MODES[1:]:
                    choices.append({id(file): mode if file is alone else 'old' for file in dirty})
                choices.append({id(file): 'old' if file is alone else 'new' for file in dirty})
        return choices if dirty else [{}]

    def leftovers(self):
        """(description, {path: bytes, or None for a folder}) of each folder that a cut may leave now."""
        for kept in self.name_choices():
            overlay = {}
            for position, change in enumerate(self.pending):
                if position in kept:
                    for folder, name, what in change.effects:
                        overlay[id(folder), name] = what
            for modes in self.data_choices():
                tree = {}
                self._lay_out(self.root, '', overlay, modes, tree)
                lost = [change.text for position, change in enumerate(self.pending) if position not in kept]
                words = sorted(set(modes.values())) or ['safe']
                yield f'bytes {"/".join(words)}; names lost: {", ".join(lost) or "none"}', tree

    def _lay_out(self, folder, path, overlay, modes, tree):
        names = dict(folder.safe)
        for (where, name), what in overlay.items():
            if where == id(folder):
                if what is None:
                    names.pop(name, None)
                else:
                    names[name] = what
        for name, what in names.items():
            below = os.path.join(path, name)
            if isinstance(what, Folder):
                tree[below] = None
                self._lay_out(what, below, overlay, modes, tree)
            else:
                tree[below] = what.after_cut(modes.get(id(what), 'old'))


def apply_change(change):
    for folder, name, what in change.effects:
        if what is None:
            folder.safe.pop(name, None)
        else:
            folder.safe[name] = what


class Arguments:
    """The arguments of one call as strace prints them with -y -xx."""

    def __init__(self, text, result, rest):
        self.text = text
        self.parts = split_arguments(text)
        self.result = result
        self.rest = rest

    def descriptor(self, index):
        """(number or None for AT_FDCWD, path or None, deleted)"""
        match = DESCRIPTOR.match(self.parts[index])
        if not match:
            return None, None, False
        number = None if match.group(1) == 'AT_FDCWD' else int(match.group(1))
        path = unhex(match.group(2)).decode(errors='surrogateescape') if match.group(2) is not None else None
        return number, path, bool(match.group(3))

    def string(self, index):
        match = STRING.match(self.parts[index])
        return unhex(match.group(1)).decode(errors='surrogateescape') if match else None

    def path(self, index, folder_index=None):
        """Absolute path of a name argument, with the folder it is relative to."""
        name = self.string(index)
        if name is None:
            return ''
        if folder_index is not None and not name.startswith('/'):
            name = os.path.join(self.descriptor(folder_index)[1] or '', name)
        folder, last = os.path.split(os.path.normpath(name))
        return os.path.join(os.path.realpath(folder), last) if name.startswith('/') else name

    def data(self):
        pieces = []
        for match in STRING.finditer(self.text[self.text.index(',') + 1:]):
            if match.group(2):
                raise CannotModel('strace has cut the bytes of a write')
            pieces.append(unhex(match.group(1)))
        return b''.join(pieces)

    def number(self, index):
        return int(self.parts[index], 0)

    def new_descriptor(self):
        match = re.match(r'^<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?', self.rest)
        if not match:
            return None, False
        return unhex(match.group(1)).decode(errors='surrogateescape'), bool(match.group(2))


def split_arguments(text):
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        if letter in '[{(':
            depth += 1
        elif letter in ']})':
            depth -= 1
        elif letter == ',' and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return parts


class Replay:
    """Reads the trace and moves the model.

    watch(path, data): told of writes to anything outside (a line, a socket); what it returns is a promise as a line of output is.
    ignore(what, path): true for the File or Folder whose syncs are to be taken as not made: a planted fault.
    """

    def __init__(self, folder, ack_descriptor=1, watch=None, ignore=None):
        self.model = Model(folder)
        self.ack_descriptor = ack_descriptor
        self.watch = watch
        self.ignore = ignore
        self.calls = 0

    def run(self, lines):
        """Yields after each call that changed the model."""
        open_calls = {}
        for line in lines:
            match = LINE.match(line.rstrip('\n'))
            if not match:
                continue
            pid, text = int(match.group(1)), match.group(2)
            begun = UNFINISHED.match(text)
            if begun:
                open_calls[pid] = begun.group(1)
                continue
            resumed = RESUMED.match(text)
            if resumed:
                text = open_calls.pop(pid, '') + resumed.group(2)
            call = CALL.match(text)
            if not call or call.group(3) == '?' or call.group(3).startswith('-'):
                continue
            if self.step(pid, call):
                self.calls += 1
                self.model.last_call = shorten(text)
                yield self.model

    def step(self, pid, call):
        name, result = call.group(1), int(call.group(3), 0)
        arguments = Arguments(call.group(2), result, call.group(4))
        handler = getattr(self, f'on_{name}', None)
        if handler and self.ignore and name in ('fsync', 'fdatasync') and self.ignore(
                self.target(arguments), arguments.descriptor(0)[1] or ''):
            return False
        return bool(handler and handler(pid, arguments))

    # --- helpers

    def target(self, arguments, index=0):
        """The file or folder behind a descriptor; None outside."""
        _, path, deleted = arguments.descriptor(index)
        if path is None:
            return None
        if deleted:
            return self.model.nameless.get(path)
        return self.model.find(path)

    def refuse_inside(self, name, arguments, *indices):
        for index in indices:
            if index < len(arguments.parts) and isinstance(self.target(arguments, index), File):
                raise CannotModel(f'{name} on {arguments.descriptor(index)[1]}')
        return False

    # --- opening

    def opened(self, pid, arguments, flags, path):
        model = self.model
        real, deleted = arguments.new_descriptor()
        if real is None or not model.contains(real):
            return False
        if 'O_TMPFILE' in flags or deleted:
            what = model.nameless.setdefault(real, File(safe=False))
            changed = False
        else:
            what = model.find(real)
            changed = False
            if what is None and 'O_CREAT' in flags:
                folder, last = model.parent_of(real)
                if folder is None:
                    raise CannotModel(f'a file in an unknown folder: {path}')
                what = File(safe=False)
                model.change(f'create {last}', [(folder, last, what)])
                changed = True
            elif isinstance(what, File) and 'O_TRUNC' in flags and what.now:
                what.resize(0)
                changed = True
        if isinstance(what, File):
            position = {'file': what, 'offset': 0, 'append': 'O_APPEND' in flags}
            model.positions[pid, arguments.result] = position
            model.positions[id(what)] = position
        return changed

    def on_openat(self, pid, arguments):
        return self.opened(pid, arguments, arguments.parts[2], arguments.string(1))

    def on_openat2(self, pid, arguments):
        return self.opened(pid, arguments, arguments.parts[2], arguments.string(1))

    def on_open(self, pid, arguments):
        return self.opened(pid, arguments, arguments.parts[1], arguments.string(0))

    def on_creat(self, pid, arguments):
        return self.opened(pid, arguments, 'O_WRONLY|O_CREAT|O_TRUNC', arguments.string(0))

    def on_close(self, pid, arguments):
        self.model.positions.pop((pid, arguments.descriptor(0)[0]), None)

    def on_dup(self, pid, arguments):
        position = self.model.positions.get((pid, arguments.descriptor(0)[0]))
        if position:
            self.model.positions[pid, arguments.result] = position

    on_dup2 = on_dup3 = on_dup

    def on_fcntl(self, pid, arguments):
        if arguments.parts[1].startswith('F_DUPFD'):
            self.on_dup(pid, arguments)
        elif arguments.parts[1] == 'F_SETFL' and isinstance(self.target(arguments), File):
            raise CannotModel('F_SETFL on a file')

    # --- bytes

    def on_write(self, pid, arguments):
        number, _, _ = arguments.descriptor(0)
        file = self.target(arguments)
        if file is None:
            promise = b''
            if self.watch:
                promise = self.watch(arguments.descriptor(0)[1] or '', arguments.data()[:arguments.result])
            elif number == self.ack_descriptor:
                promise = arguments.data()[:arguments.result]
            self.model.acks += promise
            return bool(promise)
        position = self.model.positions.get((pid, number)) or self.model.positions.get(id(file))
        if position is None or position['file'] is not file:
            raise CannotModel(f'a write at an unknown offset: {arguments.descriptor(0)[1]}')
        if position['append']:
            offset = len(file.now)
        else:
            offset = position['offset']
        data = arguments.data()[:arguments.result]
        file.write(offset, data)
        position['offset'] = offset + len(data)
        return True

    on_writev = on_write

    def on_pwrite64(self, _pid, arguments):
        file = self.target(arguments)
        if file is None:
            return False
        file.write(arguments.number(3), arguments.data()[:arguments.result])
        return True

    on_pwritev = on_pwritev2 = on_pwrite64

    def on_lseek(self, pid, arguments):
        file = self.target(arguments)
        position = self.model.positions.get((pid, arguments.descriptor(0)[0]))
        if position and position['file'] is file:
            position['offset'] = arguments.result

    def on_read(self, pid, arguments):
        file = self.target(arguments)
        position = self.model.positions.get((pid, arguments.descriptor(0)[0]))
        if position and position['file'] is file:
            position['offset'] += arguments.result

    on_readv = on_read

    def on_ftruncate(self, _pid, arguments):
        file = self.target(arguments)
        if file is None:
            return False
        file.resize(arguments.number(1))
        return True

    def on_truncate(self, _pid, arguments):
        file = self.model.find(arguments.path(0))
        if file is None:
            return False
        file.resize(arguments.number(1))
        return True

    def on_fallocate(self, _pid, arguments):
        file = self.target(arguments)
        if file is None or arguments.parts[1] == 'FALLOC_FL_KEEP_SIZE':
            return False
        if arguments.parts[1] != '0':
            raise CannotModel(f'fallocate {arguments.parts[1]}')
        end = arguments.number(2) + arguments.number(3)
        if end <= len(file.now):
            return False
        file.resize(end)
        return True

    # --- syncing

    def on_fsync(self, _pid, arguments):
        what = self.target(arguments)
        if what is None:
            return False
        self.model.sync(what)
        return True

    on_fdatasync = on_fsync

    def on_sync(self, _pid, _arguments):
        self.model.sync_all()
        return True

    def on_syncfs(self, pid, arguments):
        return self.target(arguments) is not None and self.on_sync(pid, arguments)

    # --- names

    def moved(self, source, target, flags=''):
        model = self.model
        from_folder, from_name = model.parent_of(source)
        to_folder, to_name = model.parent_of(target)
        if from_folder is None and to_folder is None:
            return False
        if from_folder is None or to_folder is None or 'RENAME_EXCHANGE' in flags or from_name not in from_folder.now:
            raise CannotModel(f'rename {source} to {target}')
        what = from_folder.now[from_name]
        model.change(f'rename {from_name} to {to_name}', [(from_folder, from_name, None), (to_folder, to_name, what)])
        return True

    def on_rename(self, _pid, arguments):
        return self.moved(arguments.path(0), arguments.path(1))

    def on_renameat(self, _pid, arguments):
        return self.moved(arguments.path(1, 0), arguments.path(3, 2))

    def on_renameat2(self, _pid, arguments):
        return self.moved(arguments.path(1, 0), arguments.path(3, 2), arguments.parts[4])

    def linked(self, what, target):
        folder, name = self.model.parent_of(target)
        if folder is None:
            return False
        if not isinstance(what, File):
            raise CannotModel(f'link to {target}')
        self.model.change(f'link {name}', [(folder, name, what)])
        return True

    def on_link(self, _pid, arguments):
        return self.linked(self.model.find(arguments.path(0)), arguments.path(1))

    def on_linkat(self, pid, arguments):
        source = arguments.string(1) or ''
        magic = re.match(r'^/proc/self/fd/(\d+)$', source)
        if magic:
            position = self.model.positions.get((pid, int(magic.group(1))))
            what = position and position['file']
        elif source == '':
            what = self.target(arguments, 0)
        else:
            what = self.model.find(arguments.path(1, 0))
        return self.linked(what, arguments.path(3, 2))

    def removed(self, path):
        folder, name = self.model.parent_of(path)
        if folder is None or name not in folder.now:
            return False
        self.model.change(f'remove {name}', [(folder, name, None)])
        return True

    def on_unlink(self, _pid, arguments):
        return self.removed(arguments.path(0))

    on_rmdir = on_unlink

    def on_unlinkat(self, _pid, arguments):
        return self.removed(arguments.path(1, 0))

    def made(self, path):
        folder, name = self.model.parent_of(path)
        if folder is None:
            return False
        self.model.change(f'mkdir {name}', [(folder, name, Folder())])
        return True

    def on_mkdir(self, _pid, arguments):
        return self.made(arguments.path(0))

    def on_mkdirat(self, _pid, arguments):
        return self.made(arguments.path(1, 0))

    # --- what the model does not know

    def on_copy_file_range(self, _pid, arguments):
        return self.refuse_inside('copy_file_range', arguments, 2)

    def on_splice(self, _pid, arguments):
        return self.refuse_inside('splice', arguments, 2)

    def on_sendfile(self, _pid, arguments):
        return self.refuse_inside('sendfile', arguments, 0)

    def on_mmap(self, _pid, arguments):
        if 'PROT_WRITE' in arguments.parts[2] and 'MAP_SHARED' in arguments.parts[3]:
            return self.refuse_inside('mmap', arguments, 4)
        return False

    def on_symlinkat(self, _pid, arguments):
        if self.model.contains(arguments.path(2, 1)):
            raise CannotModel('symlinkat')
        return False

    def on_symlink(self, _pid, arguments):
        if self.model.contains(arguments.path(1)):
            raise CannotModel('symlink')
        return False

    def on_io_uring_setup(self, _pid, _arguments):
        raise CannotModel('io_uring')


def shorten(text):
    """A call for people: paths readable, data short."""
    text = re.sub(r'((?:\\x[0-9a-f]{2})+)', lambda m: unhex(m.group(1)).decode(errors='replace'), text)
    text = ''.join(letter if letter.isprintable() else '.' for letter in text)
    return text if len(text) <= 160 else text[:120] + ' ... ' + text[-35:]


def digest_of(tree, acks):
    digest = hashlib.sha256(acks)
    for path in sorted(tree):
        data = tree[path]
        digest.update(path.encode(errors='surrogateescape') + (b'/' if data is None else b'=%d:' % len(data) + data))
    return digest.digest()


def build_folder(tree, path):
    os.mkdir(path, 0o700)
    for name in sorted(tree):
        where = os.path.join(path, name)
        if tree[name] is None:
            os.mkdir(where, 0o700)
        else:
            with open(where, 'wb') as file:
                file.write(tree[name])


class Result:
    def __init__(self):
        self.calls = self.states = 0
        self.bad = []
        self.capped = False
        self.status = 0


def trace(command, output, **options):
    """Runs the command under strace; returns its exit status."""
    done = subprocess.run(['strace', '-f', '-qq', '-y', '-xx', '-s', '100000000', '-e', 'signal=none', '-e', f'trace={CALLS}',
                           '-o', output, '--', *command], check=False, **options)
    return done.returncode


def explore(lines, replay, check, maximum=100000, keep=None, enough=None):
    """check(folder, acks) → '' or what is lost. The replay's model must have been made before the program ran. enough: so many
    losses end it."""
    result = Result()
    seen = set()
    memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='durability-', dir=memory) as scratch:
        for model in replay.run(lines):
            if enough and len(result.bad) >= enough:
                break
            for description, tree in model.leftovers():
                digest = digest_of(tree, model.acks)
                if digest in seen:
                    continue
                if len(seen) >= maximum:
                    result.capped = True
                    break
                seen.add(digest)
                path = os.path.join(scratch, 'state')
                build_folder(tree, path)
                loss = check(path, model.acks)
                if loss:
                    result.bad.append(f'after {model.last_call}\n    {description}\n    {loss.strip()}')
                    if keep and len(result.bad) <= 10:
                        os.makedirs(keep, exist_ok=True)
                        build_folder(tree, os.path.join(keep, f'bad-{len(result.bad)}'))
                shutil.rmtree(path)
    result.calls = replay.calls
    result.states = len(seen)
    return result


def command_checker(command):
    def check(folder, acks):
        with tempfile.NamedTemporaryFile(prefix='acks-') as file:
            file.write(acks)
            file.flush()
            done = subprocess.run([*command, folder, file.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, encoding='utf-8', errors='replace', check=False)
        return '' if done.returncode == 0 else (done.stdout or f'exit {done.returncode}')
    return check


def run(command, folder, check, maximum=100000, ack_descriptor=1, keep=None, **options):
    """Traces the command and explores; what a test calls."""
    replay = Replay(folder, ack_descriptor)
    with tempfile.TemporaryDirectory(prefix='durability-trace-') as scratch:
        output = os.path.join(scratch, 'trace')
        status = trace(command, output, **options)
        with open(output, encoding='ascii', errors='replace') as lines:
            result = explore(lines, replay, check, maximum, keep)
    result.status = status
    return result


def main():
    parser = argparse.ArgumentParser(description='power cuts, replayed')
    parser.add_argument('--folder', required=True)
    parser.add_argument('--checker', required=True, help='command line, split at spaces')
    parser.add_argument('--max', type=int, default=100000, help='states at most')
    parser.add_argument('--keep', help='folder for the states that were bad')
    parser.add_argument('command', nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ['--'] else options.command
    try:
        result = run(command, options.folder, command_checker(options.checker.split()), options.max, keep=options.keep)
    except CannotModel as error:
        print(f'durability: cannot model: {error}')
        return 2
    for bad in result.bad[:10]:
        print(f'  {bad}')
    print(f'{result.states} states after {result.calls} calls, {len(result.bad)} bad{", capped" if result.capped else ""}')
    return 1 if result.bad or result.capped or result.status else 0


if __name__ == '__main__':
    sys.exit(main())
