// A function that sets the price of an order: its total counts, and an order is never made at a price that nobody set.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { functions_run } from '../support/functions.mjs';
import { System } from '../support/system.mjs';
import { admin, new_key, product, register, stock_of } from '../support/shop.mjs';

const NAME = 'shop-price';
const options = { skip: (!functions_run && 'purser-function-host is not built') || (process.env.PURSER_BASE_URL && 'needs a system of its own') };
let shop;
let boss;
let ada;
before(async () => {
    if (options.skip) return;
    shop = await new System({ settings: { PURSER_FUNCTIONS: 'on', PURSER_PRICING_FUNCTION: NAME } }).start();
    boss = await admin(shop);
    ada = await register(shop);
});
after(() => shop?.stop());

async function price_by(source) {
    const body = { name: NAME, source, timeout_ms: 300, access: 'admin' };
    const made = await boss.post('/functions', body, { key: new_key() });
    if (made.status === 201) return;
    assert.equal(made.status, 409, made.text);
    const { name, ...change } = body;
    const changed = await boss.put(`/functions/${name}`, change);
    assert.equal(changed.status, 200, changed.text);
}

const order = (sku, rest = {}) => ada.post('/orders', { items: [{ sku, quantity: 2 }], payment_method: 'pm_card_visa', ...rest }, { key: new_key() });

test('without an answer there is no order', options, async () => {
    const { sku } = await product(boss, { unit_price: 500, stock: 5 });
    const answer = await order(sku);
    assert.equal(answer.status, 503, answer.text);
    assert.ok(answer.headers['retry-after']);
    assert.equal(await stock_of(ada, sku), 5);
});

test('its total is what is paid', options, async () => {
    await price_by('function handler({ items }) { return { total: items.reduce((sum, i) => sum + i.unit_price * i.quantity, 0) - 100 }; }');
    const { sku } = await product(boss, { unit_price: 500, stock: 5 });
    const made = await order(sku, { expected_total: 900 });
    assert.equal(made.status, 201, made.text);
    const paid = await ada.order_in(made.body.id, 'paid');
    assert.equal(paid.total, 900);
    assert.equal(paid.payment.amount, 900);
    const other = await order(sku, { expected_total: 1000 });
    assert.equal(other.status, 409);
    assert.equal(other.body.type, '/problems/price-changed');
    assert.equal(other.body.total, 900);
    assert.equal(await stock_of(ada, sku), 3);
});

test('what is no total is refused, and takes no stock', options, async () => {
    const { sku } = await product(boss, { unit_price: 500, stock: 5 });
    for (const result of ['{}', '{ total: -1 }', '{ total: 1.5 }', '{ total: "900" }', '{ total: 2 ** 60 }', 'null', '(() => { throw new Error("no"); })()']) {
        await price_by(`function handler() { return ${result}; }`);
        const answer = await order(sku);
        assert.equal(answer.status, 422, `${result}: ${answer.text}`);
    }
    assert.equal(await stock_of(ada, sku), 5);
});

test('a function that does not end is no answer', options, async () => {
    await price_by('function handler() { for (;;); }');
    const { sku } = await product(boss, { unit_price: 500, stock: 5 });
    const answer = await order(sku);
    assert.ok([503, 504].includes(answer.status), answer.text);
    assert.equal(await stock_of(ada, sku), 5);
});

test('unknown skus and mixed currencies are told as ever', options, async () => {
    const euro = (await product(boss)).sku;
    const dollar = (await product(boss, { currency: 'USD' })).sku;
    const unknown = await order('no-such-thing');
    assert.equal(unknown.status, 422);
    assert.deepEqual(unknown.body.errors.map((e) => e.pointer), ['/items/0/sku']);
    const mixed = await ada.post('/orders', { items: [{ sku: euro, quantity: 1 }, { sku: dollar, quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key() });
    assert.equal(mixed.status, 422);
});
