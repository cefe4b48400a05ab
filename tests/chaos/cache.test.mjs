// Redis away: it is only a hint, so nothing is lost but speed.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { System, free_port, temporary_folder } from '../support/system.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

const missing = (() => {
    try { execFileSync('redis-server', ['--version']); return false; } catch { return 'there is no redis-server'; }
})();

let redis;
let port;
let shop;
let boss;

async function start_redis() {
    redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', temporary_folder()],
        { stdio: 'ignore' });
    await until('redis answers', () => new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
        socket.on('error', () => resolve(false));
    }), { every_ms: 20 });
}

async function kill_redis() {
    const ended = new Promise((resolve) => redis.once('close', resolve));
    redis.kill('SIGKILL');
    await ended;
}

const readiness = async () => (await shop.request('GET', '/health/ready', { unchecked: true })).body;
const has_seqs = (socket, count) => assert.deepEqual(socket.notifications().map((n) => n.seq), Array.from({ length: count }, (_, i) => i + 1));

before(async () => {
    if (missing) return;
    port = await free_port();
    await start_redis();
    shop = await new System({ settings: { PURSER_CACHE_URL: `redis://127.0.0.1:${port}` } }).start();
    boss = await admin(shop);
});
after(async () => {
    await shop?.stop();
    redis?.kill('SIGKILL');
});

test('sockets go on hearing everything while Redis is away, without gap or repetition', { skip: missing }, async () => {
    const { sku } = await product(boss);
    const ada = await register(shop);
    const socket = ada.socket({ after: 0 });
    await socket.count(1);
    await ada.paid_order([{ sku, quantity: 1 }]);
    await socket.count(3);
    await kill_redis();
    await until('readiness says degraded', async () => (await readiness()).status === 'degraded');
    for (let i = 0; i < 3; i += 1) await ada.paid_order([{ sku, quantity: 1 }]);
    await socket.count(9);
    const late = ada.socket({ after: 4 });
    assert.deepEqual((await late.count(5)).map((n) => n.seq), [5, 6, 7, 8, 9]);
    await start_redis();
    await until('readiness says ok', async () => (await readiness()).status !== 'degraded');
    await ada.paid_order([{ sku, quantity: 1 }]);
    await socket.count(11);
    has_seqs(socket, 11);
    assert.deepEqual((await late.count(7)).map((n) => n.seq), [5, 6, 7, 8, 9, 10, 11]);
    await socket.close();
    await late.close();
});

test('whoever signs out while Redis is away is out, and may sign in again', { skip: missing }, async () => {
    const ada = await register(shop);
    const phone = await ada.login();
    const socket = phone.socket();
    await socket.next('hello');
    await kill_redis();
    await until('readiness says degraded', async () => (await readiness()).status === 'degraded');
    const tablet = await ada.login();
    assert.equal((await ada.patch('/users/me', { name: 'Countess' })).status, 200);
    assert.equal((await ada.get('/users/me')).body.name, 'Countess');
    const { data } = (await ada.get('/auth/sessions')).body;
    assert.equal(data.length, 3);
    const sid = JSON.parse(Buffer.from(phone.token.split('.')[1], 'base64url').toString()).sid;
    assert.equal((await ada.delete(`/auth/sessions/${sid}`)).status, 204);
    await until('the session is refused', async () => (await phone.get('/users/me')).status === 401, { every_ms: 50 });
    assert.equal(await socket.close_code(), 4401);
    await tablet.post('/auth/logout');
    assert.equal((await tablet.get('/users/me')).status, 401);
    await start_redis();
    await until('readiness says ok', async () => (await readiness()).status !== 'degraded');
    assert.equal((await phone.get('/users/me')).status, 401);
    assert.equal((await ada.get('/users/me')).body.name, 'Countess');
});
