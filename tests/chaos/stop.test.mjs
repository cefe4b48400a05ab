// Ends in the middle of work: SIGTERM with orders in flight, kill -9 between commit and publish, a reload.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { System, run, temporary_folder } from '../support/system.mjs';
import { Person, admin, all_pages, new_key, product, register } from '../support/shop.mjs';
import { next_address } from '../support/client.mjs';
import { sleep, until } from '../support/wait.mjs';

test('SIGTERM: what has arrived is answered, sockets are told 1012, status 0', async () => {
    const shop = await new System({ settings: { PURSER_DRAIN_ACCEPT: '2s' } }).start();
    const boss = await admin(shop);
    const { sku } = await product(boss);
    const buyers = [];
    for (let i = 0; i < 6; i += 1) buyers.push(await register(shop));
    const sockets = buyers.map((b) => b.socket());
    await Promise.all(sockets.map((s) => s.next('hello')));
    let ended_at = 0;
    const acknowledged = [];
    const failed = [];
    const agents = buyers.map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    const streams = buyers.map(async (buyer, i) => {
        for (;;) {
            const key = new_key();
            try {
                const answer = await buyer.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key, agent: agents[i], seconds: 20 });
                if (answer.status === 201) acknowledged.push({ buyer, id: answer.body.id });
                else assert.equal(answer.status, 503, answer.text);
                if (answer.headers.connection === 'close' && ended_at) return;
            } catch (error) {
                // Who stood still for longer than connections are taken finds his closed.
                if (error.code !== 'ECONNREFUSED' && (!ended_at || Date.now() - ended_at < 1500)) failed.push(`${error.code} ${error.message}`);
                return;
            }
            await sleep(20);
        }
    });
    await until('some orders are made', () => acknowledged.length > 20, { every_ms: 10 });
    ended_at = Date.now();
    await shop.process.stop();
    const seconds = (Date.now() - ended_at) / 1000;
    await Promise.all(streams);
    assert.deepEqual(failed, []);
    assert.ok(seconds < 30, `drained in ${seconds} s`);
    for (const socket of sockets) assert.equal(await socket.close_code(), 1012);

    await shop.start();
    for (const { buyer, id } of acknowledged) await buyer.order_in(id, 'paid');
    await shop.stop();
});

test('readiness says draining after SIGTERM, and a second SIGTERM changes nothing', async () => {
    const shop = await new System({ settings: { PURSER_DRAIN_ACCEPT: '15s' } }).start();
    const ada = await register(shop);
    const socket = ada.socket();
    await socket.next('hello');
    shop.process.child.kill('SIGTERM');
    const saw = await until('readiness is 503', async () => {
        try {
            const answer = await shop.request('GET', '/health/ready', { unchecked: true, from: next_address() });
            return answer.status === 503 && answer;
        } catch (error) {
            return error.code === 'ECONNREFUSED' && { body: { status: 'gone' } };
        }
    }, { every_ms: 5 });
    assert.equal(saw.body.status, 'draining');
    await shop.process.stop();
    assert.equal(await socket.close_code(), 1012);
    await shop.stop();
});

test('connections are taken for as long as PURSER_DRAIN_ACCEPT says, and with 0s for no longer than SIGTERM takes', async () => {
    const shop = await new System({ settings: { PURSER_DRAIN_ACCEPT: '60s' } }).start();
    const ready = () => shop.request('GET', '/health/ready', { unchecked: true, from: next_address(), agent: new http.Agent() });
    shop.process.child.kill('SIGTERM');
    await until('readiness is 503', async () => (await ready()).status === 503, { every_ms: 5 });
    for (let i = 0; i < 20; i += 1) assert.equal((await ready()).body.status, 'draining');
    await shop.process.kill('SIGKILL');

    shop.settings.PURSER_DRAIN_ACCEPT = '0s';
    await shop.start();
    shop.process.child.kill('SIGTERM');
    await until('no connection is taken', () => ready().then(() => false, (error) => error.code === 'ECONNREFUSED'), { every_ms: 5 });
    assert.deepEqual(await shop.process.ended, { code: 0, signal: null });
    await shop.stop();
});

