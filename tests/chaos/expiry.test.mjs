// What time does: orders that nobody pays, tokens that end while a socket is open.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { System } from '../support/system.mjs';
import { admin, product, register, stock_of } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
before(async () => {
    shop = await new System({ settings: { PURSER_ORDER_EXPIRY: '6s' } }).start();
    boss = await admin(shop);
});
after(() => shop?.stop());

test('an order that is not paid in time is cancelled, and its stock given back', async () => {
    const { sku } = await product(boss, { stock: 5 });
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 2 }], { payment_method: 'pm_card_chargeDeclined' });
    const cancelled = await ada.order_in(id, 'cancelled');
    assert.deepEqual(cancelled.history.map((h) => h.status), ['pending_payment', 'payment_failed', 'cancelled']);
    assert.match(cancelled.history.at(-1).reason, /expired/);
    assert.equal(await stock_of(ada, sku), 5);
    await until('it is told', async () => (await ada.get('/notifications?after=0')).body.data.some((n) => n.type === 'order.cancelled'));
});

test('a paid order does not expire', async () => {
    const { sku } = await product(boss, { stock: 5 });
    const ada = await register(shop);
    const paid = await ada.paid_order([{ sku, quantity: 1 }]);
    const other = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(other.id, 'cancelled');
    assert.equal((await ada.get(`/orders/${paid.id}`)).body.status, 'paid');
});

test('a socket ends with its token, and lives on with a new one', async () => {
    const short = await new System({ settings: { PURSER_ACCESS_TOKEN_TTL: '8s' } }).start();
    const ada = await register(short);
    const [left, renewed] = [ada.socket(), ada.socket()];
    await Promise.all([left.next('hello'), renewed.next('hello')]);
    const { body } = await ada.post('/auth/refresh', { refresh_token: ada.refresh_token }, { token: null });
    // The successor ends later only if it was made later.
    renewed.send({ type: 'token', token: body.access_token });
    assert.equal(await left.close_code(), 4401);
    assert.equal((await ada.get('/users/me')).status, 401);
    assert.equal(await renewed.close_code(), 4401);
    await short.stop();
});
