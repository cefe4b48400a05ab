// kill -9 at random moments under a stream of orders. The clients' own log of requests and answers is the oracle, the list of
// charges at the provider (a process apart, which lives on) the witness: what was acknowledged is there, and each thing
// happened once.

import { test } from 'node:test';
import { shop_and_sandbox } from '../support/sandbox.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { Buyer, Listener, STOCK, check_everything } from '../support/oracle.mjs';
import { random, sleep } from '../support/wait.mjs';

const KILLS = Number(process.env.PURSER_CRASH_KILLS ?? 100);
const SEED = Number(process.env.PURSER_CRASH_SEED ?? 20261128);
const BUYERS = 6;

async function kill_and_restart(shop, dice) {
    await sleep(10 + Math.floor(dice() * 350));
    await shop.process.kill('SIGKILL');
    const started = Date.now();
    await shop.start();
    return Date.now() - started;
}

test(`${KILLS} kills under a stream of orders lose nothing and do nothing twice`, async (context) => {
    const { shop, sandbox } = await shop_and_sandbox({ settings: { PURSER_PAYMENT_RECONCILE: '1s', PURSER_PAYMENT_TIMEOUT: '10s', PURSER_RETRY_BASE: '100ms', PURSER_RETRY_LIMIT: '20' } });
    await shop.start();
    const boss = await admin(shop);
    const skus = [];
    for (let i = 0; i < 5; i += 1) skus.push((await product(boss, { unit_price: 100 + i, stock: STOCK })).sku);
    const buyers = [];
    for (let i = 0; i < BUYERS; i += 1) buyers.push(new Buyer(await register(shop), skus, SEED + i));
    const listeners = buyers.map((b) => new Listener(shop, b.person));
    for (const one of [...buyers, ...listeners]) one.start();

    const dice = random(SEED);
    const starts = [];
    for (let i = 0; i < KILLS; i += 1) starts.push(await kill_and_restart(shop, dice));
    const orders = await check_everything({ buyers, listeners, skus, boss, sandbox });
    starts.sort((a, b) => a - b);
    context.diagnostic(`${orders} orders, ${KILLS} kills, ready again in ${starts[starts.length >> 1]} ms (median), ${starts.at(-1)} ms (longest)`);
    await shop.stop();
    await sandbox.process.stop();
});
