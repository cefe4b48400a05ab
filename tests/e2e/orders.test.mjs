// Orders: from the basket to the door, and every way that ends before it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, all_pages, new_key, product, register, stock_of } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
before(async () => {
    shop = await system();
    boss = await admin(shop);
});
after(() => shop?.stop());

const order_body = (items, rest = {}) => ({ items, payment_method: 'pm_card_visa', ...rest });

test('an order is made, paid, shipped and delivered', async () => {
    const mug = await product(boss, { unit_price: 1450, stock: 10 });
    const pen = await product(boss, { unit_price: 199, stock: 10 });
    const ada = await register(shop);
    const address = { name: 'Ada', line1: '12 St James Square', city: 'London', postal_code: 'SW1Y', country: 'GB' };
    const made = await ada.order([{ sku: mug.sku, quantity: 2 }, { sku: pen.sku, quantity: 3 }], { expected_total: 3497, shipping_address: address });
    assert.equal(made.status, 'pending_payment');
    assert.equal(made.user_id, ada.id);
    assert.equal(made.total, 3497);
    assert.equal(made.currency, 'EUR');
    assert.deepEqual(made.items, [
        { sku: mug.sku, name: mug.name, unit_price: 1450, quantity: 2, line_total: 2900 },
        { sku: pen.sku, name: pen.name, unit_price: 199, quantity: 3, line_total: 597 },
    ]);
    assert.equal(await stock_of(ada, mug.sku), 8);
    const paid = await ada.order_in(made.id, 'paid');
    assert.equal(paid.payment.status, 'succeeded');
    assert.equal(paid.payment.amount, 3497);
    assert.equal((await boss.post(`/orders/${made.id}/deliver`)).status, 409);
    const shipped = await boss.post(`/orders/${made.id}/ship`);
    assert.equal(shipped.status, 200);
    assert.equal(shipped.body.status, 'shipped');
    assert.equal((await boss.post(`/orders/${made.id}/ship`)).status, 409);
    assert.equal((await ada.post(`/orders/${made.id}/cancel`)).status, 409);
    const delivered = await boss.post(`/orders/${made.id}/deliver`, {});
    assert.equal(delivered.status, 200);
    const { body } = await ada.get(`/orders/${made.id}`);
    assert.deepEqual(body.history.map((h) => h.status), ['pending_payment', 'paid', 'shipped', 'delivered']);
    const times = body.history.map((h) => h.at);
    assert.deepEqual(times, [...times].sort());
    assert.equal(await stock_of(ada, mug.sku), 8);
});

test('the price comes from the catalogue, and another than expected is 409 with the new total', async () => {
    const { sku } = await product(boss, { unit_price: 500, stock: 5 });
    const ada = await register(shop);
    const answer = await ada.post('/orders', order_body([{ sku, quantity: 2 }], { expected_total: 900 }), { key: new_key() });
    assert.equal(answer.status, 409);
    assert.equal(answer.body.type, '/problems/price-changed');
    assert.equal(answer.body.total, 1000);
    assert.equal(await stock_of(ada, sku), 5);
    await boss.patch(`/products/${sku}`, { unit_price: 450 });
    const made = await ada.order([{ sku, quantity: 2 }], { expected_total: 900 });
    await boss.patch(`/products/${sku}`, { unit_price: 700 });
    assert.equal((await ada.order_in(made.id, 'paid')).total, 900);
});

