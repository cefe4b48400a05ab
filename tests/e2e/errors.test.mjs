// Malformed and unwelcome requests: each has its problem answer, and none harms another connection.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, PASSWORD, new_email, register } from '../support/shop.mjs';
import { next_address, raw } from '../support/client.mjs';
import { until } from '../support/wait.mjs';
import { openapi } from '../support/contract.mjs';

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

test('a NUL in a string is well-formed and not valid: 422', async () => {
    const body = '{"email":"a\\u0000@example.com","password":"a good long one","name":"x"}';
    for (const [text, status] of [[body, 422], [body.replace('"name"', '"na\\u0000me"'), 422], [`${body}x`, 400], [body.replace('"x"', '"\\x"'), 400]]) {
        const answer = await anyone().send('POST', '/auth/register', { body: text, headers: JSON_TYPE });
        assert.equal(answer.status, status, `${text} → ${answer.text}`);
        if (status === 422) assert.deepEqual(answer.body.errors.map((e) => e.pointer), ['']);
        if (status === 422) assert.match(answer.body.errors[0].detail, /line 1, column \d+: .*U\+0000/);
    }
});

test('a parameter that comes twice is 400', async () => {
    const ada = await register(shop);
    for (const path of ['/products?limit=1&limit=1', '/products?limit=1&limit=2', '/products?cursor=a&limit=1&cursor=b', '/orders?status=paid&status=cancelled',
        '/payments?order_id=a&order_id=b', '/notifications?after=1&after=2', '/notifications?unread=true&unread', `/products?${Array.from({ length: 33 }, (_, i) => `p${i}=1`).join('&')}`]) {
        const answer = await ada.get(path);
        assert.equal(answer.status, 400, `${path} → ${answer.text}`);
        assert.equal(answer.body.type, '/problems/malformed');
    }
    assert.equal((await ada.get('/products?limit=1&&cursor=&')).status, 200);
});