test('SIGTERM while the provider of the same process sends its callbacks: status 0, and all is paid after the restart', async () => {
    const shop = await new System({ settings: { PURSER_PAYMENT_TIMEOUT: '60s', PURSER_PAYMENT_RECONCILE: '1s' } }).start();
    const boss = await admin(shop);
    const { sku } = await product(boss, { stock: 100000 });
    const buyers = [];
    for (let round = 0; round < 4; round += 1) {
        const buyer = await register(shop);
        buyers.push(buyer);
        // A backlog, so that charges end and are told of all the while.
        await Promise.all(Array.from({ length: 60 }, () => buyer.order([{ sku, quantity: 1 }])));
        await shop.process.stop();
        await shop.start();
    }
    for (const buyer of buyers) await until('all are paid', async () => (await all_pages(buyer, '/orders?status=paid')).length === 60, { every_ms: 500 });
    await shop.stop();
});

test('an order acknowledged just before kill -9 is paid and told after the restart', async () => {
    const shop = await new System().start();
    const boss = await admin(shop);
    const { sku } = await product(boss);
    const ada = await register(shop);
    for (let i = 0; i < 5; i += 1) {
        const { id } = await ada.order([{ sku, quantity: 1 }]);
        await shop.process.kill('SIGKILL');
        await shop.start();
        await ada.order_in(id, 'paid');
        await until('it is told once', async () => {
            const rows = (await all_pages(ada, '/notifications?after=0')).filter((n) => n.data?.order_id === id);
            assert.ok(rows.filter((n) => n.type === 'order.paid').length <= 1);
            return rows.some((n) => n.type === 'order.paid');
        });
    }
    await shop.stop();
});

test('a repeat after kill -9 gets the answer that was lost', async () => {
    const shop = await new System().start();
    const boss = await admin(shop);
    const { sku } = await product(boss, { stock: 100 });
    const ada = await register(shop);
    for (let i = 0; i < 5; i += 1) {
        const key = new_key();
        const body = { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' };
        const tries = Array.from({ length: 5 }, () => ada.post('/orders', body, { key }).catch(() => null));
        await sleep(i * 3);
        await shop.process.kill('SIGKILL');
        const before = (await Promise.all(tries)).filter(Boolean);
        await shop.start();
        const after = await ada.post('/orders', body, { key });
        assert.equal(after.status, 201);
        for (const answer of before) assert.equal(answer.text, after.text);
        await ada.order_in(after.body.id, 'paid');
    }
    assert.equal((await all_pages(ada, '/orders')).length, 5);
    assert.equal((await ada.get(`/products/${sku}`)).body.stock, 95);
    await shop.stop();
});

test('sessions and refresh tokens live through a restart, ended ones stay ended', async () => {
    const shop = await new System().start();
    const [ada, eve] = [await register(shop), await register(shop)];
    await eve.post('/auth/logout');
    await shop.process.kill('SIGKILL');
    await shop.start();
    assert.equal((await ada.get('/users/me')).status, 200);
    assert.equal((await ada.post('/auth/refresh', { refresh_token: ada.refresh_token }, { token: null })).status, 200);
    await until('the ended session is refused', async () => (await eve.get('/users/me')).status === 401);
    await shop.stop();
});

test('SIGHUP takes new origins and limits and drops no socket; a bad file is refused whole', async () => {
    const folder = temporary_folder();
    const file = path.join(folder, 'purser.conf');
    fs.writeFileSync(file, '# settings\nPURSER_CORS_ORIGINS=https://one.example\n');
    const shop = await new System({ settings: { PURSER_CONFIG: file } }).start();
    const ada = await register(shop);
    const socket = ada.socket();
    await socket.next('hello');
    const allowed = async (origin) => (await shop.request('GET', '/api/v1/products', { from: next_address(), headers: { origin } })).headers['access-control-allow-origin'] === origin;
    assert.equal(await allowed('https://one.example'), true);
    fs.writeFileSync(file, 'PURSER_CORS_ORIGINS=https://two.example\nPURSER_RATE_LIMIT_IP=7/10s\n');
    shop.process.child.kill('SIGHUP');
    await until('the new origin counts', () => allowed('https://two.example'));
    assert.equal(await allowed('https://one.example'), false);
    const answer = await shop.request('GET', '/api/v1/products', { from: next_address() });
    assert.match(answer.headers['ratelimit-policy'], /q=7;w=10/);
    for (const bad of ['PURSER_RATE_LIMIT_IP=nonsense', 'PURSER_TRUSTED_PROXIES=10.0.0.0/33', 'PURSER_ORDERS_URL=http://orders:99999']) {
        fs.writeFileSync(file, `PURSER_CORS_ORIGINS=https://three.example\n${bad}\n`);
        const before = shop.process.lines.length;
        shop.process.child.kill('SIGHUP');
        await until('the refusal is in the log', () => shop.process.lines.slice(before).some((l) => l.includes('settings refused') && l.includes(bad.split('=')[0])));
        assert.equal(await allowed('https://three.example'), false);
        assert.equal(await allowed('https://two.example'), true);
    }
    assert.equal(socket.closed, null);
    await socket.close();
    await shop.stop();
});

test('SIGHUP while it starts ends nothing, and the file is read again when it has started', async () => {
    const folder = temporary_folder();
    const [file, anew] = [path.join(folder, 'purser.conf'), path.join(folder, 'anew')];
    execFileSync('mkfifo', [file]);
    fs.writeFileSync(anew, 'PURSER_CORS_ORIGINS=https://two.example\nPURSER_RATE_LIMIT_IP=7/10s\n');
    const shop = new System({ settings: { PURSER_CONFIG: file } });
    const starting = shop.start();
    // Whoever opens a pipe to read waits for its writer, and the other way round: here it stands in the reading of its settings.
    const pipe = await until('it reads its settings', () => fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK), { every_ms: 1 });
    shop.process.child.kill('SIGHUP');
    fs.renameSync(anew, file);
    fs.writeSync(pipe, 'PURSER_CORS_ORIGINS=https://one.example\n');
    fs.closeSync(pipe);
    await starting;
    const products = () => shop.request('GET', '/api/v1/products', { from: next_address(), headers: { origin: 'https://two.example' } });
    await until('the new origin counts', async () => (await products()).headers['access-control-allow-origin'] === 'https://two.example');
    await until('the new limit counts', async () => /q=7;w=10/.test((await products()).headers['ratelimit-policy']));
    await shop.stop();
});

