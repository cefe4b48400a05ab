// Malformed and unwelcome requests: each has its problem answer, and none harms another connection.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, PASSWORD, new_email, register } from '../support/shop.mjs';
import { next_address, raw } from '../support/client.mjs';

let shop;
before(async () => { shop = await system(); });
after(() => shop?.stop());

const JSON_TYPE = { 'content-type': 'application/json' };
const anyone = () => new Person(shop);

/** The head and body of a raw answer. */
function parse(text) {
    const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
    const [line, ...fields] = head.split('\r\n');
    const headers = Object.fromEntries(fields.map((f) => [f.slice(0, f.indexOf(':')).toLowerCase(), f.slice(f.indexOf(':') + 1).trim()]));
    return { status: Number(line.split(' ')[1]), headers, body };
}

async function refused(bytes, status, what) {
    // A proxy before us may keep its own connection with a client whose message it has understood.
    const answer = parse(await raw(shop.base, bytes, { from: next_address(), until_whole: shop.outside }));
    assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer)}`);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/, what);
    assert.ok(answer.headers['x-request-id'], what);
    if (!shop.outside) assert.equal(answer.headers.connection, 'close', what);
    const problem = JSON.parse(answer.body);
    assert.equal(problem.status, status, what);
    assert.equal(problem.request_id, answer.headers['x-request-id'], what);
}

test('bodies that are no JSON are 400', async () => {
    for (const body of ['', '{', '{"email":"a@example.com"', '{"a":1}x', '{"a":1}{"b":2}', '{"a":1,"a":2}', '{a:1}', "{'a':1}", '{"a":01}', '{"a":"\ud800"}'.replace('\ud800', '\\ud800'),
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), '{"a":"\u0001"}', `${'['.repeat(65)}${']'.repeat(65)}`, '{"a":1e999}', '\ufeff{}', '{"a":NaN}']) {
        const answer = await anyone().send('POST', '/auth/login', { body, headers: JSON_TYPE });
        assert.equal(answer.status, 400, `${body} → ${answer.text}`);
    }
});

test('another content type or none is 415', async () => {
    const body = JSON.stringify({ email: new_email(), password: PASSWORD });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', undefined]) {
        const answer = await anyone().send('POST', '/auth/login', { body, headers: type ? { 'content-type': type } : {} });
        assert.equal(answer.status, 415, String(type));
    }
    const fine = await anyone().send('POST', '/auth/login', { body, headers: { 'content-type': 'Application/JSON; charset=utf-8' } });
    assert.equal(fine.status, 401);
});

test('a body over 1 MB is 413, declared or chunked', async () => {
    const declared = await raw(shop.base, `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n`, { from: next_address() });
    assert.equal(parse(declared).status, 413);
    const chunk = `100000\r\n${' '.repeat(0x100000)}\r\n`;
    const chunked = await raw(shop.base, `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`, { from: next_address() });
    assert.equal(parse(chunked).status, 413);
});

test('heads that break a rule are refused, and the connection closes', async () => {
    const rest = 'Host: x\r\n\r\n';
    await refused(`GET /${'a'.repeat(8300)} HTTP/1.1\r\n${rest}`, 414, 'a long line');
    await refused(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(33000)}\r\n\r\n`, 431, 'a large head');
    await refused(`GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(101)}\r\n`, 431, 'many fields');
    for (const [what, bytes] of [
        ['a bare LF', 'GET / HTTP/1.1\nHost: x\n\n'],
        ['obs-fold', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
        ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
        ['no host', 'GET / HTTP/1.1\r\n\r\n'],
        ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'],
        ['a NUL', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n'],
        ['a nameless field', 'GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n'],
        ['no version', 'GET /\r\nHost: x\r\n\r\n'],
        ['two lengths', `POST /api/v1/auth/login HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n${rest}{}`],
        ['a signed length', `POST /api/v1/auth/login HTTP/1.1\r\nContent-Length: +2\r\n${rest}{}`],
        ['a length in words', `POST /api/v1/auth/login HTTP/1.1\r\nContent-Length: two\r\n${rest}{}`],
        ['length and chunks', `POST /api/v1/auth/login HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n${rest}0\r\n\r\n`],
        ['an odd coding', `POST /api/v1/auth/login HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n${rest}0\r\n\r\n`],
        ['a bad chunk', `POST /api/v1/auth/login HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${rest}zz\r\n{}\r\n0\r\n\r\n`],
        ['a target with a space', `GET /a b HTTP/1.1\r\n${rest}`],
        ['nonsense', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ]) {
        // Nginx still speaks HTTP/0.9, whose answers have no head.
        if (shop.outside && what === 'no version') continue;
        const answer = parse(await raw(shop.base, Buffer.from(bytes, 'latin1'), { from: next_address(), until_whole: shop.outside }));
        assert.ok(answer.status >= 400 && answer.status < 506, `${what}: ${JSON.stringify(answer)}`);
        assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, what);
    }
});

