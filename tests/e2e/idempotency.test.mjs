// Repeats: the same request with the same key has one effect, and every answer is the same byte for byte.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { admin, new_key, product, register, stock_of, unique } from '../support/shop.mjs';

let shop;
let boss;
before(async () => {
    shop = await system();
    boss = await admin(shop);
});
after(() => shop?.stop());

const body = (sku, quantity = 1) => ({ items: [{ sku, quantity }], payment_method: 'pm_card_visa' });

test('twenty equal orders at once make one', async () => {
    const { sku } = await product(boss, { stock: 50 });
    const ada = await register(shop);
    const key = new_key();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ada.post('/orders', body(sku), { key })));
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [201]);
    assert.equal(new Set(answers.map((a) => a.text)).size, 1);
    assert.equal(answers.filter((a) => a.headers['idempotent-replayed'] === 'true').length, 19);
    assert.equal((await ada.get('/orders')).body.data.length, 1);
    assert.equal(await stock_of(ada, sku), 49);
    const later = await ada.post('/orders', body(sku), { key });
    assert.equal(later.text, answers[0].text);
    assert.equal(later.headers['idempotent-replayed'], 'true');
    assert.equal(later.headers.location, answers[0].headers.location);
});

test('the same key with another body is 422', async () => {
    const { sku } = await product(boss, { stock: 50 });
    const ada = await register(shop);
    const key = new_key();
    assert.equal((await ada.post('/orders', body(sku), { key })).status, 201);
    assert.equal((await ada.post('/orders', body(sku, 2), { key })).status, 422);
    assert.equal(await stock_of(ada, sku), 49);
});

test('a key belongs to its user and its path', async () => {
    const { sku } = await product(boss, { stock: 50 });
    const [ada, eve] = [await register(shop), await register(shop)];
    const key = new_key();
    const hers = await ada.post('/orders', body(sku), { key });
    const other = await eve.post('/orders', body(sku), { key });
    assert.equal(other.status, 201);
    assert.notEqual(other.body.id, hers.body.id);
    await ada.order_in(hers.body.id, 'paid');
    const refused = await ada.post(`/orders/${hers.body.id}/payments`, { payment_method: 'pm_card_visa' }, { key });
    assert.equal(refused.status, 409);
});

test('without a key each request counts', async () => {
    const { sku } = await product(boss, { stock: 50 });
    const ada = await register(shop);
    const first = await ada.post('/orders', body(sku));
    const second = await ada.post('/orders', body(sku));
    assert.equal(first.status, 201);
    assert.notEqual(first.body.id, second.body.id);
});

test('what was refused is replayed too', async () => {
    const { sku } = await product(boss, { stock: 1 });
    const ada = await register(shop);
    const key = new_key();
    const first = await ada.post('/orders', body(sku, 2), { key });
    assert.equal(first.status, 409);
    await boss.patch(`/products/${sku}`, { stock: 10 });
    const again = await ada.post('/orders', body(sku, 2), { key });
    assert.equal(again.status, 409);
    assert.equal(again.text, first.text.replace(first.body.request_id, again.body.request_id));
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal(await stock_of(ada, sku), 10);
});

test('a key that is none is refused', async () => {
    const { sku } = await product(boss, { stock: 5 });
    const ada = await register(shop);
    for (const key of ['with space', 'x'.repeat(256), 'caf\u00e9']) {
        const answer = await ada.post('/orders', body(sku), { key });
        assert.ok([400, 422].includes(answer.status), `${key} → ${answer.status}`);
    }
    assert.equal(await stock_of(ada, sku), 5);
});

test('products and refunds take keys', async () => {
    const sku = unique('KEY');
    const json = { sku, name: 'Mug', unit_price: 900, currency: 'EUR', stock: 9 };
    let key = new_key();
    const made = await Promise.all(Array.from({ length: 5 }, () => boss.post('/products', json, { key })));
    assert.deepEqual([...new Set(made.map((a) => `${a.status} ${a.text}`))], [`201 ${made[0].text}`]);
    const ada = await register(shop);
    const order = await ada.paid_order([{ sku, quantity: 1 }]);
    const [payment] = (await ada.get(`/payments?order_id=${order.id}`)).body.data;
    key = new_key();
    const refunds = await Promise.all(Array.from({ length: 10 }, () => boss.post(`/payments/${payment.id}/refunds`, { amount: 100 }, { key })));
    assert.deepEqual([...new Set(refunds.map((a) => a.status))], [201]);
    assert.equal(new Set(refunds.map((a) => a.text)).size, 1);
    assert.equal((await ada.get(`/payments/${payment.id}`)).body.refunded_amount, 100);
});

test('payments tried again with one key are one', async () => {
    const { sku } = await product(boss, { stock: 5 });
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(id, 'payment_failed');
    const key = new_key();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key })));
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [201]);
    assert.equal(new Set(answers.map((a) => a.text)).size, 1);
    await ada.order_in(id, 'paid');
    assert.equal((await ada.get(`/payments?order_id=${id}`)).body.data.length, 2);
});
