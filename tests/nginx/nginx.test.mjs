// What Nginx itself refuses, and where it sends what it does not: a real Nginx with the files of deploy/nginx, and stand-ins for gateways
// that do as they are asked.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { raw } from '../support/client.mjs';
import { Nginx } from '../support/nginx.mjs';
import { free_port, temporary_folder } from '../support/system.mjs';

const ORIGIN = 'https://shop.example', ID = 'id-of-the-client.1', PAGE = '<!doctype html><title>shop</title>';
const SECURITY = {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin', 'origin-agent-cluster': '?1',
    'referrer-policy': 'no-referrer', 'strict-transport-security': 'max-age=31536000; includeSubDomains', 'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off', 'x-download-options': 'noopen', 'x-frame-options': 'SAMEORIGIN', 'x-permitted-cross-domain-policies': 'none',
    'x-xss-protection': '0',
};
let gateways, nginx, base;

/** Answers with its name, after `?after=` ms; `/api/v1/broken` breaks off, `/api/v1/silent` says nothing. Keeps the requests that came. */
class Gateway {
    constructor(name, port) {
        Object.assign(this, { name, port, seen: [] });
    }

    async open() {
        this.server = http.createServer((request, response) => {
            this.seen.push(request);
            const after = new URL(request.url, 'http://x').searchParams.get('after') ?? 0;
            if (this.frozen || request.url === '/api/v1/silent') return;
            if (request.url.startsWith('/api/v1/broken')) request.socket.destroy();
            else setTimeout(() => response.end(this.name), Number(after));
        });
        this.server.on('upgrade', (request, socket) => {
            if (this.frozen) return;
            const accept = crypto.createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
            socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Gateway: ${this.name}\r\n\r\n`);
        });
        await new Promise((resolve) => { this.server.listen(this.port, '127.0.0.1', resolve); });
        return this;
    }

    async close() {
        const closed = new Promise((resolve) => { this.server.close(resolve); });
        this.server.closeAllConnections();
        await closed;
    }
}

before(async () => {
    gateways = [];
    for (const name of ['one', 'two']) gateways.push(await new Gateway(name, await free_port()).open());
    const servers = (options) => gateways.map(({ port }) => `server 127.0.0.1:${port} ${options};`).join(' ');
    const api = 'include server.conf; location = /test/403 { deny all; } location = /test/500 { return 500; } location = /test/503 { return 503; }';
    const web = temporary_folder();
    fs.writeFileSync(path.join(web, 'index.html'), PAGE);
    for (const coding of ['br', 'gz']) fs.writeFileSync(path.join(web, `index.html.${coding}`), coding);
    nginx = await new Nginx({
        http: `upstream gateways { ${servers('max_fails=0')} } upstream gateways_sticky { hash $sticky consistent; ${servers('max_fails=0')} }
            limit_req_zone $binary_remote_addr zone=few:1m rate=1r/m;`,
        origin: ORIGIN,
        servers: [`set $purser_web ${web}; include web.conf; ${api}`, `limit_req zone=few; ${api}`, `proxy_read_timeout 1s; ${api}`],
    }).start();
    [base] = nginx.bases;
});

after(async () => {
    await nginx?.stop();
    for (const gateway of gateways ?? []) await gateway.close();
});

/** The answer to bytes as they are: `{status, headers, text}`. */
async function answer_to(at, bytes, from) {
    const came = await raw(at, bytes, { seconds: 60, until_whole: true, from });
    const end = came.indexOf('\r\n\r\n'), [line, ...fields] = came.slice(0, end).split('\r\n');
    const headers = {};
    for (const field of fields) {
        const [, name, value] = /^([^:]+): ?(.*)$/.exec(field);
        assert.equal(headers[name.toLowerCase()], undefined, `${name} comes twice`);
        headers[name.toLowerCase()] = value;
    }
    return { status: Number(line?.split(' ')[1]), headers, text: came.slice(end + 4) };
}

/** A whole request; `late` fields come after its Origin and its id. */
const head = (line, { early = '', late = '', id = ID } = {}) =>
    `${line} HTTP/1.1\r\nHost: x\r\n${early}Origin: ${ORIGIN}\r\nX-Request-Id: ${id}\r\n${late}\r\n`;

const LONG = 'a'.repeat(40000);
const REFUSALS = [
    { status: 400, type: 'malformed', of: head('GET /api/v1/products', { late: 'Host: y\r\n' }) },
    { status: 400, type: 'malformed', unread: true, of: 'nonsense\r\n\r\n' },
    { status: 403, type: 'forbidden', of: head('GET /test/403') },
    { status: 404, type: 'not-found', of: head('GET /assets/none.js') },
    { status: 405, type: 'method-not-allowed', of: head('TRACE /api/v1/products') },
    { status: 413, type: 'too-large', of: head('POST /api/v1/orders', { late: 'Content-Length: 2000000\r\n' }) },
    { status: 414, type: 'uri-too-long', unread: true, of: head(`GET /api/v1/products?q=${LONG}`) },
    { status: 431, type: 'headers-too-large', of: head('GET /api/v1/products', { late: `X-Long: ${LONG}\r\n` }) },
    { status: 431, type: 'headers-too-large', unread: true, of: head('GET /api/v1/products', { early: `X-Long: ${LONG}\r\n` }) },
    { status: 501, type: 'not-implemented', of: head('POST /api/v1/orders', { late: 'Transfer-Encoding: gzip\r\n' }) },
    { status: 502, type: 'bad-gateway', retry: true, of: head('GET /api/v1/broken') },
    { status: 500, type: 'internal-error', of: head('GET /test/500') },
    { status: 503, type: 'unavailable', retry: true, of: head('GET /test/503') },
    { status: 504, type: 'gateway-timeout', at: 2, of: head('POST /api/v1/silent', { late: 'Content-Length: 0\r\n' }) },
    { status: 505, type: 'http-version', unread: true, of: 'GET / HTTP/3.0\r\nHost: x\r\n\r\n' },
];

function check_problem({ status, type, unread = false, retry = false }, answer) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    const body = JSON.parse(answer.text);
    assert.equal(body.status, status);
    assert.equal(body.type, `/problems/${type}`);
    assert.ok(body.title && body.detail);
    assert.equal(body.request_id, answer.headers['x-request-id']);
    if (unread) assert.match(body.request_id, /^[0-9a-f]{32}$/);
    else assert.equal(body.request_id, ID);
    assert.equal(answer.headers['access-control-allow-origin'], unread ? '*' : ORIGIN);
    assert.equal(answer.headers['access-control-allow-credentials'], unread ? undefined : 'true');
    assert.match(answer.headers['access-control-expose-headers'], /Retry-After.*X-Request-Id/);
    assert.equal(answer.headers.vary, 'Origin');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['retry-after'] !== undefined, retry, 'Retry-After');
    for (const [name, value] of Object.entries(SECURITY)) assert.equal(answer.headers[name], value, name);
}

for (const refusal of REFUSALS) {
    test(`${refusal.status} to ${refusal.of.split('\r\n')[0].slice(0, 40)} is a problem that a page of another origin can read`, async () => {
        check_problem(refusal, await answer_to(nginx.bases[refusal.at ?? 0], refusal.of));
    });
}

test('an address that cannot be read: a person is shown the web app, and a program is told', async () => {
    for (const target of ['/orders/%', '/products/%E0%A4%A?x=y', '/%00']) {
        const { status, headers, text } = await answer_to(base, head(`GET ${target}`, { late: 'Accept: text/html\r\nAccept-Encoding: gzip, br\r\n' }));
        assert.deepEqual([status, headers['content-type'], text], [400, 'text/html; charset=utf-8', PAGE], target);
        assert.equal(headers['content-encoding'], undefined);
        assert.equal(headers.connection, 'close');
        assert.match(headers['content-security-policy'], /script-src 'self';/);
    }
    const without_app = nginx.bases[1];
    for (const [at, line] of [[base, 'GET /api/v1/orders/%'], [base, 'POST /orders/%'], [base, 'GET /openapi.json%'], [without_app, 'GET /orders/%']]) {
        check_problem({ status: 400, type: 'malformed', unread: true }, await answer_to(at, head(line)));
    }
});

test('429 is one, too', async () => {
    const from = '127.77.0.1', of = head('GET /api/v1/products');
    assert.equal((await answer_to(nginx.bases[1], of, from)).status, 200);
    check_problem({ status: 429, type: 'too-many-requests', retry: true }, await answer_to(nginx.bases[1], of, from));
});

test('another origin gets none of it', async () => {
    const { headers } = await answer_to(base, head('GET /test/503').replace(ORIGIN, 'https://evil.example'));
    for (const name of ['origin', 'credentials']) assert.equal(headers[`access-control-allow-${name}`], undefined);
    assert.equal(headers['access-control-expose-headers'], undefined);
});

test('what a gateway is told: the id that the answer will carry, and an address that a client cannot forge', async () => {
    for (const [id, told] of [['a.good-one:1_2', /^a\.good-one:1_2$/], ['not a good one', /^[0-9a-f]{32}$/], ['x'.repeat(129), /^[0-9a-f]{32}$/]]) {
        const target = `/api/v1/products?n=${crypto.randomUUID()}`;
        assert.equal((await answer_to(base, head(`GET ${target}`, { id, late: 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n' }))).status, 200);
        const { headers } = gateways.flatMap((gateway) => gateway.seen).find((request) => request.url === target);
        assert.match(headers['x-request-id'], told);
        assert.equal(headers['x-forwarded-for'], '127.0.0.1');
        assert.equal(headers['x-forwarded-proto'], 'http');
    }
});

const KEY = 'Idempotency-Key: 1\r\n', NO_BODY = 'Content-Length: 0\r\n';

/** How many gateways have been sent the request. */
const times_sent = (target) => gateways.flatMap((gateway) => gateway.seen).filter((request) => request.url === target).length;

test('what breaks off: what may be done twice asks the other gateway, what may not is sent once', async () => {
    for (const [method, fields, times] of [['GET', '', 2], ['DELETE', '', 2], ['POST', NO_BODY, 1], ['PATCH', NO_BODY, 1], ['PATCH', KEY + NO_BODY, 1], ['POST', KEY + NO_BODY, 2]]) {
        const target = `/api/v1/broken?n=${crypto.randomUUID()}`;
        const { status } = await answer_to(base, head(`${method} ${target}`, { late: fields }));
        assert.equal(status, 502);
        assert.equal(times_sent(target), times, method + fields);
    }
});

test('the path, query and body that a gateway gets are those that came, whichever way they went', async () => {
    for (const fields of ['', KEY]) {
        const target = `/api/v1/products/a%2Fb%20c/..%2e?q=%26&n=${crypto.randomUUID()}`;
        assert.equal((await answer_to(base, head(`POST ${target}`, { late: `${fields}Content-Length: 4\r\n` }) + 'body')).status, 200);
        const { headers } = gateways.flatMap((gateway) => gateway.seen).find((request) => request.url === target);
        assert.equal(headers['content-length'], '4');
    }
});

test('a gateway that stands still: what may be done twice goes to the other one, and so does all that follows', async () => {
    const still = await new Nginx({
        http: `upstream gateways { least_conn; ${gateways.map(({ port }) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=600s;`).join(' ')}
            ${gateways.map(({ port }) => `server 127.0.0.1:${port} max_fails=0 backup;`).join(' ')} } upstream gateways_sticky { server 127.0.0.1:1; }`,
        servers: [`set $purser_web ${temporary_folder()}; include web.conf; include server.conf;`],
    }).start();
    try {
        gateways[0].frozen = true;
        const before = gateways[0].seen.length;
        for (const [method, fields] of [['GET', ''], ['POST', KEY + NO_BODY], ['GET', ''], ['POST', NO_BODY], ['PUT', NO_BODY]]) {
            const { status, text } = await answer_to(still.bases[0], head(`${method} /api/v1/products`, { late: fields }));
            assert.deepEqual([status, text], [200, 'two'], method + fields);
        }
        assert.ok(gateways[0].seen.length - before <= 1, 'one request found out for all');
        gateways[0].frozen = false;
        assert.equal((await answer_to(still.bases[0], head('GET /api/v1/broken'))).status, 502); // this puts the other one out, too
        assert.equal((await answer_to(still.bases[0], head('POST /api/v1/products', { late: NO_BODY }))).status, 200, 'with all at rest, all are tried');
    } finally {
        gateways[0].frozen = false;
        await still.stop();
    }
});

test('what takes long is not cut: the second gateway has all its time, and a call of a function is made once', async () => {
    for (const [of, times] of [['GET /api/v1/products', 2], ['POST /api/v1/functions/slow/invocations', 1]]) {
        const target = `${of}?after=6500&n=${crypto.randomUUID()}`;
        const { status } = await answer_to(base, head(target, { late: of.startsWith('POST') ? KEY + NO_BODY : '' }));
        assert.equal(status, 200, of);
        assert.equal(times_sent(target.split(' ')[1]), times, of);
    }
});

test('HTTP/0.9 comes to no gateway, since its answer could carry neither status nor id', async () => {
    const before = gateways.flatMap((gateway) => gateway.seen).length, came = await raw(base, 'GET /api/v1/products\r\n', { seconds: 60 });
    assert.equal(JSON.parse(came).type, '/problems/http-version');
    assert.equal(gateways.flatMap((gateway) => gateway.seen).length, before);
});

/** Which gateway a socket with this cookie comes to. */
async function gateway_of(cookie) {
    const upgrade = `Cookie: purser_route=${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`;
    const came = await raw(base, head('GET /api/v1/notifications/ws', { late: upgrade }), { seconds: 60 });
    return /^x-gateway: (\S+)\r$/im.exec(came)?.[1];
}

test('a socket comes to the gateway of its cookie, to the other one while that is away, and back as soon as it is back', async () => {
    const cookies = Array.from({ length: 16 }, (_, i) => `c${i}`), own = [];
    for (const cookie of cookies) own.push(await gateway_of(cookie));
    assert.deepEqual([...new Set(own)].sort(), ['one', 'two']);
    await gateways[0].close();
    for (const cookie of cookies) assert.equal(await gateway_of(cookie), 'two');
    await gateways[0].open();
    for (const [i, cookie] of cookies.entries()) assert.equal(await gateway_of(cookie), own[i]);
});

test('a socket leaves a gateway that stands still for the other one, and is told where none answers', async () => {
    const cookies = Array.from({ length: 16 }, (_, i) => `c${i}`);
    try {
        gateways[0].frozen = true;
        assert.deepEqual(await Promise.all(cookies.map(gateway_of)), cookies.map(() => 'two'));
        gateways[1].frozen = true;
        const { status, headers } = await answer_to(base, head('GET /api/v1/notifications/ws'));
        assert.deepEqual([status, headers['retry-after']], [503, '1']);
    } finally {
        for (const gateway of gateways) gateway.frozen = false;
    }
});
