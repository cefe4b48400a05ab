// Thousands of clients that send slowly, read slowly or just stay: the others are served, and an idle connection costs next to nothing.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { System, binary } from '../support/system.mjs';
import { register } from '../support/shop.mjs';
import { next_address } from '../support/client.mjs';
import { until, within } from '../support/wait.mjs';

const sanitized = binary.includes('sanitized');
const [HEADS, READERS, IDLE] = sanitized ? [200, 50, 200] : [2000, 500, 2000];
let shop;
before(async () => { shop = await new System({ settings: { PURSER_HEAD_TIMEOUT: '3s' } }).start(); });
after(() => shop.stop());

function connect() {
    const { hostname, port } = new URL(shop.base);
    const socket = net.connect({ host: hostname, port, localAddress: next_address() });
    socket.on('error', () => {});
    socket.opened = new Promise((resolve, reject) => { socket.on('connect', resolve); socket.on('close', reject); });
    socket.ended = new Promise((resolve) => socket.on('close', resolve));
    return socket;
}

/** So many, a hundred at a time. */
async function connect_many(count, each) {
    const sockets = [];
    while (sockets.length < count) {
        const some = Array.from({ length: Math.min(100, count - sockets.length) }, connect);
        await Promise.all(some.map((s) => s.opened));
        await Promise.all(some.map(each));
        sockets.push(...some);
    }
    return sockets;
}

const memory_kb = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${shop.process.child.pid}/status`, 'utf8'))[1]);

async function slowest_ms(person, count) {
    let slowest = 0;
    for (let i = 0; i < count; i += 1) {
        const begun = performance.now();
        assert.equal((await person.get('/users/me')).status, 200);
        slowest = Math.max(slowest, performance.now() - begun);
    }
    return slowest.toFixed(1);
}

async function metrics() {
    const answer = await fetch(`${shop.admin_base}/metrics`);
    return answer.text();
}

// First, while the heap has no free memory that they could take.
test(`${IDLE} idle connections`, async () => {
    const answered = (socket) => new Promise((resolve) => {
        socket.once('data', resolve);
        socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    const first = await connect_many(100, answered);
    const before_kb = memory_kb();
    const idle = await connect_many(IDLE, answered);
    const each = ((memory_kb() - before_kb) * 1024) / IDLE;
    console.log(`${Math.round(each)} bytes an idle connection`);
    if (!sanitized) assert.ok(each <= 16 * 1024, `${each} bytes`);
    [...first, ...idle].forEach((s) => s.destroy());
    await until('they are gone', async () => /purser_http_connections\{service="gateway"\} [0-9]\n/.test((await metrics())));
});

test(`${HEADS} slow heads and ${READERS} slow readers: others are served all along`, async () => {
    const ada = await register(shop);
    const alone = await slowest_ms(ada, 50);
    const heads = await connect_many(HEADS, (socket) => { socket.resume(); socket.write('GET /api/v1/products HTTP/1.1\r\nHost: x\r\nX-Slow: '); });
    const readers = await connect_many(READERS, (socket) => {
        socket.pause();
        socket.write('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(60));
    });
    console.log(`slowest of 50 in ms: ${alone} alone, ${await slowest_ms(ada, 50)} in the crowd; ${memory_kb()} KB resident`);
    await within('all slow heads are cut off', Promise.all(heads.map((s) => s.ended)));
    assert.equal((await ada.get('/users/me')).status, 200);
    readers.forEach((s) => s.destroy());
});