test('bad orders name every bad field', async () => {
    const euro = (await product(boss)).sku;
    const dollar = (await product(boss, { currency: 'USD' })).sku;
    const dear = (await product(boss, { unit_price: 9007199254740991 })).sku;
    const ada = await register(shop);
    for (const [json, pointers] of [
        [{}, ['/items', '/payment_method']],
        [order_body([]), ['/items']],
        [order_body('x'), ['/items']],
        [order_body([{}]), ['/items/0/quantity', '/items/0/sku']],
        [order_body([{ sku: euro, quantity: 0 }]), ['/items/0/quantity']],
        [order_body([{ sku: euro, quantity: 1.5 }]), ['/items/0/quantity']],
        [order_body([{ sku: euro, quantity: '1' }]), ['/items/0/quantity']],
        [order_body([{ sku: euro, quantity: 1, unit_price: 1 }]), ['/items/0/unit_price']],
        [order_body([{ sku: euro, quantity: 1 }], { total: 1 }), ['/total']],
        [order_body([{ sku: euro, quantity: 1 }], { user_id: ada.id, status: 'paid' }), ['/status', '/user_id']],
        [order_body([{ sku: euro, quantity: 1 }, { sku: 'no-such-thing', quantity: 1 }]), ['/items/1/sku']],
        [order_body([{ sku: euro, quantity: 1 }, { sku: euro, quantity: 1 }]), ['/items/1/sku']],
        [order_body([{ sku: euro, quantity: 1 }], { shipping_address: { country: 'xx' } }),
            ['/shipping_address/city', '/shipping_address/country', '/shipping_address/line1', '/shipping_address/name', '/shipping_address/postal_code']],
    ]) {
        const answer = await ada.post('/orders', json, { key: new_key() });
        assert.equal(answer.status, 422, JSON.stringify(json));
        assert.deepEqual(answer.body.errors.map((e) => e.pointer).sort(), pointers, JSON.stringify(json));
    }
    const mixed = await ada.post('/orders', order_body([{ sku: euro, quantity: 1 }, { sku: dollar, quantity: 1 }]), { key: new_key() });
    assert.equal(mixed.status, 422);
    const beyond = await ada.post('/orders', order_body([{ sku: dear, quantity: 2 }]), { key: new_key() });
    assert.equal(beyond.status, 422);
    assert.equal(await stock_of(ada, euro), 1000);
    assert.deepEqual((await ada.get('/orders')).body.data, []);
});

test('too little stock is 409 and takes nothing', async () => {
    const many = (await product(boss, { stock: 10 })).sku;
    const few = (await product(boss, { stock: 1 })).sku;
    const none = (await product(boss, { stock: 0 })).sku;
    const ada = await register(shop);
    const answer = await ada.post('/orders', order_body([{ sku: many, quantity: 1 }, { sku: few, quantity: 2 }, { sku: none, quantity: 1 }]), { key: new_key() });
    assert.equal(answer.status, 409);
    assert.equal(answer.body.type, '/problems/out-of-stock');
    assert.deepEqual(answer.body.errors.map((one) => [one.pointer, one.detail]), [['/items/1/quantity', 'Only 1 is left.'], ['/items/2/quantity', 'It is sold out.']]);
    assert.equal(await stock_of(ada, many), 10);
    assert.equal(await stock_of(ada, few), 1);
});

test('the last items go to as many buyers as there are items', async () => {
    const { sku } = await product(boss, { stock: 3 });
    const buyers = [];
    for (let i = 0; i < 12; i += 1) buyers.push(await register(shop));
    const answers = await Promise.all(buyers.map((b) => b.post('/orders', order_body([{ sku, quantity: 1 }]), { key: new_key() })));
    assert.deepEqual(answers.map((a) => a.status).sort(), [201, 201, 201, ...Array(9).fill(409)]);
    assert.equal(await stock_of(buyers[0], sku), 0);
});

test('a declined card leaves payment_failed, and another payment can be tried', async () => {
    const { sku } = await product(boss, { stock: 5 });
    const ada = await register(shop);
    for (const [payment_method, code] of [['pm_card_chargeDeclined', 'card_declined'], ['pm_card_chargeDeclinedInsufficientFunds', 'insufficient_funds']]) {
        const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method });
        const failed = await ada.order_in(id, 'payment_failed');
        assert.equal(failed.payment.status, 'failed');
        assert.equal(failed.payment.failure_code, code);
        const again = await ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() });
        assert.equal(again.status, 201);
        assert.equal(again.body.order_id, id);
        const paid = await ada.order_in(id, 'paid');
        assert.deepEqual(paid.history.map((h) => h.status), ['pending_payment', 'payment_failed', 'pending_payment', 'paid']);
        const payments = await all_pages(ada, `/payments?order_id=${id}`);
        assert.deepEqual(payments.map((p) => p.status), ['succeeded', 'failed']);
    }
    assert.equal(await stock_of(ada, sku), 3);
});

test('a paid order cannot be paid again', async () => {
    const { sku } = await product(boss);
    const ada = await register(shop);
    const { id } = await ada.paid_order([{ sku, quantity: 1 }]);
    const again = await ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() });
    assert.equal(again.status, 409);
    assert.equal((await all_pages(ada, `/payments?order_id=${id}`)).length, 1);
});

