// A gateway whose services come late, break off and stand still: a real one, in front of stand-ins for instances that do as they are told and
// keep what came.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { next_address, raw, request } from '../support/client.mjs';
import { Process, free_port, temporary_folder } from '../support/system.mjs';
import { until, within } from '../support/wait.mjs';

const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'one' }] };
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A good access token of a new user. */
function token_of() {
    const now = Math.floor(Date.now() / 1000);
    const said = `${encode({ alg: 'ES256', typ: 'JWT', kid: 'one' })}.${encode({ iss: 'purser', aud: 'purser', sub: crypto.randomUUID(),
        sid: crypto.randomUUID(), role: 'customer', iat: now, exp: now + 3600, jti: crypto.randomUUID() })}`;
    return `${said}.${crypto.sign('sha256', Buffer.from(said), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/**
 * An instance. Requests answer with its name, except as `mood` says: 'breaks off' resets each, 'stands still' answers none, and from
 * its first such on none for its health either. `seen` has what came, but for questions for its health.
 */
class Instance {
    constructor(name) {
        Object.assign(this, { name, mood: 'well', seen: [], held: [], sockets: [] });
    }

    async open() {
        this.port ??= await free_port();
        this.server = http.createServer((call, response) => this.answer(call, response));
        this.server.on('upgrade', (call, socket) => this.upgrade(call, socket));
        await new Promise((resolve) => { this.server.listen(this.port, '127.0.0.1', resolve); });
        return this;
    }

    answer(call, response) {
        const health = call.url === '/health/ready';
        if (!health) this.seen.push(call);
        if (this.mood === 'stands still' && (!health || this.held.length)) {
            if (!health) this.held.push(call);
        } else if (this.mood === 'breaks off' && !health) {
            call.socket.resetAndDestroy();
        } else {
            const said = call.url.startsWith('/.well-known/jwks.json') ? jwks : call.url.startsWith('/internal/revocations') ? { data: [] } : { from: this.name };
            response.setHeader('Content-Type', 'application/json');
            response.end(JSON.stringify(said));
        }
    }

    upgrade(call, socket) {
        this.sockets.push(socket);
        socket.on('error', () => {});
        this.seen.push(call);
        if (this.mood !== 'well') {
            this.held.push(call);
            return;
        }
        const accept = crypto.createHash('sha1').update(`${call.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    }

    async close() {
        if (!this.server) return;
        this.server.closeAllConnections();
        for (const socket of this.sockets) socket.destroy();
        await new Promise((resolve) => { this.server.close(resolve); });
    }
}

let folder, base, settings, gateway, users, orders;

before(async () => {
    folder = temporary_folder();
    users = new Instance('users');
    users.port = await free_port();
    orders = [await new Instance('one').open(), await new Instance('two').open()];
    const [port, admin_port] = [await free_port(), await free_port()], both = orders.map((one) => `http://127.0.0.1:${one.port}`).join();
    base = `http://127.0.0.1:${port}`;
    settings = {
        PURSER_LISTEN: `127.0.0.1:${port}`, PURSER_ADMIN_LISTEN: `127.0.0.1:${admin_port}`, PURSER_DATA: folder, PURSER_WEB: 'off', PURSER_FUNCTIONS: 'off',
        PURSER_INTERNAL_SECRET: 'i'.repeat(64), PURSER_USERS_URL: `http://127.0.0.1:${users.port}`, PURSER_ORDERS_URL: both,
        PURSER_NOTIFICATIONS_URL: both, PURSER_PAYMENTS_URL: both,
    };
    gateway = new Process(['run', 'gateway'], settings);
});

after(async () => {
    await gateway?.kill();
    for (const one of [users, ...(orders ?? [])]) await one?.close();
    fs.rmSync(folder, { recursive: true, force: true });
});

const ask = (path, options) => request(base, 'GET', path, { unchecked: true, from: next_address(), ...options });
const order = (options) => request(base, 'POST', '/api/v1/orders', { unchecked: true, from: next_address(), json: {}, token: token_of(), ...options });

