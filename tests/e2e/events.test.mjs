// Every event that a system sent is what its schema says, and all types of the topics are seen.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { System } from '../support/system.mjs';
import { PASSWORD, admin, new_email, product, register } from '../support/shop.mjs';
import { asyncapi, check_event } from '../support/contract.mjs';
import { until } from '../support/wait.mjs';

const TOPICS = ['user-events', 'order-events', 'payment-events'];

/** Everything on the embedded stream; the file may be read while it is written. */
function records(shop) {
    const sql = 'SELECT key, value FROM records ORDER BY id';
    const text = execFileSync('sqlite3', ['-readonly', '-json', path.join(shop.data, 'stream.db'), sql], { maxBuffer: 1 << 26, encoding: 'utf8' });
    return JSON.parse(text || '[]').map(({ key, value }) => ({ key, text: value, event: JSON.parse(value) }));
}

async function live(shop) {
    const boss = await admin(shop);
    const { sku } = await product(boss, { unit_price: 700 });
    const ada = await register(shop, { name: 'Ada Secretname' });
    const shipped = await ada.paid_order([{ sku, quantity: 1 }]);
    await boss.post(`/orders/${shipped.id}/ship`);
    await boss.post(`/orders/${shipped.id}/deliver`);
    const cancelled = await ada.paid_order([{ sku, quantity: 2 }]);
    await ada.post(`/orders/${cancelled.id}/cancel`);
    const failed = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(failed.id, 'payment_failed');
    await ada.patch('/users/me', { name: 'Ada Othername', email: new_email() });
    await ada.put('/auth/password', { current_password: PASSWORD, new_password: 'another good password' });
    const eve = await register(shop);
    await eve.delete('/users/me');
    await eve.login().catch(() => null);
    await boss.login();
}

test('events are what their schemas say', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const shop = await new System().start();
    await live(shop);
    const wanted = TOPICS.flatMap((topic) => Object.keys(asyncapi.channels[topic].messages)).map((name) => asyncapi.components.messages[name].name);
    const seen = await until('every type of the topics is seen', () => {
        const all = records(shop);
        const types = new Set(all.map(({ event }) => event.type));
        return wanted.every((type) => types.has(type)) && all;
    }, { every_ms: 500 });
    for (const { key, text, event } of seen) {
        check_event(event);
        assert.equal(key, event.data.user_id, 'the key is the user');
        assert.equal(/@example\.com|Secretname|Othername/.test(text), false, `personal data in ${text}`);
    }
    const ids = seen.map(({ event }) => event.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const subject of new Set(seen.map(({ event }) => event.subject))) {
        const numbers = seen.filter(({ event }) => event.subject === subject && event.sequence).map(({ event }) => event.sequence);
        assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), `order of ${subject}`);
    }
    await shop.stop();
});