test('cancelling gives the stock and the money back', async () => {
    const { sku } = await product(boss, { unit_price: 700, stock: 4 });
    const ada = await register(shop);
    const { id } = await ada.paid_order([{ sku, quantity: 3 }]);
    assert.equal(await stock_of(ada, sku), 1);
    const cancelled = await ada.post(`/orders/${id}/cancel`);
    assert.equal(cancelled.status, 200);
    assert.equal(cancelled.body.status, 'cancelled');
    assert.equal(await stock_of(ada, sku), 4);
    const settled = await refunded(ada, id);
    assert.equal(settled.refunded_amount, 2100);
    assert.equal((await ada.post(`/orders/${id}/cancel`)).status, 409);
    assert.equal(await stock_of(ada, sku), 4);
});

async function refunded(person, order_id) {
    return until(`the payment of order ${order_id} is refunded`, async () => {
        const [payment] = (await person.get(`/payments?order_id=${order_id}`)).body.data;
        return payment?.status === 'refunded' && payment;
    });
}

test('an order that failed to be paid can be cancelled', async () => {
    const { sku } = await product(boss, { stock: 2 });
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 2 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(id, 'payment_failed');
    assert.equal((await ada.post(`/orders/${id}/cancel`, {})).status, 200);
    assert.equal(await stock_of(ada, sku), 2);
    assert.equal((await ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() })).status, 409);
});

test('cancelling while it is being paid ends with no money kept', async () => {
    const { sku } = await product(boss, { stock: 20 });
    const ada = await register(shop);
    for (let i = 0; i < 8; i += 1) {
        const { id } = await ada.order([{ sku, quantity: 1 }]);
        const cancel = await ada.post(`/orders/${id}/cancel`);
        assert.equal(cancel.status, 200);
            await until('no money is kept', async () => {
            const payments = (await ada.get(`/payments?order_id=${id}`)).body.data;
            return payments.length > 0 && payments.every((p) => p.status === 'refunded' || p.status === 'failed');
        });
        assert.equal((await ada.get(`/orders/${id}`)).body.status, 'cancelled');
    }
    assert.equal(await stock_of(ada, sku), 20);
});

test("somebody else's order is 404 on every verb, an admin sees it", async () => {
    const { sku } = await product(boss);
    const [ada, eve] = [await register(shop), await register(shop)];
    const { id } = await ada.paid_order([{ sku, quantity: 1 }]);
    assert.equal((await eve.get(`/orders/${id}`)).status, 404);
    assert.equal((await eve.post(`/orders/${id}/cancel`)).status, 404);
    assert.equal((await eve.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() })).status, 404);
    assert.ok([403, 404].includes((await eve.post(`/orders/${id}/ship`)).status));
    assert.ok([403, 404].includes((await ada.post(`/orders/${id}/ship`)).status));
    assert.deepEqual((await eve.get('/orders')).body.data, []);
    assert.equal((await boss.get(`/orders/${id}`)).status, 200);
    assert.equal((await eve.get('/orders/no-id')).status, 404);
    assert.equal((await new Person(shop).get(`/orders/${id}`)).status, 401);
});

test('lists are newest first, by status, page by page', async () => {
    const { sku } = await product(boss);
    const ada = await register(shop);
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push((await ada.order([{ sku, quantity: 1 }], { payment_method: i % 2 ? 'pm_card_chargeDeclined' : 'pm_card_visa' })).id);
    for (const [i, id] of made.entries()) await ada.order_in(id, i % 2 ? 'payment_failed' : 'paid');
    const ids = (rows) => rows.map((o) => o.id);
    assert.deepEqual(ids(await all_pages(ada, '/orders', 2)), [...made].reverse());
    const whole = (await ada.get('/orders?limit=5')).body;
    assert.equal(whole.data.length, 5);
    assert.equal(whole.next_cursor, null, 'nothing follows the last one');
    assert.equal((await ada.get('/payments?limit=5')).body.next_cursor, null);
    assert.deepEqual(ids(await all_pages(ada, '/orders?status=payment_failed', 1)), [made[3], made[1]]);
    assert.deepEqual(ids((await ada.get('/orders?status=shipped')).body.data), []);
    const bad = await ada.get('/orders?status=lost&limit=0');
    assert.equal(bad.status, 422);
    assert.deepEqual(bad.body.errors.map((e) => e.pointer).sort(), ['/limit', '/status']);
    const all = ids((await boss.get('/orders?limit=100')).body.data);
    assert.ok(made.every((id) => all.includes(id)));
});
