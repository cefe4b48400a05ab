// Payments and refunds: money goes once in, and never more out than came in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, all_pages, new_key, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
let sku;
before(async () => {
    shop = await system();
    boss = await admin(shop);
    sku = (await product(boss, { unit_price: 1000, stock: 100000 })).sku;
});
after(() => shop?.stop());

async function paid(person, quantity = 1) {
    const order = await person.paid_order([{ sku, quantity }]);
    return (await person.get(`/payments?order_id=${order.id}`)).body.data[0];
}

const refund = (payment, json, key = new_key()) => boss.post(`/payments/${payment.id}/refunds`, json, { key });

test('a payment shows what was paid', async () => {
    const ada = await register(shop);
    const payment = await paid(ada, 3);
    assert.equal(payment.amount, 3000);
    assert.equal(payment.currency, 'EUR');
    assert.equal(payment.status, 'succeeded');
    assert.equal(payment.failure_code, null);
    assert.equal(payment.refunded_amount, 0);
    assert.deepEqual((await ada.get(`/payments/${payment.id}`)).body, payment);
});

test("somebody else's payment is 404, and only admins refund", async () => {
    const [ada, eve] = [await register(shop), await register(shop)];
    const payment = await paid(ada);
    assert.equal((await eve.get(`/payments/${payment.id}`)).status, 404);
    assert.deepEqual((await eve.get('/payments')).body.data, []);
    assert.deepEqual((await eve.get(`/payments?order_id=${payment.order_id}`)).body.data, []);
    assert.ok([403, 404].includes((await eve.post(`/payments/${payment.id}/refunds`, {}, { key: new_key() })).status));
    assert.equal((await ada.post(`/payments/${payment.id}/refunds`, {}, { key: new_key() })).status, 403);
    assert.equal((await boss.get(`/payments/${payment.id}`)).status, 200);
    assert.equal((await new Person(shop).get(`/payments/${payment.id}`)).status, 401);
    assert.equal((await ada.get('/payments?order_id=no-id')).status, 422);
});

test('refunds in parts, then the rest, then no more', async () => {
    const ada = await register(shop);
    const payment = await paid(ada, 2);
    const part = await refund(payment, { amount: 500 });
    assert.equal(part.status, 201);
    assert.equal(part.body.refunded_amount, 500);
    assert.equal(part.body.status, 'partially_refunded');
    const beyond = await refund(payment, { amount: 1501 });
    assert.ok([409, 422].includes(beyond.status), beyond.text);
    const rest = await refund(payment, {});
    assert.equal(rest.status, 201);
    assert.equal(rest.body.refunded_amount, 2000);
    assert.equal(rest.body.status, 'refunded');
    assert.equal((await refund(payment, { amount: 1 })).status, 409);
    assert.equal((await ada.get(`/payments/${payment.id}`)).body.refunded_amount, 2000);
});

test('bad refunds are 422', async () => {
    const payment = await paid(await register(shop));
    for (const json of [{ amount: 0 }, { amount: -5 }, { amount: 1.5 }, { amount: '5' }, { sum: 5 }]) {
        assert.equal((await refund(payment, json)).status, 422, JSON.stringify(json));
    }
    assert.equal((await boss.post('/payments/01932f4e-7b1c-7d2a-9c55-3f1f6a0b7c11/refunds', {}, { key: new_key() })).status, 404);
});

test('parallel refunds never exceed what was captured', async () => {
    const payment = await paid(await register(shop));
    const answers = await Promise.all(Array.from({ length: 10 }, () => refund(payment, { amount: 300 })));
    assert.equal(answers.filter((a) => a.status === 201).length, 3, answers.map((a) => a.status).join());
    assert.equal((await boss.get(`/payments/${payment.id}`)).body.refunded_amount, 900);
});

test('a payment that failed cannot be refunded', async () => {
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(id, 'payment_failed');
    const [payment] = (await ada.get(`/payments?order_id=${id}`)).body.data;
    assert.equal((await refund(payment, {})).status, 409);
});

test('a flaky provider is asked again within one payment', async () => {
    const ada = await register(shop);
    const order = await ada.paid_order([{ sku, quantity: 1 }], { payment_method: 'pm_sandbox_flaky' });
    const payments = await all_pages(ada, `/payments?order_id=${order.id}`);
    assert.deepEqual(payments.map((p) => p.status), ['succeeded']);
    assert.deepEqual(order.history.map((h) => h.status), ['pending_payment', 'paid']);
});

test('tries to pay again at once make one payment', async () => {
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(id, 'payment_failed');
    const answers = await Promise.all(Array.from({ length: 8 }, () =>
        ada.post(`/orders/${id}/payments`, { payment_method: 'pm_card_visa' }, { key: new_key() })));
    assert.equal(answers.filter((a) => a.status === 201).length, 1, answers.map((a) => a.status).join());
    assert.ok(answers.every((a) => [201, 409].includes(a.status)));
    await ada.order_in(id, 'paid');
    const payments = await all_pages(ada, `/payments?order_id=${id}`);
    assert.deepEqual(payments.map((p) => p.status), ['succeeded', 'failed']);
});

test('a callback that is not signed right is refused', async () => {
    const event = { id: `evt_${new_key()}`, type: 'charge.succeeded', data: { charge: 'ch_1' } };
    for (const headers of [{}, { 'x-purser-signature': 't=1,v1=00' }, { 'x-purser-signature': 'nonsense' }]) {
        const answer = await new Person(shop).post('/payments/callbacks/sandbox', event, { headers });
        assert.equal(answer.status, 401, JSON.stringify(headers));
    }
    assert.equal((await new Person(shop).post('/payments/callbacks/nobody', event)).status, 404);
});

test('the ledger balances after all this', async () => {
    await until('the ledger balances', async () => {
        const { body } = await boss.get('/operations/ledger');
        return body.balanced && body.sums.every((s) => s.sum === 0);
    });
});
