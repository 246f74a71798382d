#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Updates over https with client certificates, what is said of servers that are not right, and a server that drips."""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import HERE, run  # noqa: E402  pylint: disable=wrong-import-position

OTHER_PIN = 'sha256//' + 'A' * 43 + '='


class TlsServer:
    """Debian's nginx (nginx.sh) over a folder, with certificates of nginx-keys.sh in its work folder."""

    def __init__(self, world, name, root, work):
        self.world, self.name, self.root, self.work = world, name, root, work
        self.port = 0
        self.nginx = None

    @property
    def url(self):
        return f'https://localhost:{self.port}'

    def start(self, lines=''):
        extra = self.world.write(f'{self.name}.extra', lines)
        self.nginx = self.world.spawn(self.name, [os.path.join(HERE, 'nginx.sh'), self.root, f'{self.work}/port', self.work, extra])
        self.world.wait_for('web server', lambda: os.path.exists(f'{self.work}/nginx.pid'))
        with open(f'{self.work}/port', encoding='utf-8') as file:
            self.port = int(file.read())

    def requests(self):
        with open(f'{self.work}/access.log', encoding='utf-8') as file:
            return file.read()


def end_fetcher(w):
    """fetch.conf is read when the fetcher starts; the daemon starts another one when it asks again."""
    pid = w.daemon.process.pid
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        children = file.read().split()
    for child in children:
        with open(f'/proc/{child}/comm', encoding='ascii') as file:
            if file.read().strip() == 'rekindle-fetch':
                os.kill(int(child), signal.SIGTERM)
                w.wait_for('the end of the fetcher', lambda child=child: not os.path.exists(f'/proc/{child}'))


def configure(w, server, lines):
    w.write('etc/fetch.conf', f'[Fetch]\nOrigin={server.url}\n' + lines.replace('~', w.folder('keys')))
    end_fetcher(w)


def expect_refusal(w, what, *texts):
    answer = w.ctl('--json', 'check', expect=1).json
    w.expect(f'{what}: {answer["text"]}', answer['outcome'] == 'server-unreachable' and all(t in answer['text'] for t in texts))
    shown = ' '.join(w.ctl('status', expect=0).text.split())
    w.expect('status says the same', all(text in shown for text in texts))


def begin(w):
    """1.0.0 is published; a server that demands client certificates, and a host beside it that hands out the images."""
    keys = w.folder('keys')
    w.check([os.path.join(HERE, 'nginx-keys.sh'), keys])
    w.check([os.path.join(HERE, 'nginx-keys.sh'), keys, 'token'])
    w.environment['SOFTHSM2_CONF'] = f'{keys}/softhsm.conf'
    w.publisher.publish('1.0.0')
    w.add_device('boiler')
    w.start()
    cdn = w.folder('cdn')
    for name in ('tls.crt', 'tls.key'):
        shutil.copy(f'{keys}/{name}', cdn)
    images = TlsServer(w, 'images', w.server.root, cdn)
    images.start()
    server = TlsServer(w, 'origin', w.server.root, keys)
    server.start(f'ssl_verify_client on; location /targets/ {{ return 302 https://127.0.0.1:{images.port}$uri; }}\n')
    return server, images


def https_update(w):
    """Each wrong thing is named; with the right keys the update comes, its image from another host."""
    server, images = begin(w)
    keys = w.folder('keys')
    place = f'localhost:{server.port}'
    client = f'CAFile=~/ca.crt\nArtifactHosts=127.0.0.1:{images.port}\nClientCertificate=~/client.crt\n'

    configure(w, server, '')
    expect_refusal(w, 'an authority that the system does not know', f'the certificate of {place}', 'CN=ca', 'CAFile=')
    configure(w, server, 'CAFile=~/other.crt\n')
    expect_refusal(w, 'the wrong authority', f'the certificate of {place}', f'CAFile={keys}/other.crt')
    configure(w, server, 'CAFile=~/ca.crt\n')
    expect_refusal(w, 'no client certificate', f'{place} wants a client certificate', 'ClientCertificate=')
    configure(w, server, f'{client}ClientKey=~/client.key\nPinnedKey={OTHER_PIN}\n')
    expect_refusal(w, 'the wrong pin', f'{place} shows the public key sha256//', OTHER_PIN)
    configure(w, server, f'{client}ClientKey=~/locked.key\n')
    expect_refusal(w, 'a key without its passphrase', f'ClientKey={keys}/locked.key', 'ClientKeyPassphraseFile=')
    for name, texts in (('expired', ('expired on 2020-01-01',)), ('elsewhere', ('another name (elsewhere.example',))):
        wrong = TlsServer(w, name, w.server.root, os.path.join(keys, name))
        wrong.start()
        configure(w, wrong, 'CAFile=~/ca.crt\n')
        expect_refusal(w, name, f'the certificate of localhost:{wrong.port}', *texts)
    w.expect('nothing was served', ' 200 ' not in server.requests() + images.requests())

    w.say('the key in a file, encrypted')
    configure(w, server, f'{client}ClientKey=~/locked.key\nClientKeyPassphraseFile=~/passphrase\n')
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect('the image came from the other host', '/targets/boiler-ctl/1.0.0/' in images.requests())

    w.say('the key in a token')
    image = w.publisher.publish('1.1.0')
    configure(w, server, f'{client}ClientKey=pkcs11:token=rk;object=gateway;type=private\nClientKeyPassphraseFile=~/pin\n'
              'Pkcs11Module=/usr/lib/softhsm/libsofthsm2.so\n')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    w.expect('the plain server was not asked', not w.server.requests())


def dripping_server(w):
    """A server that sends one byte a second of an image: that update waits, the others go on."""
    server = w.use_origin()
    for model in ('boiler-ctl', 'pump-ctl'):
        w.publisher.add('1.0.0', w.publisher.make_image('1.0.0', model=model), model=model)
    w.publisher.publish()
    w.add_device('boiler')
    w.add_device('pump', 'pump-ctl')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0', 'boiler')
    w.wait_runs('1.0.0', 'pump')
    with open(os.path.join(w.tmp, 'etc', 'fetch.conf'), 'a', encoding='utf-8') as file:
        file.write('LowSpeedSec=5s\n')
    end_fetcher(w)

    for model in ('boiler-ctl', 'pump-ctl'):
        w.publisher.add('1.1.0', w.publisher.make_image('1.1.0', model=model), model=model)
    w.publisher.publish()
    server.command('slow 1 /targets/boiler-ctl/')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0', 'pump')
    state = w.wait_device('the boiler waits', lambda d: d['Waiting'] == 'wait-server')
    w.expect(f'it says why: {state["StateText"]}', 'slower than LowSpeedBytes=' in state['StateText'])
    w.expect('1.0.0 runs on', state['RunningVersion'] == '1.0.0')
    server.command('slow off')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0', 'boiler')


run(https_update, dripping_server)
