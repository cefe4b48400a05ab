// Ten minutes under load: memory and descriptors do not grow. What is kept on purpose, above all each database's cache of pages, is full after
// some twenty thousand orders; these come first, as fast as they are taken, so that on a slow machine growing is not taken for a leak.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { System } from '../support/system.mjs';
import { admin, new_key, product, register } from '../support/shop.mjs';
import { sleep } from '../support/wait.mjs';

const SECONDS = Number(process.env.PURSER_SOAK_SECONDS ?? 600);
const WARM_ORDERS = 20000;
const BUYERS = 16;
const AT_ONCE = 8;

function sample(pid) {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return { anonymous_kb: Number(/RssAnon:\s+(\d+)/.exec(status)[1]), descriptors: fs.readdirSync(`/proc/${pid}/fd`).length };
}

/** So many orders in all, whose payments nobody waits for until the end. */
async function warm_up(people, sku) {
    let left = WARM_ORDERS;
    const order = async (person) => {
        let last;
        while (left > 0) {
            left -= 1;
            const answer = await person.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key() });
            if (answer.status === 201) last = answer.body.id;
            else assert.equal(answer.status, 503, answer.text);
            if (answer.status === 503) {
                left += 1;
                await sleep(100);
            }
        }
        if (last) await person.order_in(last, 'paid');
    };
    await Promise.all(people.flatMap((person) => Array.from({ length: AT_ONCE }, () => order(person))));
}

test(`${SECONDS} s under load`, { timeout: (SECONDS + 1800) * 1000 }, async (context) => {
    const settings = { PURSER_ACCESS_TOKEN_TTL: '2h', PURSER_ADMISSION_DELAY: '1s', PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off' };
    const shop = await new System({ settings }).start();
    const boss = await admin(shop);
    const { sku } = await product(boss, { stock: 100000000 });
    let running = true;
    let orders = 0;
    const people = await Promise.all(Array.from({ length: BUYERS }, () => register(shop)));
    await warm_up(people, sku);
    const streams = people.map(async (person) => {
        while (running) {
            const socket = person.socket({ after: 0 });
            await socket.next('hello');
            for (let i = 0; i < 10 && running; i += 1) {
                await person.paid_order([{ sku, quantity: 1 }]);
                await person.get('/orders?limit=20');
                orders += 1;
            }
            await socket.close();
        }
    });
    await sleep(SECONDS * 200);
    const early = sample(shop.process.child.pid);
    await sleep(SECONDS * 800);
    const late = sample(shop.process.child.pid);
    running = false;
    await Promise.all(streams);
    context.diagnostic(`${orders} orders; ${JSON.stringify(early)} → ${JSON.stringify(late)}`);
    assert.ok(late.anonymous_kb < early.anonymous_kb * 1.2 + 4096, 'memory grew');
    assert.ok(late.descriptors <= early.descriptors + BUYERS, 'descriptors grew');
    await shop.stop();
});
