// A provider that is late, silent, away or loud: one order, one payment, whatever it does.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { shop_and_sandbox } from '../support/sandbox.mjs';
import { admin, all_pages, new_key, product, register, stock_of } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

const SETTINGS = { PURSER_PAYMENT_TIMEOUT: '1s', PURSER_PAYMENT_RECONCILE: '4s', PURSER_RETRY_BASE: '100ms', PURSER_RETRY_LIMIT: '20' };
let shop;
let sandbox;
let boss;
before(async () => {
    ({ shop, sandbox } = await shop_and_sandbox({ settings: SETTINGS }));
    await shop.start();
    boss = await admin(shop);
});
after(async () => {
    await shop.stop();
    await sandbox.process.stop();
});

const payments_of = (person, id) => all_pages(person, `/payments?order_id=${id}`);

/** What the provider took for an amount that only one order has, less what it gave back. */
async function kept(amount) {
    const charges = (await sandbox.charges()).filter((c) => c.amount === amount && c.status === 'succeeded');
    return { count: charges.length, amount: charges.reduce((sum, c) => sum + c.amount - c.refunded_amount, 0) };
}

let amount = 100000;
/** A product whose price nothing else has, so that its charge can be told at the provider. */
async function rare_product(stock = 10) {
    amount += 1;
    return product(boss, { unit_price: amount, stock });
}

test('charged but never answered: the order is paid, once', async () => {
    const { sku, unit_price } = await rare_product();
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_late' });
    const waiting = await until('the payment is there', async () => (await payments_of(ada, id))[0]);
    assert.ok(['pending', 'succeeded'].includes(waiting.status));
    const paid = await ada.order_in(id, 'paid');
    assert.equal(paid.payment.status, 'succeeded');
    assert.equal((await payments_of(ada, id)).length, 1);
    assert.deepEqual(await kept(unit_price), { count: 1, amount: unit_price });
});

test('never charged and never answered: failed with timeout, and another payment may follow', async () => {
    const { sku, unit_price } = await rare_product();
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_timeout' });
    const failed = await ada.order_in(id, 'payment_failed');
    assert.equal(failed.payment.failure_code, 'timeout');
    const again = await ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() });
    assert.equal(again.status, 201);
    await ada.order_in(id, 'paid');
    assert.deepEqual(await kept(unit_price), { count: 1, amount: unit_price });
});

test('while an attempt is unknown another payment is 409', async () => {
    const { sku } = await rare_product();
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_timeout' });
    const early = await ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() });
    assert.equal(early.status, 409);
    if (early.body.type !== '/problems/conflict') assert.equal(early.body.type, '/problems/payment-in-progress');
    await ada.order_in(id, 'payment_failed');
});

test('a signed callback that lies pays nothing', async () => {
    const { sku, unit_price } = await rare_product();
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_timeout' });
    const payment = await until('the payment is there', async () => (await payments_of(ada, id))[0]);
    const event = JSON.stringify({ id: `evt_${new_key()}`, type: 'charge.succeeded', data: { id: 'ch_1', key: payment.id, amount: unit_price, currency: 'EUR', status: 'succeeded' } });
    const at = Math.floor(Date.now() / 1000);
    const code = crypto.createHmac('sha256', 'purser-sandbox').update(`${at}.${event}`).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-purser-signature': `t=${at},v1=${code}` };
    for (let i = 0; i < 2; i += 1) {
        const answer = await ada.post('/payments/callbacks/sandbox', undefined, { body: event, headers, token: null });
        assert.equal(answer.status, 204, answer.text);
    }
    const failed = await ada.order_in(id, 'payment_failed', 'paid');
    assert.equal(failed.status, 'payment_failed');
    assert.deepEqual(await kept(unit_price), { count: 0, amount: 0 });
});

test('cancelled while its charge is unknown: no money is kept', async () => {
    const { sku, unit_price } = await rare_product(5);
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_late' });
    assert.equal((await ada.post(`/orders/${id}/cancel`)).status, 200);
    await until('the payment is refunded or never was', async () => {
        const rows = await payments_of(ada, id);
        return rows.length > 0 && rows.every((p) => ['refunded', 'failed'].includes(p.status));
    });
    assert.equal((await kept(unit_price)).amount, 0);
    assert.equal((await ada.get(`/orders/${id}`)).body.status, 'cancelled');
    assert.equal(await stock_of(ada, sku), 5);
});

test('the provider away: orders are taken, and paid when it is back', async () => {
    const { sku, unit_price } = await rare_product();
    const ada = await register(shop);
    await sandbox.process.kill('SIGKILL');
    const { id } = await ada.order([{ sku, quantity: 1 }]);
    const ready = await shop.request('GET', '/health/ready');
    assert.equal(ready.status, 200);
    await sandbox.start(shop.base);
    await ada.order_in(id, 'paid');
    assert.deepEqual(await kept(unit_price), { count: 1, amount: unit_price });
});

test('the provider killed with charges in flight: each order is paid once', async () => {
    const { sku, unit_price } = await rare_product(100);
    const ada = await register(shop);
    const ids = [];
    for (let i = 0; i < 20; i += 1) {
        ids.push((await ada.order([{ sku, quantity: 1 }])).id);
        if (i % 7 === 3) {
            await sandbox.process.kill('SIGKILL');
            await sandbox.start(shop.base);
        }
    }
    for (const id of ids) await ada.order_in(id, 'paid');
    assert.deepEqual(await kept(unit_price), { count: 20, amount: 20 * unit_price });
    assert.equal((await boss.get('/operations/ledger')).body.balanced, true);
});

test('refunds with the provider away: the money goes back once, when it is there again', async () => {
    const { sku, unit_price } = await rare_product();
    const ada = await register(shop);
    const { id } = await ada.paid_order([{ sku, quantity: 1 }]);
    await sandbox.process.kill('SIGKILL');
    const cancelled = await ada.post(`/orders/${id}/cancel`);
    assert.equal(cancelled.status, 200);
    await sandbox.start(shop.base);
    await until('it is refunded', async () => (await payments_of(ada, id))[0].status === 'refunded');
    assert.deepEqual(await kept(unit_price), { count: 1, amount: 0 });
    assert.equal((await boss.get('/operations/ledger')).body.balanced, true);
});
