// A backup made while orders come in, put back elsewhere: the shop goes on from that moment.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { System, run, temporary_folder } from '../support/system.mjs';
import { Person, admin, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

const skip = Boolean(process.env.PURSER_BASE_URL) && 'it needs a system of its own';
const folder = temporary_folder();
const backup = path.join(folder, 'backup');
const data = path.join(folder, 'data');
let shop;
let boss;
before(async () => {
    if (skip) return;
    shop = await new System({ settings: { PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off' } }).start();
    boss = await admin(shop);
});
after(async () => {
    await shop?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
});

const told = async (person) => (await person.get('/notifications?after=0&limit=100')).body.data;

/** Sends orders until `done` settles; gives how many were taken. */
async function order_until(done, person, sku) {
    let count = 0;
    let running = true;
    done.finally(() => { running = false; });
    while (running) {
        await person.order([{ sku, quantity: 1 }]);
        count += 1;
    }
    return count;
}

test('a backup of a running shop holds one moment, and a shop started from it goes on', { skip }, async () => {
    const { sku } = await product(boss, { unit_price: 250, stock: 100000 });
    const ada = await register(shop);
    const order = await ada.paid_order([{ sku, quantity: 2 }]);
    await until('the payment is told', async () => (await told(ada)).some((n) => n.type === 'order.paid'));

    const bea = await register(shop);
    const made = run(['backup', backup], { PURSER_DATA: shop.data });
    const sent = await order_until(made, bea, sku);
    assert.deepEqual({ ...(await made), stdout: '' }, { status: 0, stdout: '', stderr: '' });
    assert.ok(sent > 0);
    await shop.process.stop();

    const restored = await run(['restore', backup], { PURSER_DATA: data });
    assert.equal(restored.status, 0, restored.stderr);
    const again = await new System({ data }).start();
    try {
        const same = new Person(again, { email: ada.email, password: ada.password });
        same.token = ada.token; // signed by a key that came along, sealed, with the secret that opens it
        assert.equal((await same.get(`/orders/${order.id}`)).body.status, 'paid');
        assert.equal((await same.get(`/payments?order_id=${order.id}`)).body.data.length, 1);
        assert.ok((await told(same)).some((n) => n.type === 'order.paid'));
        await (await same.login()).paid_order([{ sku, quantity: 1 }]);

        // What the moment cut in two is brought to its end.
        const other = await new Person(again, { email: bea.email, password: bea.password }).login();
        const left = async () => (await other.get('/orders?limit=100')).body.data.filter((o) => o.status === 'pending_payment');
        await until('no order of the backup is left unpaid', async () => (await left()).length === 0);
        const head = await new Person(again, { email: boss.email, password: boss.password }).login();
        assert.equal((await head.get('/operations/ledger')).body.balanced, true);
    } finally {
        await again.stop();
        await shop.start();
    }
});

test('what cannot be done is said in one line', { skip }, async () => {
    const refused = async (args, settings, words, status = 1) => {
        const answer = await run(args, settings);
        assert.equal(answer.status, status, answer.stderr);
        assert.match(answer.stderr, words);
        assert.equal(answer.stderr.trim().split('\n').length, 1);
    };
    const elsewhere = path.join(folder, 'elsewhere');
    await refused(['backup'], {}, /usage/, 2);
    await refused(['restore'], {}, /usage/, 2);
    await refused(['move', '--from', shop.data], {}, /usage/, 2);
    await refused(['backup', backup], { PURSER_DATA: shop.data }, /not empty/);
    await refused(['backup', elsewhere], { PURSER_DATA: folder }, /no data/);
    await refused(['restore', shop.data], { PURSER_DATA: elsewhere }, /no whole backup/);
    await refused(['restore', backup, '--force'], { PURSER_DATA: shop.data }, /in use/);
    await refused(['move', '--from', shop.data, '--to', 'postgres://nobody@127.0.0.1:1/none'], {}, /in use/);

    fs.mkdirSync(elsewhere);
    fs.writeFileSync(path.join(elsewhere, 'users.db'), 'precious');
    await refused(['restore', backup], { PURSER_DATA: elsewhere }, /not empty/);
    assert.equal(fs.readFileSync(path.join(elsewhere, 'users.db'), 'utf8'), 'precious');
    const forced = await run(['restore', '--force', backup], { PURSER_DATA: elsewhere });
    assert.equal(forced.status, 0, forced.stderr);
    assert.notEqual(fs.readFileSync(path.join(elsewhere, 'users.db')).toString('latin1', 0, 8), 'precious');
});