test('SIGHUP serves a web app that was built anew, and what open pages still ask for', async () => {
    const web = temporary_folder();
    const write = (name, text) => fs.writeFileSync(path.join(web, name), text);
    write('index.html', 'first page');
    write('manifest.json', '{"remotes":{"orders":{"entry":"/entry-AAAAAAAA.js"}}}');
    write('entry-AAAAAAAA.js', 'first');
    const shop = await new System({ settings: { PURSER_WEB: web } }).start();
    const text = async (target) => (await shop.request('GET', target, { from: next_address(), unchecked: true })).text;
    assert.equal(await text('/entry-AAAAAAAA.js'), 'first');
    fs.rmSync(path.join(web, 'entry-AAAAAAAA.js'));
    write('entry-BBBBBBBB.js', 'second');
    write('manifest.json', '{"remotes":{"orders":{"entry":"/entry-BBBBBBBB.js"}}}');
    shop.process.child.kill('SIGHUP');
    await until('the new manifest is served', async () => /BBBBBBBB/.test(await text('/manifest.json')));
    assert.equal(await text('/entry-BBBBBBBB.js'), 'second');
    assert.equal(await text('/entry-AAAAAAAA.js'), 'first');
    fs.rmSync(path.join(web, 'index.html'));
    const before = shop.process.lines.length;
    shop.process.child.kill('SIGHUP');
    await until('a broken app is refused', () => shop.process.lines.slice(before).some((l) => /stays as it was/.test(l)));
    assert.equal(await text('/'), 'first page');
    await shop.stop();
});

test('keys rotate while people are signed in', async () => {
    const shop = await new System().start();
    const ada = await register(shop);
    const keys = async () => (await shop.request('GET', '/.well-known/jwks.json', { from: next_address() })).body.keys.map((k) => k.kid);
    const before = await keys();
    const rotated = await run(['keys', 'rotate'], shop.settings);
    assert.equal(rotated.status, 0, rotated.stderr);
    const after = await until('there is another key', async () => { const now = await keys(); return now.length > before.length && now; });
    assert.ok(before.every((kid) => after.includes(kid)));
    assert.equal((await ada.get('/users/me')).status, 200);
    const later = await register(shop);
    assert.equal((await later.get('/users/me')).status, 200);
    assert.equal((await ada.get('/users/me')).status, 200);
    await shop.stop();
});

test('the admin that the command line makes signs in; a second of the same email is refused', async () => {
    const shop = await new System().start();
    const boss = await admin(shop);
    const again = await run(['admin', 'create', '--email', boss.email, '--password', 'another good password'], shop.settings);
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, new RegExp(boss.email));
    await shop.process.stop();
    const offline = await run(['admin', 'create', '--email', 'offline@example.com', '--password', 'another good password'], shop.settings);
    assert.equal(offline.status, 0, offline.stderr);
    await shop.start();
    const person = new Person(shop, { email: 'offline@example.com', password: 'another good password' });
    assert.equal((await (await person.login()).get('/operations/status')).status, 200);
    await shop.stop();
});
