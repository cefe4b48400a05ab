// The example of HTTPS, with a certificate of its own making: the servers of deploy/nginx/tls.conf.example in front of Purser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Nginx } from '../support/nginx.mjs';
import { System, temporary_folder } from '../support/system.mjs';

const NAME = 'shop.example', HSTS = 'max-age=31536000; includeSubDomains';
const EXAMPLE = fs.readFileSync(new URL('../../deploy/nginx/tls.conf.example', import.meta.url), 'utf8');
let shop, nginx, certificate, plain, secure;

/** A part of the example with its port and the certificate's folder made ours. */
function ours(part, port, folder) {
    const changed = part.replace(/listen (80|443)\b/, `listen 127.0.0.1:${port}`);
    assert.notEqual(changed, part);
    return changed.replaceAll('/etc/nginx/tls', folder);
}

function make_certificate(folder) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${NAME}`,
        '-addext', `subjectAltName=DNS:${NAME}`, '-keyout', path.join(folder, 'privkey.pem'), '-out', path.join(folder, 'fullchain.pem')], { stdio: 'ignore' });
    return fs.readFileSync(path.join(folder, 'fullchain.pem'));
}

before(async () => {
    const folder = temporary_folder(), web = path.join(temporary_folder(), 'web');
    fs.mkdirSync(web);
    fs.writeFileSync(path.join(web, 'index.html'), 'the shop');
    certificate = make_certificate(folder);
    shop = await new System({ settings: { PURSER_TRUSTED_PROXIES: '127.0.0.1' } }).start();
    const gateway = shop.base.replace('http://', '');
    const redirecting = /^# +server \{ (.*) \}$/m.exec(EXAMPLE)[1];
    nginx = await new Nginx({
        http: `upstream gateways { server ${gateway}; } upstream gateways_sticky { server ${gateway}; }`,
        servers: [
            'return 204;', // says that Nginx answers
            (port) => ours(redirecting, port, folder),
            (port) => `${ours(EXAMPLE, port, folder)}\ninclude server.conf; set $purser_web ${web}; include web.conf;`,
        ],
    }).start();
    [, plain, secure] = nginx.bases.map((base) => Number(new URL(base).port));
});

after(async () => {
    await nginx?.stop();
    await shop?.stop();
});

const trusting = () => ({ host: '127.0.0.1', port: secure, servername: NAME, ca: certificate });

/** `{status, headers, text}` of a request over HTTP/1.1, plain or, by default, secure. */
function ask(target, { module = https, headers = {}, ...options } = {}) {
    return new Promise((resolve, reject) => {
        const request = module.get({ ...trusting(), ...options, path: target, headers: { Host: NAME, ...headers }, agent: false }, (response) => {
            let text = '';
            response.on('data', (part) => { text += part; });
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
        });
        request.on('error', reject);
    });
}

test('the API and the pages come over HTTPS, and ask to be asked for by nothing else', async () => {
    const products = await ask('/api/v1/products');
    assert.equal(products.status, 200);
    assert.ok(Array.isArray(JSON.parse(products.text).data), products.text);
    assert.equal(products.headers['strict-transport-security'], HSTS);
    for (const [target, status] of [['/', 200], ['/assets/none.js', 404]]) {
        const answer = await ask(target);
        assert.equal(answer.status, status, target);
        assert.equal(answer.headers['strict-transport-security'], HSTS, target);
    }
});

test('what comes over plain HTTP is sent there, with its path, query and method', async () => {
    for (const target of ['/', '/api/v1/products?limit=2&q=a%20b']) {
        const { status, headers } = await ask(target, { module: http, port: plain });
        assert.deepEqual([status, headers.location], [308, `https://${NAME}${target}`]);
    }
});

/** `{status, text}` of a GET over HTTP/2. */
async function ask_by_http2(target) {
    const session = http2.connect(`https://${NAME}:${secure}`, { createConnection: () => tls.connect({ ...trusting(), ALPNProtocols: ['h2'] }) });
    const request = session.request({ ':path': target, ':authority': NAME });
    const [headers] = await new Promise((resolve, reject) => {
        request.on('response', (...came) => resolve(came));
        request.on('error', reject);
        session.on('error', reject);
    });
    const text = (await request.toArray()).join('');
    session.close();
    return { status: headers[':status'], text };
}

test('HTTP/2 is offered, and who mistypes an address is shown the web app there, too', async () => {
    assert.equal((await ask_by_http2('/health/live')).status, 200);
    assert.deepEqual(await ask_by_http2('/orders/%'), { status: 400, text: 'the shop' });
});

test('a WebSocket is taken over HTTPS', async () => {
    const { status, headers } = await ask('/api/v1/notifications/ws', { headers: {
        Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' } });
    assert.equal(status, 401, 'the gateway has seen a handshake without a token');
    assert.equal(headers['content-type'], 'application/problem+json');
});

test('TLS 1.1 and older are refused, as is plain HTTP on the port of HTTPS', async () => {
    await assert.rejects(ask('/health/live', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }), /alert protocol version|EPROTO/);
    for (const version of ['TLSv1.2', 'TLSv1.3']) assert.equal((await ask('/health/live', { minVersion: version, maxVersion: version })).status, 200);
    const answer = await ask('/', { module: http });
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
});
