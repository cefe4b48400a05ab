// Ten minutes under load: memory and descriptors do not grow.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { System } from '../support/system.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { sleep } from '../support/wait.mjs';

const SECONDS = Number(process.env.PURSER_SOAK_SECONDS ?? 600);
const BUYERS = 16;

function sample(pid) {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return { anonymous_kb: Number(/RssAnon:\s+(\d+)/.exec(status)[1]), descriptors: fs.readdirSync(`/proc/${pid}/fd`).length };
}

test(`${SECONDS} s under load`, { timeout: (SECONDS + 120) * 1000 }, async (context) => {
    const shop = await new System({ settings: { PURSER_ACCESS_TOKEN_TTL: '2h', PURSER_ADMISSION_DELAY: '1s' } }).start();
    const boss = await admin(shop);
    const { sku } = await product(boss, { stock: 100000000 });
    let running = true;
    let orders = 0;
    const streams = Array.from({ length: BUYERS }, async () => {
        const person = await register(shop);
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
