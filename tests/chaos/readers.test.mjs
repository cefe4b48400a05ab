// Clients of WebSockets that do not read: what waits for them is bounded, they are closed with 4408, and others notice nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { next_address, request } from '../support/client.mjs';
import { RawSocket } from '../support/raw-socket.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { System } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const SLOW = 4408;
let shop;
let sku;

before(async () => {
    shop = await new System({ settings: { PURSER_RATE_LIMIT_IP: 'off', PURSER_RATE_LIMIT_USER: 'off' } }).start();
    sku = (await product(await admin(shop), { stock: 1000000 })).sku;
});
after(async () => {
    await shop?.stop();
});

async function closed_as_slow() {
    const { text } = await request(shop.admin_base, 'GET', '/metrics', { unchecked: true });
    return Number(/^purser_websockets_slow_total (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** All that was sent is whole, and the last of it is the close. */
function assert_told(frames) {
    const last = frames.at(-1);
    assert.equal(last?.opcode, 8, `the last of ${frames.length} frames is a close`);
    assert.equal(last.payload.readUInt16BE(0), SLOW);
}

test('who pings and does not read is closed', async () => {
    const before_it = await closed_as_slow();
    const ada = await register(shop);
    const slow = await new RawSocket(shop.base, ada).stop_reading();
    await until('it is closed as slow', async () => {
        slow.ping(2000);
        return await closed_as_slow() > before_it;
    }, { every_ms: 1 });
    assert_told(await slow.read_to_end());
});

test('notifications for a reader that does not read are bounded; the reader beside it has them all', async () => {
    const before_it = await closed_as_slow();
    const ada = await register(shop);
    const quick = ada.socket({ after: 0, from: next_address() });
    await quick.next('hello');
    const slow = await new RawSocket(shop.base, { ...ada, from: next_address() }).stop_reading();
    let orders = 0;
    await until('it is closed as slow', async () => {
        await Promise.all(Array.from({ length: 50 }, () => ada.order([{ sku, quantity: 1 }])));
        orders += 50;
        return await closed_as_slow() > before_it;
    }, { every_ms: 1 });
    assert_told(await slow.read_to_end());
    await until('the quick one has all', () => quick.notifications().filter((n) => n.type === 'order.paid').length === orders);
    const numbers = quick.notifications().map((n) => n.seq);
    assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
    assert.equal(quick.closed, null);
    await quick.close();
});