test('without the keys of tokens it is not ready and says why; a good token is not refused but asked to come again', async () => {
    const ready = await until('it answers', () => gateway.exit ?? ask('/health/ready').catch(() => null));
    assert.equal(ready.status, 503);
    assert.deepEqual([ready.body.status, ready.body.missing], ['unavailable', ['keys']]);
    const token = token_of(), answer = await ask('/api/v1/orders', { token });
    assert.equal(answer.status, 503, answer.text);
    assert.ok(answer.headers['retry-after']);
    await users.open();
    await gateway.ready(base);
    for (let i = 0; i < 100; i += 1) assert.equal((await ask('/api/v1/orders', { token })).status, 200); // each earns a tenth of a repeat
});

test('a gateway takes the first request when it can tell good tokens from bad ones, not before', async () => {
    await gateway.stop();
    gateway = new Process(['run', 'gateway'], settings);
    const token = token_of();
    const { status, text } = await until('it answers', () => ask('/api/v1/orders', { token }).catch(() => null), { every_ms: 1 });
    if (gateway.log().some(({ event }) => event.startsWith('the door opens without'))) return; // nobody answered it for 5 s
    assert.equal(status, 200, text);
    for (let i = 0; i < 100; i += 1) assert.equal((await ask('/api/v1/orders', { token })).status, 200); // each earns a tenth of a repeat
});

const INTERNAL = ['X-User-Id', 'X-User-Role', 'X-Session-Id', 'X-Purser-Internal', 'X-Purser-Client', 'X-Purser-Expires', 'X-Purser-Timeout', 'X-Purser-Host'];

/** Sends these lines and gives the internal headers that an instance was sent, as pairs of lower name and value. */
async function internal_headers(lines, { from, token }) {
    const mark = crypto.randomUUID(), all = ['Host: shop.example', ...(token ? [`Authorization: Bearer ${token}`] : []), ...lines];
    const text = await raw(base, `GET /api/v1/products?mark=${mark} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n`, { from, until_whole: true });
    assert.match(text, /^HTTP\/1.1 200 /);
    const [call, ...others] = [...orders[0].seen, ...orders[1].seen].filter(({ url }) => url.includes(mark));
    assert.equal(others.length, 0);
    const pairs = call.rawHeaders.flatMap((name, i, list) => (i % 2 ? [] : [[name.toLowerCase(), list[i + 1]]]));
    return pairs.filter(([name]) => INTERNAL.some((one) => one.toLowerCase() === name)).sort();
}

test('who asks is said by the gateway alone: what a client says of it reaches no service, however it is written', async () => {
    const from = next_address(), token = token_of(), claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    const nobody = [['x-purser-client', from], ['x-purser-expires', '0'], ['x-purser-host', 'shop.example']];
    const somebody = [['x-purser-client', from], ['x-purser-expires', String(claims.exp * 1000)], ['x-purser-host', 'shop.example'], ['x-session-id', claims.sid],
        ['x-user-id', claims.sub], ['x-user-role', claims.role]];
    const ways = [(name) => name, (name) => name.toLowerCase(), (name) => name.toUpperCase(), (name) => name.replace(/^X/, 'x')];
    const sent = [...INTERNAL.flatMap((name) => ways.map((way) => [`${way(name)}: forged`])), [],
        INTERNAL.flatMap((name) => ways.flatMap((way) => [`${way(name)}: forged`, `${way(name)}:admin`])),
        [`Connection: keep-alive, ${INTERNAL.join(', ')}`, ...INTERNAL.map((name) => `${name}: forged`)]];
    for (const lines of sent) {
        for (const [wanted, who] of [[somebody, { from, token }], [nobody, { from }]]) {
            const got = await internal_headers(lines, who);
            const changing = got.filter(([name]) => ['x-purser-internal', 'x-purser-timeout'].includes(name));
            assert.deepEqual(got.filter((pair) => !changing.includes(pair)), wanted, lines.join());
            assert.match(changing.map((pair) => pair.join(' ')).join(), /^x-purser-internal \d+:[0-9a-f]{64},x-purser-timeout \d+$/, lines.join());
        }
    }
});

