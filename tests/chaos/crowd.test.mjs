// Clients that are slow, many or gone: they are cut off, and the others notice nothing.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { System } from '../support/system.mjs';
import { PASSWORD, Person, admin, new_email, product, register } from '../support/shop.mjs';
import { next_address } from '../support/client.mjs';
import { sleep, until, within } from '../support/wait.mjs';

let shop;
let boss;
let sku;
before(async () => {
    // Where a machine stands still for long, a login that waits its turn is not over time.
    shop = await new System({ settings: { PURSER_HEAD_TIMEOUT: '1s', PURSER_REQUEST_TIMEOUT: '300s' } }).start();
    boss = await admin(shop);
    sku = (await product(boss, { stock: 100000 })).sku;
});
after(() => shop?.stop());

function connect(from = next_address(), base = shop.base) {
    const { hostname, port } = new URL(base);
    const socket = net.connect({ host: hostname, port, localAddress: from });
    socket.on('error', () => {});
    socket.text = '';
    socket.on('data', (data) => { socket.text += data.toString('latin1'); });
    socket.connected = new Promise((resolve) => socket.on('connect', resolve));
    socket.ended = new Promise((resolve) => socket.on('close', resolve));
    return socket;
}

test('a head that does not come is cut off, a byte at a time or not at all', async () => {
    const slow = Array.from({ length: 300 }, () => connect());
    let dripping = true;
    const drip = (async () => {
        const bytes = 'GET /api/v1/products HTTP/1.1\r\nHost: x\r\nX-Slow: '.padEnd(4000, 'a');
        for (let i = 0; dripping; i += 1) {
            for (const socket of slow) if (!socket.destroyed) socket.write(bytes[i % bytes.length]);
            await sleep(50);
        }
    })();
    const ada = await register(shop);
    for (let i = 0; i < 20; i += 1) assert.equal((await ada.get('/users/me')).status, 200);
    await within('all slow heads are cut off', Promise.all(slow.map((s) => s.ended)));
    dripping = false;
    await drip;
    for (const socket of slow) if (socket.text) assert.match(socket.text, /^HTTP\/1\.1 408 /);
});

test('a body that stops is cut off', async () => {
    const socket = connect();
    socket.write('POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"email":');
    await within('the connection ends', socket.ended, 60);
});

test('a reader that does not read holds nobody up', async () => {
    const ada = await register(shop);
    const phone = await ada.login();
    const quick = phone.socket({ after: 0 });
    await quick.next('hello');
    const slow = connect(ada.from);
    slow.removeAllListeners('data');
    slow.pause();
    slow.write(`GET /api/v1/notifications/ws?after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n`
        + `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: purser.v1\r\nAuthorization: Bearer ${ada.token}\r\n\r\n`);
    for (let i = 0; i < 10; i += 1) await phone.paid_order([{ sku, quantity: 1 }]);
    await until('the quick one has all', () => quick.notifications().filter((n) => n.type === 'order.paid').length === 10);
    slow.destroy();
    await quick.close();
});

test('whoever asks again as soon as he is refused is read again a little later', async () => {
    const body = JSON.stringify({ email: new_email(), password: PASSWORD });
    const login = `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = connect(), began = Date.now();
    socket.write(login.repeat(30));
    const statuses = () => [...socket.text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
    await until('all are answered', () => statuses().length === 30);
    const refused = statuses().filter((status) => status === '429').length;
    assert.ok(refused > 1);
    assert.ok(Date.now() - began >= (refused - 1) * 100);
    socket.destroy();
});

test('a flood of logins is bounded, and other routes go on', async () => {
    const ada = await register(shop);
    const seen = new Set();
    await until('some are looked at, and some told when to come back', async () => {
        const flood = Array.from({ length: 120 }, () => new Person(shop).post('/auth/login', { email: new_email(), password: PASSWORD }, { seconds: 300 }));
        for (let i = 0; i < 30; i += 1) seen.add((await ada.get('/users/me')).status);
        for (const { status, headers } of await Promise.all(flood)) seen.add(headers['retry-after'] ? `${status}, later` : status);
        return seen.has(401) && seen.has('503, later');
    });
    assert.ok([...seen].every((one) => [200, 401, '429, later', '503, later'].includes(one)), [...seen].join());
    assert.equal((await ada.login()).id, ada.id);
});

test('more connections than there are descriptors for are told so, and harm nobody for longer than they are there', async () => {
    const small = await new System({
        wrapper: ['prlimit', '--nofile=160:160'],
        services: ['gateway', 'users', 'orders', 'payments', 'notifications', 'sandbox'],
    }).start();
    try {
        const ada = await register(small);
        for (let round = 0; round < 5; round += 1) {
            const crowd = Array.from({ length: 300 }, () => connect(next_address(), small.base));
            await Promise.all(crowd.map((socket) => Promise.race([socket.connected, socket.ended])));
            await until('some are told that there are too many', () => crowd.some(({ text }) => text.startsWith('HTTP/1.1 503 ')));
            crowd.forEach((socket) => socket.destroy());
            await until('she is served again', () => new Person(small).get('/products').then(({ status }) => status === 200, () => false));
        }
        assert.equal((await ada.get('/users/me')).status, 200);
    } finally {
        await small.stop();
    }
});

test('hundreds of sockets come and go, and nothing is left of them', async () => {
    const people = [];
    for (let i = 0; i < 6; i += 1) people.push(await register(shop));
    for (let round = 0; round < 3; round += 1) {
        const sockets = people.flatMap((p) => Array.from({ length: 25 }, () => p.socket({ from: next_address(), after: 0 })));
        await Promise.all(sockets.map((s) => s.next('hello')));
        sockets.forEach((s, i) => (i % 2 ? s.socket.terminate() : s.socket.close()));
        await Promise.all(sockets.map((s) => s.close_code()));
    }
    await until('the gauge of open sockets is back', async () => {
        const { body } = await boss.get('/operations/status');
        return !body.rates.websockets;
    });
});

test('many people order at once', async () => {
    const people = [];
    for (let i = 0; i < 20; i += 1) people.push(await register(shop));
    const orders = await Promise.all(people.flatMap((p) => Array.from({ length: 10 }, () => p.order([{ sku, quantity: 1 }]).then(({ id }) => ({ p, id })))));
    for (const { p, id } of orders) await p.order_in(id, 'paid');
});
