// From the embedded engine into PostgreSQL: an installation that was killed at work is moved, and goes on there.
// PURSER_MOVE_ADMIN is the URL of a database on a running PostgreSQL whose user may make others; the test makes one of its own.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { System, run, temporary_folder } from '../support/system.mjs';
import { Person, admin, all_pages, product, register } from '../support/shop.mjs';
import { deploy, functions_run } from '../support/functions.mjs';
import { until } from '../support/wait.mjs';

const database = `purser_move_${process.pid}_${Date.now()}`;
const data = temporary_folder();
const target = new URL(process.env.PURSER_MOVE_ADMIN);
target.pathname = database;
const unlimited = { PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off', PURSER_WORKERS: '2', PURSER_FUNCTIONS: functions_run ? 'on' : 'off' };
const services = ['users', 'orders', 'payments', 'notifications', 'functions', 'sandbox'];

function psql(url, ...statements) {
    const sent = spawnSync('psql', ['-qAtX', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((sql) => ['-c', sql]), String(url)], { encoding: 'utf8' });
    assert.equal(sent.status, 0, sent.stderr);
    return sent.stdout.trim();
}

let moved_to;
before(() => {
    psql(process.env.PURSER_MOVE_ADMIN, `CREATE DATABASE ${database}`);
    psql(target, ...services.map((name) => `CREATE SCHEMA ${name} AUTHORIZATION purser_${name}`));
    moved_to = `postgres://purser:${target.password}@${target.host}/${database}`;
});
after(() => {
    psql(process.env.PURSER_MOVE_ADMIN, `DROP DATABASE ${database} WITH (FORCE)`);
    fs.rmSync(data, { recursive: true, force: true });
});

test('an installation killed at work is moved whole and goes on, nothing lost and nothing twice', async () => {
    const old = await new System({ data, settings: unlimited }).start();
    const boss = await admin(old);
    const { sku } = await product(boss, { unit_price: 300, stock: 100000 });
    const kept = functions_run && await deploy(boss, 'function handler() { return 42; }');
    const ada = await register(old);
    const first = await ada.paid_order([{ sku, quantity: 1 }]);
    const orders = await Promise.all(Array.from({ length: 60 }, () => ada.order([{ sku, quantity: 1 }])));
    const move = ['move', '--from', data, '--to', moved_to];
    const early = await run(move);
    assert.equal(early.status, 1);
    assert.match(early.stderr, /in use/);
    await old.process.kill();

    const moved = await run(move);
    assert.equal(moved.status, 0, moved.stderr);
    assert.match(moved.stdout, /orders\.orders: 61 rows, each compared/);
    const again = await run(move);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /has never run/);

    const settings = { ...unlimited, PURSER_DATABASE_URL: moved_to, PURSER_KEY_SECRET: fs.readFileSync(path.join(data, 'key.secret'), 'utf8').trim() };
    const shop = await new System({ settings }).start();
    try {
        const same = new Person(shop, { email: ada.email, password: ada.password });
        same.token = ada.token; // its key came along
        for (const { id } of [first, ...orders]) await same.order_in(id, 'paid');
        const told = async () => (await same.get('/notifications?after=0&limit=100')).body.data;
        await until('every payment is told', async () => {
            let rows = await told();
            if (rows.length === 100) rows = [...rows, ...(await same.get('/notifications?after=100&limit=100')).body.data];
            const paid = rows.filter((n) => n.type === 'order.paid').map((n) => n.data.order_id);
            assert.equal(new Set(paid).size, paid.length, 'told twice');
            assert.deepEqual(rows.map((n) => n.seq), rows.map((_, i) => i + 1));
            return paid.length === 61;
        });
        const payments = await all_pages(same, '/payments');
        assert.equal(payments.length, 61);
        const head = await new Person(shop, { email: boss.email, password: boss.password }).login();
        if (kept) assert.equal((await head.get(`/functions/${kept}`)).body.name, kept);
        const ledger = (await head.get('/operations/ledger')).body;
        assert.equal(ledger.balanced, true);
        assert.equal((await head.get(`/products/${sku}`)).body.stock, 100000 - 61);
        await (await same.login()).paid_order([{ sku, quantity: 1 }]); // numbers go on behind those that were moved
        assert.equal(psql(target, "SELECT count(*) FROM payments.payments WHERE status = 'succeeded'"), '62');
    } finally {
        await shop.stop();
    }
});