test('who asked before on a connection is nobody when the next request has no token', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), from = next_address();
    for (const token of [token_of(), undefined]) {
        const mark = crypto.randomUUID();
        assert.equal((await ask(`/api/v1/products?mark=${mark}`, { agent, from, token })).status, 200);
        const { headers } = [...orders[0].seen, ...orders[1].seen].find(({ url }) => url.includes(mark));
        assert.equal(Boolean(headers['x-user-id']), Boolean(token));
    }
    agent.destroy();
});

test('an instance that breaks off: what is idempotent asks the other one, what is not is sent once', async () => {
    const token = token_of();
    orders[0].mood = 'breaks off';
    for (const send of [() => ask('/api/v1/orders', { token }), () => order({ key: crypto.randomUUID() })]) {
        const before = orders[0].seen.length;
        await until('it was the broken one that was asked first', async () => {
            const answer = await send();
            assert.equal(answer.status, 200, answer.text);
            assert.equal(answer.body.from, 'two');
            return orders[0].seen.length > before;
        }, { every_ms: 1 });
    }
    const [before, other] = orders.map((one) => one.seen.length);
    const keyed = [...orders[0].seen, ...orders[1].seen].filter((call) => call.headers['idempotency-key']).length;
    let sent = 0;
    await until('it was the broken one that was asked', async () => {
        const answer = await order();
        sent += 1;
        assert.ok([200, 502].includes(answer.status), answer.text);
        return answer.status === 502;
    }, { every_ms: 1 });
    assert.equal(orders[0].seen.length + orders[1].seen.length, before + other + sent);
    // A key that Connection names, in its second line at that, stays at the gateway and protects nothing.
    await until('it was the broken one that was asked', async () => {
        const answer = await order({ key: crypto.randomUUID(), headers: { connection: ['keep-alive', 'idempotency-key'] } });
        sent += 1;
        assert.ok([200, 502].includes(answer.status), answer.text);
        return answer.status === 502;
    }, { every_ms: 1 });
    assert.equal(orders[0].seen.length + orders[1].seen.length, before + other + sent);
    const kept = [...orders[0].seen, ...orders[1].seen].filter((call) => call.headers['idempotency-key']);
    assert.equal(kept.length, keyed);
    orders[0].mood = 'well';
});

/** Requests until the first instance gives one of the answers: it counts as well again. */
const well_again = () => until('the first instance answers', async () => (await ask('/api/v1/orders', { token: token_of() })).body.from === 'one', { every_ms: 20 });

test('an instance that stands still: requests that wait for it go to the other one', async () => {
    await well_again();
    for (const send of [() => ask('/api/v1/orders', { token: token_of() }), () => order({ key: crypto.randomUUID() })]) {
        orders[0].mood = 'stands still';
        orders[0].held = [];
        const answers = await until('one request was held', async () => {
            const some = await Promise.all([send(), send()]);
            return orders[0].held.length && some;
        }, { every_ms: 1 });
        for (const answer of answers) assert.deepEqual([answer.status, answer.body.from], [200, 'two']);
        orders[0].mood = 'well';
        await well_again();
    }
});

test('a socket that an instance does not take goes to the other one', async () => {
    orders[0].mood = 'stands still';
    orders[0].held = [];
    const sockets = [];
    await until('one was held', async () => {
        const socket = new WebSocket(`${base.replace('http', 'ws')}/api/v1/notifications/ws`, { headers: { authorization: `Bearer ${token_of()}` }, localAddress: next_address() });
        sockets.push(socket);
        await within('the socket opens', new Promise((resolve, reject) => { socket.on('open', resolve).on('error', reject); }));
        return orders[0].held.length;
    }, { every_ms: 1 });
    for (const socket of sockets) socket.terminate();
    orders[0].mood = 'well';
});
