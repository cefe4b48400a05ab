// From one process into a whole cluster: an installation that was killed at work is moved, with the provider's file and the secret of the keys, and
// the cluster of this machine (scripts/cluster), which has never run, goes on with it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cluster, cluster_with, engines } from '../support/engines.mjs';
import { deploy, functions_run } from '../support/functions.mjs';
import { charges_outside } from '../support/sandbox.mjs';
import { Person, admin, all_pages, product, register } from '../support/shop.mjs';
import { System, run, system, temporary_folder } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const ORDERS = 60;
const folder = process.env.PURSER_CLUSTER_FOLDER, data = temporary_folder();
const BROKEN = 'function handler() { throw new Error("out of paper"); }';
const MENDED = 'const handler = (data) => ({ title: "Receipt", body: data.order_id });';

/** A setting of the engines, as the cluster's processes have it. */
async function engine_setting(name) {
    return new RegExp(`^${name}=(.*)$`, 'm').exec((await engines('env')).stdout)[1];
}

before(async () => {
    await cluster('stop');
    await engines('wipe');
    fs.rmSync(folder, { recursive: true, force: true });
    await engines('start');
});
after(() => fs.rmSync(data, { recursive: true, force: true }));

/** The one dead letter. */
const letter = (boss) => until('there is a dead letter', async () => (await boss.get('/operations/dead-letters')).body.data[0]);

test('an installation killed at work is moved whole, and a cluster goes on: nothing lost and nothing twice', async (context) => {
    const limits = { PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off' };
    const old = await new System({ data, settings: { ...limits, PURSER_FUNCTIONS: functions_run ? 'on' : 'off', PURSER_RETRY_BASE: '10ms', PURSER_RETRY_LIMIT: '3' } }).start();
    const boss = await admin(old), ada = await register(old), gone = await register(old);
    const { sku } = await product(boss, { unit_price: 300, stock: 100000 });
    const name = functions_run && await deploy(boss, BROKEN, { triggers: ['purser.order.paid'] });
    const first = await ada.paid_order([{ sku, quantity: 1 }]);
    const dead = functions_run && await letter(boss);
    if (functions_run) assert.equal((await boss.put(`/functions/${name}`, { source: MENDED })).status, 200);
    assert.equal((await gone.post('/auth/logout')).status, 204);
    const orders = await Promise.all(Array.from({ length: ORDERS }, () => ada.order([{ sku, quantity: 1 }])));
    await old.process.kill();

    const moved = await run(['move', '--from', data, '--to', await engine_setting('PURSER_DATABASE_URL')]);
    assert.equal(moved.status, 0, moved.stderr);
    for (const line of moved.stdout.split('\n').filter((one) => /on their way/.test(one))) context.diagnostic(line);
    fs.mkdirSync(path.join(folder, 'data', 'sandbox'), { recursive: true });
    for (const file of fs.readdirSync(data).filter((one) => one.startsWith('sandbox.db'))) fs.copyFileSync(path.join(data, file), path.join(folder, 'data', 'sandbox', file));
    fs.copyFileSync(path.join(data, 'key.secret'), path.join(folder, 'key_secret'));
    await cluster_with(limits, 'start');

    const shop = await system();
    const same = new Person(shop, ada), head = new Person(shop, boss);
    for (const [one, former] of [[same, ada], [head, boss]]) Object.assign(one, { token: former.token, refresh_token: former.refresh_token });
    assert.equal((await same.get('/users/me')).body.email, ada.email, 'a session of before');
    assert.equal((await new Person(shop, gone).get('/users/me', { token: gone.token })).status, 401, 'a session that was ended before');
    const fresh = await same.post('/auth/refresh', { refresh_token: same.refresh_token }, { token: null });
    assert.equal(fresh.status, 200, fresh.text);
    same.take({ user: ada.user, ...fresh.body });

    for (const { id } of [first, ...orders]) await same.order_in(id, 'paid');
    const payments = await all_pages(same, '/payments');
    assert.deepEqual([payments.length, new Set(payments.map((one) => one.order_id)).size], [ORDERS + 1, ORDERS + 1]);
    const charges = (await charges_outside()).filter((one) => one.status === 'succeeded');
    assert.deepEqual([charges.length, new Set(charges.map((one) => one.key)).size], [ORDERS + 1, ORDERS + 1], 'charged once each');
    await until('every payment is told', async () => {
        const rows = await all_pages(same, '/notifications?after=0');
        assert.deepEqual(rows.map((row) => row.seq), rows.map((_, at) => at + 1), 'numbers without a gap');
        const paid = rows.filter((row) => row.type === 'order.paid').map((row) => row.data.order_id);
        assert.equal(new Set(paid).size, paid.length, 'told twice');
        return paid.length === ORDERS + 1;
    });
    assert.equal((await head.get(`/products/${sku}`)).body.stock, 100000 - ORDERS - 1);
    assert.equal((await head.get('/operations/ledger')).body.balanced, true);
    if (functions_run) {
        assert.equal((await letter(head)).id, dead.id);
        assert.equal((await head.post(`/operations/dead-letters/${dead.id}/retry`)).status, 204);
        await until('the dead letter is handled', async () => (await head.get('/operations/dead-letters')).body.data.length === 0);
    }
    await same.paid_order([{ sku, quantity: 1 }]);
});
