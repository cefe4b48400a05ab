// What cannot be handled, over HTTP: a job that fails for ever becomes a dead letter, which is listed with its error and its event, sent
// again, and handled when what it failed for is mended; or it is dropped.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deploy, functions_run, notified } from '../support/functions.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { system } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const options = { skip: (!functions_run && 'purser-function-host is not built') || (process.env.PURSER_BASE_URL && 'settings of its own') };
const LETTERS = '/operations/dead-letters';
const BROKEN = 'function handler() { throw new Error("out of paper"); }';
const MENDED = 'const handler = (data) => ({ title: "Receipt", body: data.order_id });';
let shop;
let boss;
let ada;
let sku;
let name; // of a function that is hooked on paid orders

before(async () => {
    if (options.skip) return;
    shop = await system({ settings: { PURSER_FUNCTIONS: 'on', PURSER_RETRY_BASE: '10ms', PURSER_RETRY_LIMIT: '3' } });
    boss = await admin(shop);
    ada = await register(shop);
    ({ sku } = await product(boss));
    name = await deploy(boss, BROKEN, { triggers: ['purser.order.paid'] });
});
after(() => shop?.stop());

/** The one dead letter, when there is one with another id than `old`. */
function letter(old) {
    return until('the job is a dead letter', async () => {
        const { body } = await boss.get(LETTERS);
        assert.ok(body.data.length <= 1, JSON.stringify(body));
        return body.data.length === 1 && body.data[0].id !== old && body.data[0];
    });
}

const is_empty = () => until('the list is empty', async () => (await boss.get(LETTERS)).body.data.length === 0);

async function change(method, what, status) {
    const answer = await boss.send(method, `${LETTERS}/${what}`);
    assert.equal(answer.status, status, answer.text);
}

test('it is listed, sent again in vain, and handled once its function is mended', options, async () => {
    const order = await ada.paid_order([{ sku, quantity: 1 }]);
    const first = await letter();
    assert.equal(first.service, 'functions');
    assert.equal(first.attempts, 3);
    assert.match(first.error, /out of paper/);
    assert.equal(first.event.data.event.data.order_id, order.id);
    await until('the status counts it', async () => (await boss.get('/operations/status')).body.dead_letters === 1);
    for (const [method, path] of [['GET', LETTERS], ['POST', `${LETTERS}/${first.id}/retry`], ['DELETE', `${LETTERS}/${first.id}`]]) {
        assert.equal((await ada.send(method, path)).status, 403);
    }
    await change('POST', `${first.id}/retry`, 204);
    const second = await letter(first.id);
    assert.equal(second.event.data.event.data.order_id, order.id);
    await change('POST', `${first.id}/retry`, 404);
    assert.equal((await boss.put(`/functions/${name}`, { source: MENDED })).status, 200);
    await change('POST', `${second.id}/retry`, 204);
    const [receipt] = await notified(ada, `function.${name}`);
    assert.equal(receipt.body, order.id);
    await is_empty();
});

test('it is dropped, and what comes after it is handled', options, async () => {
    assert.equal((await boss.put(`/functions/${name}`, { source: BROKEN })).status, 200);
    await ada.paid_order([{ sku, quantity: 1 }]);
    const { id } = await letter();
    assert.equal((await boss.put(`/functions/${name}`, { source: MENDED })).status, 200);
    await change('DELETE', id, 204);
    await change('DELETE', id, 404);
    await is_empty();
    const later = await ada.paid_order([{ sku, quantity: 1 }]);
    const rows = await notified(ada, `function.${name}`, 2);
    assert.ok(rows.some((row) => row.body === later.id));
});
