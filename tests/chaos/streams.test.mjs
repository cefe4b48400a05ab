// Thousands of broken byte streams: what was answered is what was logged, each request once, and nobody else is harmed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { System } from '../support/system.mjs';
import { next_address, raw } from '../support/client.mjs';
import { random, until } from '../support/wait.mjs';

const STREAMS = Number(process.env.PURSER_STREAMS ?? 4000);
const SEED = 7;
const AT_ONCE = 16;
let shop;
before(async () => { shop = await new System({ settings: { PURSER_HEAD_TIMEOUT: '2s' } }).start(); });
after(() => shop?.stop());

const dice = random(SEED);
const below = (n) => Math.floor(dice() * n);
const pick = (list) => list[below(list.length)];

/** One good request of a stream, with a name of its own. */
function good(name) {
    const body = '{"email":"nobody@example.com","password":"not a password"}';
    return pick([
        `GET /api/v1/products HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\n\r\n`,
        `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nAccept: */*\r\n\r\n`,
        `HEAD /api/v1/products?limit=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\n\r\n`,
        `POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        `POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
    ]);
}

const SPLICES = ['\r\n', '\n', '\r', ' ', '\t', ':', '\0', '0\r\n\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 5\r\n', 'Content-Length: 0\r\n',
    'GET / HTTP/1.1\r\n', 'Expect: 100-continue\r\n', 'Connection: close\r\n', 'Upgrade: websocket\r\nConnection: Upgrade\r\n', '\xff\xfe', ';a=b', ','];

/** Breaks bytes in one of many ways, or leaves them whole. */
function mutate(text) {
    const at = below(text.length);
    switch (below(6)) {
        case 0: return text;
        case 1: return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
        case 2: return text.slice(0, at) + pick(SPLICES) + text.slice(at);
        case 3: return text.slice(0, at) + text.slice(at + 1 + below(8));
        case 4: return text.slice(0, at) + text.slice(below(at + 1), at) + text.slice(at);
        default: return text.slice(0, at);
    }
}

function stream(number) {
    let text = '';
    for (let i = 0; i <= below(4); i += 1) text += good(`s${number}-${i}`);
    for (let i = 0; i < below(3); i += 1) text = mutate(text);
    return text;
}

/** The names of the requests that answers name, in order; a HEAD's answer has no body, which no length can tell here. */
const answered = (came) => [...came.matchAll(/^x-request-id: (\S+)\r$/gim)].map((m) => m[1]);

test(`${STREAMS} mutated streams: answered = logged`, async () => {
    const streams = Array.from({ length: STREAMS }, (_, i) => stream(i));
    const answers = [];
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (next < streams.length) {
            const mine = streams[next];
            next += 1;
            const came = await raw(shop.base, Buffer.from(mine, 'latin1'), { from: next_address(), end: true });
            answers.push(...answered(came));
            assert.equal(answered(came).length, (came.match(/HTTP\/1\.1 (?!100)\d\d\d /g) ?? []).length, `an answer without its id: ${came}`);
        }
    }));
    assert.equal((await shop.request('GET', '/health/live', { from: next_address() })).status, 200);
    assert.ok(answers.length > STREAMS / 2);
    const count = (ids) => ids.reduce((map, id) => map.set(id, (map.get(id) ?? 0) + 1), new Map());
    const wanted = count(answers);
    await until('every answered request is in the log once', () => {
        const logged = count(shop.process.log().map((line) => line.request_id).filter((id) => wanted.has(id)));
        return [...wanted].every(([id, n]) => logged.get(id) === n);
    }, { seconds: 20, every_ms: 300 });
    const extra = shop.process.log().filter((line) => /^s\d+-\d/.test(line.request_id ?? '') && !wanted.has(line.request_id));
    assert.deepEqual(extra, [], 'logged, but not answered');
});