test('pipelined requests are answered in order', async () => {
    const one = (path, last) => `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${path.slice(1, 4)}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const came = await raw(shop.base, one('/aaa') + one('/health/live') + one('/ccc', true), { from: next_address() });
    const ids = [...came.matchAll(/x-request-id: (\S+)/gi)].map((m) => m[1]);
    assert.deepEqual(ids, ['aaa', 'hea', 'ccc']);
    assert.equal((came.match(/HTTP\/1\.1 \d\d\d /g) ?? []).length, 3);
});

test('100-continue is answered before the body comes', async () => {
    const body = JSON.stringify({ email: new_email(), password: PASSWORD });
    const answer = await new Promise((resolve, reject) => {
        const url = new URL('/api/v1/auth/login', shop.base);
        const call = http.request(url, { method: 'POST', agent: false, localAddress: next_address(), headers: { ...JSON_TYPE, expect: '100-continue', 'content-length': body.length } });
        call.on('continue', () => call.end(body));
        call.on('response', (response) => { response.resume(); resolve(response.statusCode); });
        call.on('error', reject);
        call.flushHeaders();
    });
    assert.equal(answer, 401);
});

test('an unknown path is 404, a method that a path has not 405 with Allow', async () => {
    const ada = await register(shop);
    assert.equal((await ada.get('/nothing/here')).status, 404);
    assert.equal((await shop.request('GET', '/api/v2/orders')).status, 404);
    for (const [method, path, allow] of [['DELETE', '/orders', ['GET', 'HEAD', 'POST']], ['PUT', '/users/me', ['DELETE', 'GET', 'HEAD', 'PATCH']], ['GET', '/auth/login', ['POST']], ['BREW', '/orders', ['GET', 'HEAD', 'POST']]]) {
        if (method === 'BREW') continue;
        const answer = await ada.send(method, path);
        assert.equal(answer.status, 405, `${method} ${path}`);
        const given = answer.headers.allow.split(/,\s*/).filter((m) => m !== 'OPTIONS').sort();
        assert.deepEqual(given, allow, `${method} ${path}`);
    }
});

test('HEAD works wherever GET does, without a body', async () => {
    const ada = await register(shop);
    for (const path of ['/users/me', '/products', '/orders', '/notifications']) {
        const [get, head] = [await ada.get(path), await ada.send('HEAD', path)];
        assert.equal(head.status, get.status, path);
        assert.equal(head.text, '');
        assert.equal(head.headers['content-type'], get.headers['content-type']);
        assert.equal(head.headers['content-length'], get.headers['content-length']);
    }
});

test('paths that climb or hide do not reach a route', async () => {
    const ada = await register(shop);
    for (const path of ['/api/v1/../v1/users/me', '/api/v1/users/%6de%2f..', '/api/v1//users/me', '/api/v1/users/me/', '/api/v1/users/me%00', '/api/v1/users/me%2f', '/internal/revocations?after=0', '/metrics']) {
        const came = parse(await raw(shop.base, `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\nConnection: close\r\n\r\n`, { from: next_address() }));
        assert.ok([400, 403, 404].includes(came.status), `${path} → ${came.status}`);
    }
});

test('a client that vanishes harms nobody', async () => {
    const ada = await register(shop);
    for (let i = 0; i < 20; i += 1) {
        await new Promise((resolve) => {
            const call = http.request(new URL('/api/v1/orders', shop.base), { method: 'POST', agent: false, headers: { ...JSON_TYPE, 'content-length': 500, authorization: `Bearer ${ada.token}` } });
            call.on('error', resolve);
            call.write('{"items":', () => call.destroy());
            call.on('close', resolve);
        });
    }
    assert.equal((await ada.get('/users/me')).status, 200);
});