test('a cursor that no list has given is told of once', async () => {
    const ada = await register(shop);
    for (const list of ['/products', '/orders', '/payments', '/auth/sessions', '/notifications'])
        for (const cursor of ['%00', 'nonsense', 'a%20b', 'x'.repeat(300)]) {
            const answer = await ada.get(`${list}?cursor=${cursor}`);
            assert.equal(answer.status, 422, `${list} ${cursor} → ${answer.text}`);
            assert.deepEqual(answer.body.errors.map((e) => e.pointer), ['/cursor'], `${list} ${cursor}`);
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

/** What breaks a rule, and its answer. `alone`: only without a proxy before us, which reads it otherwise. */
const LOGIN = 'POST /api/v1/auth/login HTTP/1.1\r\nContent-Type: application/json\r\n';
const REST = 'Host: x\r\n\r\n';
const chunked = (body) => `${LOGIN}Transfer-Encoding: chunked\r\n${REST}${body}`;
const BROKEN = [
    ['a long line', 414, `GET /${'a'.repeat(8300)} HTTP/1.1\r\n${REST}`],
    ['a line without an end', 414, `GET /${'a'.repeat(8300)}`],
    ['a large head', 431, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(33000)}\r\n\r\n`],
    ['a head without an end', 431, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(40000)}`],
    ['many fields', 431, `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(100)}\r\n`],
    ['a bare LF', 400, 'GET / HTTP/1.1\nHost: x\n\n'],
    ['a bare LF behind a field', 400, 'GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n'],
    ['a bare CR', 400, 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n'],
    ['obs-fold', 400, 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the first field', 400, 'GET / HTTP/1.1\r\n Host: x\r\n\r\n'],
    ['a space before the colon', 400, 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['no colon', 400, 'GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n'],
    ['no host', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', 400, 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'],
    ['no host to speak of', 400, 'GET / HTTP/1.1\r\nHost: x y\r\n\r\n'],
    ['a NUL', 400, 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n'],
    ['a NUL in the target', 400, `GET /\0 HTTP/1.1\r\n${REST}`],
    ['a nameless field', 400, 'GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n'],
    ['no version', 400, 'GET /\r\nHost: x\r\n\r\n'],
    ['another version', 505, `GET / HTTP/2.0\r\n${REST}`],
    ['a target with a space', 400, `GET /a b HTTP/1.1\r\n${REST}`],
    ['a fragment', 400, `GET /#a HTTP/1.1\r\n${REST}`],
    ['a broken escape', 400, `GET /%zz HTTP/1.1\r\n${REST}`],
    ['CONNECT', 501, `CONNECT x:80 HTTP/1.1\r\n${REST}`],
    ['two lengths', 400, `${LOGIN}Content-Length: 2\r\nContent-Length: 2\r\n${REST}{}`],
    ['a list of lengths', 400, `${LOGIN}Content-Length: 2, 2\r\n${REST}{}`],
    ['a signed length', 400, `${LOGIN}Content-Length: +2\r\n${REST}{}`],
    ['a negative length', 400, `${LOGIN}Content-Length: -2\r\n${REST}{}`],
    ['a length in words', 400, `${LOGIN}Content-Length: two\r\n${REST}{}`],
    ['a length beyond 64 bits', 413, `${LOGIN}Content-Length: 99999999999999999999\r\n${REST}{}`],
    ['length and chunks', 400, `${LOGIN}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n${REST}0\r\n\r\nGET /admin HTTP/1.1\r\n${REST}`],
    ['chunks twice', 400, `${LOGIN}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n${REST}0\r\n\r\n`],
    ['an odd coding', 501, `${LOGIN}Transfer-Encoding: xchunked\r\n${REST}0\r\n\r\n`],
    ['chunks in HTTP/1.0', 400, `POST /api/v1/auth/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n${REST}0\r\n\r\n`],
    ['a bad chunk', 400, chunked('zz\r\n{}\r\n0\r\n\r\n')],
    ['a negative chunk', 400, chunked('-2\r\n{}\r\n0\r\n\r\n')],
    ['a chunk longer than it says', 400, chunked('2\r\n{}}\r\n0\r\n\r\n')],
    ['a bare LF behind a chunk', 400, chunked('2\n{}\n0\n\n')],
    ['a chunk beyond 64 bits', 400, chunked('ffffffffffffffffff\r\n')],
    ['two tokens', 400, `GET /api/v1/users/me HTTP/1.1\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n${REST}`],
    ['two types', 400, `${LOGIN}Content-Type: application/json\r\nContent-Length: 2\r\n${REST}{}`],
    ['two keys', 400, `GET / HTTP/1.1\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n${REST}`],
    ['two origins', 400, `GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\n${REST}`],
    ['an expectation nobody knows', 417, `${LOGIN}Expect: 200-ok\r\nContent-Length: 2\r\n${REST}{}`],
    ['a hello of TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
];
// Nginx still speaks HTTP/0.9, whose answers have no head, and waits for the end of what has none.
const ALONE = ['no version', 'a line without an end', 'a head without an end'];

/** Requests one after the other on one connection, until told to end: how many were answered, all of them well. */
function neighbour() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const from = next_address();
    let ended = false;
    const talk = async () => {
        const sockets = new Set();
        let answers = 0;
        for (; !ended; answers += 1) {
            await new Promise((resolve, reject) => {
                const call = http.get(new URL('/health/live', shop.base), { agent, localAddress: shop.outside ? undefined : from }, (response) => {
                    assert.equal(response.statusCode, 200);
                    sockets.add(response.socket.localPort);
                    response.resume().on('end', resolve);
                });
                call.on('error', reject);
            });
        }
        agent.destroy();
        return { answers, connections: sockets.size };
    };
    const talking = talk();
    return { end: () => { ended = true; return talking; } };
}

test('what breaks a rule gets its problem, then the connection closes, and a neighbour notices nothing', async () => {
    const other = neighbour();
    for (const [what, status, text] of BROKEN) {
        if (shop.outside && ALONE.includes(what)) continue;
        const bytes = Buffer.from(text, 'latin1');
        if (!shop.outside) {
            await refused(bytes, status, what);
            continue;
        }
        const answer = parse(await raw(shop.base, bytes, { until_whole: true }));
        assert.ok(answer.status >= 400 && answer.status < 506, `${what}: ${JSON.stringify(answer)}`);
        assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, what);
    }
    const { answers, connections } = await other.end();
    assert.ok(answers > 0);
    if (!shop.outside) assert.equal(connections, 1, 'the neighbour keeps its connection');
});

test('a broken request behind a good one: the good one is answered first', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const came = await raw(shop.base, `GET /health/live HTTP/1.1\r\n${REST}GET / HTTP/1.1\nHost: x\n\nGET /health/live HTTP/1.1\r\n${REST}`, { from: next_address() });
    assert.deepEqual([...came.matchAll(/HTTP\/1\.1 (\d\d\d) /g)].map((m) => m[1]), ['200', '400']);
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
    const real = { '{id}': '01932f50-2222-7bbb-8c8c-0a1b2c3d4e5f', '{sku}': 'no-such-sku', '{name}': 'calculate-total' };
    const paths = Object.entries(openapi.paths).filter(([, item]) => item.get).map(([path]) => path.replace(/{\w+}/g, (name) => real[name]));
    assert.ok(paths.length > 20);
    for (const path of paths) {
        const options = { token: ada.token, from: ada.from };
        let get, head, again;
        // What is there may change in between: a new user's first notifications come.
        await until(`${path} stays as it is`, async () => {
            get = await shop.request('GET', path, options);
            head = await shop.request('HEAD', path, options);
            again = await shop.request('GET', path, options);
            return get.text.length === again.text.length;
        });
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
