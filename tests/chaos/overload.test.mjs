// More orders than can be handled: they are refused early, and a refusal leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { request } from '../support/client.mjs';
import { System } from '../support/system.mjs';
import { admin, all_pages, new_key, product, register, stock_of } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

/** Nobody else writes to the database until `release` is called. */
async function lock(file) {
    const script = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")`;
    const child = spawn('python3', ['-c', script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    let said = '';
    child.stdout.on('data', (data) => { said += data; });
    await until('the database is locked', () => said.includes('locked') || child.exitCode !== null);
    assert.equal(child.exitCode, null);
    return { async release() { child.stdin.end(); await ended; } };
}

test('while the work of earlier orders stands still, new ones are refused and leave nothing', async () => {
    const settings = { PURSER_ADMISSION_DELAY: '50ms', PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off' };
    const shop = await new System({ settings }).start();
    const boss = await admin(shop);
    const { sku, stock } = await product(boss, { stock: 100000 });
    const ada = await register(shop);
    const send = (key) => ada.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key });
    const taken = [];
    const standstill = await lock(path.join(shop.data, 'payments.db'));
    let refused;
    try {
        refused = await until('an order is refused', async () => {
            const key = new_key(), answer = await send(key);
            if (answer.status !== 201) return { key, answer };
            taken.push({ key, answer });
            return null;
        }, { seconds: 180, every_ms: 0 });
        assert.equal(refused.answer.status, 503, refused.answer.text);
        assert.equal(refused.answer.body.type, '/problems/unavailable');
        assert.ok(Number(refused.answer.headers['retry-after']) >= 1);
        // What was taken has its answer, and what was refused has none.
        const again = await send(taken[0].key);
        assert.equal(again.status, 201);
        assert.equal(again.headers['idempotent-replayed'], 'true');
        assert.equal(again.text, taken[0].answer.text);
        assert.equal((await all_pages(ada, '/orders')).length, taken.length);
        assert.equal(await stock_of(ada, sku), stock - taken.length);
    } finally {
        await standstill.release();
    }
    for (const { answer } of taken) await ada.order_in(answer.body.id, 'paid');
    const later = await until('the refused order is taken', async () => {
        const answer = await send(refused.key);
        return answer.status === 201 && answer;
    });
    assert.equal(later.headers['idempotent-replayed'], undefined);
    await ada.order_in(later.body.id, 'paid');
    assert.equal((await all_pages(ada, '/orders')).length, taken.length + 1);
    const { text } = await request(shop.admin_base, 'GET', '/metrics', { unchecked: true });
    assert.match(text, /^purser_orders_refused_total [1-9]/m);
    await shop.stop();
});
