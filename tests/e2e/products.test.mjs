// The catalogue.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, new_key, product, register, unique } from '../support/shop.mjs';

let shop;
let boss;
before(async () => {
    shop = await system();
    boss = await admin(shop);
});
after(() => shop?.stop());

const body = (sku, rest = {}) => ({ sku, name: 'Mug', description: 'Holds tea.', unit_price: 1450, currency: 'EUR', stock: 10, ...rest });

test('an admin adds a product that anyone sees', async () => {
    const sku = unique('MUG');
    const made = await boss.post('/products', body(sku), { key: new_key() });
    assert.equal(made.status, 201);
    assert.deepEqual(made.body, body(sku));
    const seen = await new Person(shop).get(`/products/${sku}`);
    assert.deepEqual(seen.body, body(sku));
    const list = await new Person(shop).get('/products?limit=100');
    assert.ok(list.body.data.some((p) => p.sku === sku));
});

test('the same sku again is 409', async () => {
    const { sku } = await product(boss);
    assert.equal((await boss.post('/products', body(sku), { key: new_key() })).status, 409);
});

test('a product changes its price, words and stock', async () => {
    const { sku } = await product(boss);
    const changed = await boss.patch(`/products/${sku}`, { unit_price: 999, stock: 3, name: 'Cup', description: '' });
    assert.equal(changed.status, 200);
    assert.deepEqual((await new Person(shop).get(`/products/${sku}`)).body, { sku, name: 'Cup', description: '', unit_price: 999, currency: 'EUR', stock: 3 });
    assert.equal((await boss.patch('/products/no-such-thing', { stock: 1 })).status, 404);
    assert.equal((await boss.patch(`/products/${sku}`, { sku: 'OTHER' })).status, 422);
});

test('bad fields are named, all of them', async () => {
    for (const [json, pointers] of [
        [{}, ['/currency', '/name', '/sku', '/stock', '/unit_price']],
        [body('with space'), ['/sku']],
        [body(unique('A'), { unit_price: -1 }), ['/unit_price']],
        [body(unique('A'), { unit_price: 1.5 }), ['/unit_price']],
        [body(unique('A'), { unit_price: 9007199254740992 }), ['/unit_price']],
        [body(unique('A'), { unit_price: '1450' }), ['/unit_price']],
        [body(unique('A'), { currency: 'eur', stock: -1 }), ['/currency', '/stock']],
        [body(unique('A'), { price: 5 }), ['/price']],
    ]) {
        const answer = await boss.post('/products', json, { key: new_key() });
        assert.equal(answer.status, 422, JSON.stringify(json));
        assert.deepEqual(answer.body.errors.map((e) => e.pointer).sort(), pointers, JSON.stringify(json));
    }
});

test('only admins change the catalogue', async () => {
    const { sku } = await product(boss);
    const ada = await register(shop);
    assert.equal((await ada.post('/products', body(unique('A')), { key: new_key() })).status, 403);
    assert.equal((await ada.patch(`/products/${sku}`, { unit_price: 1 })).status, 403);
    assert.equal((await new Person(shop).post('/products', body(unique('A')))).status, 401);
    assert.equal((await new Person(shop).get(`/products/${sku}`)).body.unit_price, 1450);
});

test('the list comes page by page, each product once', async () => {
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push((await product(boss)).sku);
    const seen = [];
    let cursor = '';
    do {
        const page = (await boss.get(`/products?limit=2${cursor}`)).body;
        assert.ok(page.data.length <= 2);
        seen.push(...page.data.map((p) => p.sku));
        cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
    } while (cursor);
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(made.every((sku) => seen.includes(sku)));
});

test('an unknown product is 404', async () => {
    assert.equal((await new Person(shop).get('/products/no-such-thing')).status, 404);
});
