// The history of notifications: gapless numbers, read marks, unread counts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
let sku;
before(async () => {
    shop = await system();
    boss = await admin(shop);
    sku = (await product(boss, { stock: 100000 })).sku;
});
after(() => shop?.stop());

/** Waits until the person's history has notifications of all the types, however many more there are. */
async function having(person, ...types) {
    return until(`${person.email} has ${types.join()}`, async () => {
        const rows = (await person.get('/notifications?after=0&limit=100')).body.data;
        const left = [...types];
        for (const row of rows) if (left.includes(row.type)) left.splice(left.indexOf(row.type), 1);
        return left.length === 0 && rows;
    });
}

test('registering brings the welcome, an order its steps, each once and in order of number', async () => {
    const ada = await register(shop);
    await having(ada, 'user.registered');
    const order = await ada.paid_order([{ sku, quantity: 1 }]);
    await having(ada, 'order.created', 'order.paid');
    await boss.post(`/orders/${order.id}/ship`);
    await having(ada, 'order.shipped');
    await boss.post(`/orders/${order.id}/deliver`);
    const rows = await having(ada, 'user.registered', 'order.created', 'order.paid', 'order.shipped', 'order.delivered');
    assert.deepEqual(rows.map((n) => n.seq), rows.map((_, i) => i + 1));
    for (const type of ['user.registered', 'order.created', 'order.paid', 'order.shipped', 'order.delivered']) {
        assert.equal(rows.filter((n) => n.type === type).length, 1, type);
    }
    const paid = rows.find((n) => n.type === 'order.paid');
    assert.equal(paid.data.order_id, order.id);
    assert.equal(paid.read_at, null);
    assert.ok(paid.title && paid.body);
});

test('a refund and a cancellation are told', async () => {
    const ada = await register(shop);
    const order = await ada.paid_order([{ sku, quantity: 1 }]);
    await ada.post(`/orders/${order.id}/cancel`);
    await having(ada, 'order.cancelled', 'payment.refunded');
});

test('a failed payment is told', async () => {
    const ada = await register(shop);
    await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await having(ada, 'order.payment_failed');
});

test('history goes up after a number and down before one', async () => {
    const ada = await register(shop);
    await ada.paid_order([{ sku, quantity: 1 }]);
    await ada.paid_order([{ sku, quantity: 1 }]);
    const rows = await having(ada, 'user.registered', 'order.created', 'order.paid', 'order.created', 'order.paid');
    const seqs = async (query) => (await ada.get(`/notifications?${query}`)).body.data.map((n) => n.seq);
    assert.deepEqual(await seqs('after=2&limit=2'), [3, 4]);
    assert.deepEqual(await seqs('before=4&limit=2'), [3, 2]);
    assert.deepEqual(await seqs(`after=${rows.length}`), []);
    const first = (await ada.get('/notifications?after=0&limit=2')).body;
    const second = (await ada.get(`/notifications?after=0&limit=2&cursor=${encodeURIComponent(first.next_cursor)}`)).body;
    assert.deepEqual([...first.data, ...second.data].map((n) => n.seq), [1, 2, 3, 4]);
    for (const [query, pointer] of [['after=x', '/after'], ['after=-1', '/after'], ['before=x', '/before'], ['limit=0', '/limit'], ['unread=maybe', '/unread']]) {
        const bad = await ada.get(`/notifications?${query}`);
        assert.equal(bad.status, 422, query);
        assert.deepEqual(bad.body.errors.map((e) => e.pointer), [pointer]);
    }
});

test('reading one and reading all move the count', async () => {
    const ada = await register(shop);
    await ada.paid_order([{ sku, quantity: 1 }]);
    const rows = await having(ada, 'user.registered', 'order.created', 'order.paid');
    const count = async () => (await ada.get('/notifications/unread-count')).body.count;
    await until('all are counted', async () => (await count()) >= rows.length);
    assert.equal((await ada.post(`/notifications/${rows[0].id}/read`)).status, 204);
    assert.equal((await ada.post(`/notifications/${rows[0].id}/read`, {})).status, 204);
    // A receipt may come between two questions; counted and listed, it is the same.
    await until('the count is of all but the one read', async () => {
        const { data } = (await ada.get('/notifications?after=0&limit=100')).body;
        const unread = (await ada.get('/notifications?unread=true&after=0&limit=100')).body.data;
        assert.equal(unread.some((n) => n.id === rows[0].id), false);
        return unread.length === data.length - 1 && await count() === unread.length;
    });
    await until('all are read', async () => {
        assert.equal((await ada.post('/notifications/read-all')).status, 204);
        return await count() === 0;
    });
    const all = (await ada.get('/notifications?after=0&limit=100')).body.data;
    assert.ok(all.every((n) => n.read_at !== null));
});

test("somebody else's notification is 404", async () => {
    const [ada, eve] = [await register(shop), await register(shop)];
    const [welcome] = await having(ada, 'user.registered');
    assert.equal((await eve.post(`/notifications/${welcome.id}/read`)).status, 404);
    assert.equal((await ada.post('/notifications/no-id/read')).status, 404);
    assert.equal((await ada.get('/notifications?after=0')).body.data[0].read_at, null);
    assert.equal((await new Person(shop).get('/notifications')).status, 401);
    assert.equal((await new Person(shop).get('/notifications/unread-count')).status, 401);
});
