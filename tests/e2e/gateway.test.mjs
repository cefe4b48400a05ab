// The front door: CORS, limits, security headers, request ids, identity headers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, register } from '../support/shop.mjs';
import { next_address, raw } from '../support/client.mjs';

const ORIGIN = 'https://shop.example';
let shop;
before(async () => { shop = await system({ settings: { PURSER_CORS_ORIGINS: `${ORIGIN},https://other.example` } }); });
after(() => shop?.stop());

const call = (method, path, options) => shop.request(method, path, { from: next_address(), ...options });

test('a pre-flight needs no token and says what may be sent', async () => {
    for (const path of ['/api/v1/orders', '/api/v1/users/me', '/api/v1/products/x']) {
        const answer = await call('OPTIONS', path, { unchecked: true, headers: { origin: ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,idempotency-key,x-session-mode' } });
        assert.equal(answer.status, 204, path);
        assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
        assert.match(answer.headers['access-control-allow-methods'], /POST/);
        for (const name of ['authorization', 'content-type', 'idempotency-key', 'x-session-mode']) {
            assert.ok(answer.headers['access-control-allow-headers'].toLowerCase().includes(name), name);
        }
        assert.ok(Number(answer.headers['access-control-max-age']) > 0);
        assert.match(answer.headers.vary, /origin/i);
    }
});

test('every answer has CORS headers for a listed origin, errors too', async () => {
    const headers = { origin: ORIGIN };
    const ada = await register(shop);
    const answers = [
        await call('GET', '/api/v1/products', { headers }),
        await call('GET', '/api/v1/users/me', { headers }),
        await call('GET', '/nothing', { headers }),
        await call('DELETE', '/api/v1/orders', { headers, token: ada.token }),
        await call('POST', '/api/v1/auth/login', { headers, json: {} }),
        await call('POST', '/api/v1/auth/login', { headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' }),
    ];
    assert.deepEqual(answers.map((a) => a.status), [200, 401, 404, 405, 422, 415]);
    for (const answer of answers) {
        assert.equal(answer.headers['access-control-allow-origin'], ORIGIN, String(answer.status));
        assert.match(answer.headers.vary ?? '', /origin/i);
        assert.match(answer.headers['access-control-expose-headers'] ?? '', /x-request-id/i);
    }
});

test('an origin that is not listed gets none', async () => {
    for (const origin of ['https://evil.example', 'https://shop.example.evil', 'null', `${ORIGIN}:444`]) {
        const answer = await call('GET', '/api/v1/products', { headers: { origin } });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['access-control-allow-origin'], undefined, origin);
    }
});

test('limits are announced, and beyond them is 429 with Retry-After and CORS', async () => {
    const from = next_address();
    const statuses = [];
    let refused;
    for (let i = 0; i < 140; i += 1) {
        const answer = await shop.request('GET', '/api/v1/products', { from, headers: { origin: ORIGIN } });
        assert.match(answer.headers['ratelimit'] ?? '', /^"\w+";r=\d+;t=\d+/);
        assert.match(answer.headers['ratelimit-policy'] ?? '', /q=100;w=10/);
        statuses.push(answer.status);
        if (answer.status === 429) refused ??= answer;
    }
    assert.ok(statuses.slice(0, 100).every((s) => s === 200), statuses.join());
    if (statuses.includes(429)) {
        assert.ok(Number(refused.headers['retry-after']) >= 1);
        assert.equal(refused.headers['access-control-allow-origin'], ORIGIN);
    }
});

test('every answer says what is left, those that count nowhere and those of the parser too', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const bytes = async (text) => raw(shop.base, text, { from: next_address() });
    const declared = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n';
    for (const [status, text] of [[400, 'GET / HTTP/1.1\nHost: x\n\n'], [414, `GET /${'a'.repeat(9000)}`], [413, declared], [431, `GET / HTTP/1.1\r\nA: ${'a'.repeat(40000)}`]]) {
        const answer = await bytes(text);
        assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
        assert.match(answer, /\r\nratelimit: "ip";r=100;t=0\r\n/i, answer);
        assert.match(answer, /\r\nratelimit-policy: "ip";q=100;w=10\r\n/i);
    }
    const preflight = { origin: ORIGIN, 'access-control-request-method': 'POST' };
    for (const [method, path, headers] of [['OPTIONS', '/api/v1/orders', preflight], ['GET', '/health/live'], ['GET', '/health/ready'], ['GET', '/nothing'],
        ['GET', '/api/v1/users/me'], ['PUT', '/api/v1/orders'], ['GET', '/openapi.json'], ['GET', '/.well-known/jwks.json']]) {
        const answer = await call(method, path, { headers, unchecked: true });
        assert.match(answer.headers.ratelimit ?? '', /^"ip";r=\d+;t=\d+$/, `${method} ${path}`);
        assert.equal(answer.headers['ratelimit-policy'], '"ip";q=100;w=10');
    }
});

test('what counts nowhere takes nothing', async () => {
    const from = next_address();
    const left = async (path) => Number(/;r=(\d+)/.exec((await shop.request('GET', path, { from })).headers.ratelimit)[1]);
    for (let i = 0; i < 150; i += 1) assert.equal((await shop.request('GET', '/health/live', { from })).status, 200);
    assert.ok(await left('/api/v1/products') >= 98);
});

test('a burst beyond the limit of an address is cut, another address is not', async () => {
    const [busy, calm] = [next_address(), next_address()];
    const answers = await Promise.all(Array.from({ length: 400 }, () => shop.request('GET', '/api/v1/products', { from: busy })));
    const count = (status) => answers.filter((a) => a.status === status).length;
    assert.ok(count(200) >= 100, String(count(200)));
    assert.equal(count(200) + count(429), 400);
    const other = await shop.request('GET', '/api/v1/products', { from: calm });
    assert.equal(other.status, 200);
});

test('with a valid token the limit of the user counts alone', async () => {
    const ada = await register(shop);
    const answers = [];
    for (let i = 0; i < 150; i += 1) answers.push(await ada.get('/users/me'));
    assert.ok(answers.every((a) => a.status === 200), answers.map((a) => a.status).join());
    assert.match(answers[0].headers['ratelimit-policy'], /q=200;w=10/);
});

test('a forged X-Forwarded-For does not change the address that is counted', async () => {
    const from = next_address();
    const remaining = [];
    for (let i = 0; i < 5; i += 1) {
        const answer = await shop.request('GET', '/api/v1/products', { from, headers: { 'x-forwarded-for': `10.0.0.${i}`, forwarded: `for=10.1.0.${i}` } });
        remaining.push(Number(/r=(\d+)/.exec(answer.headers.ratelimit)[1]));
    }
    assert.ok(remaining.at(-1) < 100 - 2, remaining.join());
});

test('answers carry the security headers that Helmet sets', async () => {
    for (const path of ['/api/v1/products', '/nothing']) {
        const { headers } = await call('GET', path);
        assert.ok(headers['content-security-policy'], path);
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.equal(headers['x-frame-options'], 'SAMEORIGIN');
        assert.match(headers['strict-transport-security'], /max-age=\d+; includeSubDomains/);
        assert.equal(headers['referrer-policy'], 'no-referrer');
        assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
        assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
        assert.equal(headers['origin-agent-cluster'], '?1');
        assert.equal(headers['x-dns-prefetch-control'], 'off');
        assert.equal(headers['x-download-options'], 'noopen');
        assert.equal(headers['x-permitted-cross-domain-policies'], 'none');
        assert.equal(headers['x-xss-protection'], '0');
        assert.equal(headers['x-powered-by'], undefined);
    }
});

test('a request id is taken if well-formed, else made', async () => {
    const id = async (given) => (await call('GET', '/api/v1/products', { headers: given ? { 'x-request-id': given } : {} })).headers['x-request-id'];
    assert.equal(await id('abc-123._:Z'), 'abc-123._:Z');
    assert.equal(await id('a'.repeat(128)), 'a'.repeat(128));
    for (const bad of ['a'.repeat(129), 'with space', 'a"b', undefined]) {
        const made = await id(bad);
        assert.ok(made && made !== bad);
        assert.match(made, /^[A-Za-z0-9._:-]{1,128}$/);
    }
});

test('identity headers from outside are not believed', async () => {
    const [ada, eve] = [await register(shop), await register(shop)];
    const forged = { 'x-user-id': ada.id, 'x-user-role': 'admin', 'x-session-id': ada.id };
    assert.equal((await call('GET', '/api/v1/users/me', { headers: forged })).status, 401);
    assert.equal((await eve.get('/users/me', { headers: forged })).body.id, eve.id);
    assert.equal((await eve.get('/users', { headers: forged })).status, 403);
    assert.equal((await eve.get('/users', { headers: { 'X_User_Role': 'admin', 'X-USER-ROLE': 'admin' } })).status, 403);
});

test('health and keys are open, metrics are not here', async () => {
    assert.equal((await call('GET', '/health/live')).status, 200);
    assert.equal((await call('GET', '/health/ready')).status, 200);
    const { body } = await call('GET', '/.well-known/jwks.json');
    assert.ok(body.keys.length >= 1);
    assert.ok(body.keys.every((key) => key.d === undefined));
    assert.equal((await call('GET', '/metrics')).status, 404);
});

test('the description is served as JSON', async () => {
    const answer = await call('GET', '/openapi.json', { unchecked: true });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.openapi, '3.1.0');
});

test('where the web app is not served, its pages say where the API is', { skip: process.env.PURSER_BASE_URL && 'Nginx answers for them' }, async () => {
    for (const page of ['/', '/docs']) {
        const { status, body } = await call('GET', page, { headers: { accept: 'text/html' } });
        assert.equal(status, 404);
        assert.match(body.detail, /make web.*\/openapi\.json/);
    }
});
