// Functions over HTTP: deploying, calling, versions, hooks, the order flow, the command line.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { call, deploy, functions_run, notified } from '../support/functions.mjs';
import { run, system, temporary_folder } from '../support/system.mjs';
import { admin, new_key, Person, product, register, unique } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

const options = { skip: !functions_run && 'purser-function-host is not built' };
let shop;
let boss;
let ada;
before(async () => {
    if (options.skip) return;
    shop = await system({ settings: { PURSER_FUNCTIONS: 'on' } });
    boss = await admin(shop);
    ada = await register(shop);
});
after(() => shop?.stop());

test('a function is deployed and called', options, async () => {
    const name = await deploy(boss, 'async function handler(event, context) { console.log("hello", event.name); return { to: event.name, by: context.function, at: context.version }; }');
    const answer = await call(ada, name, { name: 'Ada' });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.body.result, { to: 'Ada', by: name, at: 1 });
    assert.deepEqual(answer.body.logs, ['hello Ada']);
    assert.equal(answer.body.version, 1);
    assert.equal(typeof answer.body.duration_ms, 'number');
    const shown = await ada.get(`/functions/${name}`);
    assert.equal(shown.status, 200);
    assert.equal(shown.body.source, undefined);
    assert.match((await boss.get(`/functions/${name}`)).body.source, /async function handler/);
});

test('the built-ins are there', options, async () => {
    const list = (await ada.get('/functions?limit=100')).body.data.map((row) => row.name);
    for (const name of ['calculate-total', 'format-order', 'validate-email']) assert.ok(list.includes(name), name);
    const total = await call(ada, 'calculate-total', { items: [{ unit_price: 1999, quantity: 3 }], discount_percent: '10', tax_percent: '19' });
    assert.deepEqual(total.body.result, { subtotal: 5997, discount: 600, tax: 1025, total: 6422 });
    const email = await call(ada, 'validate-email', { email: 'Ada@EXAMPLE.com' });
    assert.deepEqual(email.body.result, { valid: true, reason: null, normalized: 'Ada@example.com' });
    assert.equal((await boss.delete('/functions/calculate-total')).status, 409);
});

test('what fails says why', options, async () => {
    const thrown = await call(ada, await deploy(boss, 'function handler() {\n  console.log("so far");\n  throw new RangeError("too much");\n}'));
    assert.equal(thrown.status, 422);
    assert.equal(thrown.body.type, '/problems/function-failed');
    assert.match(thrown.body.detail, /too much/);
    assert.match(thrown.body.error.message, /too much/);
    assert.match(thrown.body.error.stack, /:3:/);
    assert.deepEqual(thrown.body.logs, ['so far']);
    const endless = await call(ada, await deploy(boss, 'function handler() { return JSON.rawJSON("1e999"); }'));
    assert.equal(endless.status, 422);
    assert.equal(endless.body.type, '/problems/function-failed');
    const loop = await call(ada, await deploy(boss, 'function handler() { for (;;); }', { timeout_ms: 100 }));
    assert.equal(loop.status, 504);
    assert.equal(loop.body.type, '/problems/function-timeout');
    const bomb = await call(ada, await deploy(boss, 'function handler() { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)); }', { timeout_ms: 20000 }));
    assert.equal(bomb.status, 422);
    assert.equal(bomb.body.type, '/problems/function-out-of-memory');
    const flood = await call(ada, await deploy(boss, 'function handler() { return "x".repeat(1e7); }', { memory_mb: 256, timeout_ms: 20000 }));
    assert.equal(flood.status, 422);
    assert.equal(flood.body.type, '/problems/function-output-too-large');
    assert.equal((await call(ada, 'no-such-function')).status, 404);
});

test('a source that does not parse is refused with its line', options, async () => {
    const answer = await boss.post('/functions', { name: unique('f').toLowerCase(), source: 'function handler() {\n  return 1;\n}}' }, { key: new_key() });
    assert.equal(answer.status, 422);
    assert.equal(answer.body.errors[0].pointer, '/source');
    assert.match(answer.body.errors[0].detail, /line 3/);
});

test('who may call is held to', options, async () => {
    const open = await deploy(boss, 'const handler = () => 1;', { access: 'public' });
    const users = await deploy(boss, 'const handler = () => 1;');
    const admins = await deploy(boss, 'const handler = () => 1;', { access: 'admin' });
    assert.equal((await call(ada, open, {}, { token: null })).status, 200);
    assert.equal((await call(ada, users, {}, { token: null })).status, 401);
    assert.equal((await call(ada, admins)).status, 403);
    assert.equal((await call(boss, admins)).status, 200);
    assert.equal((await ada.post('/functions', { name: 'mine', source: 'const handler = () => 1;' }, { key: new_key() })).status, 403);
    assert.equal((await ada.get(`/functions/${open}/logs`)).status, 403);
});

test('a list names no function that only administrators may see, nor does its cursor', options, async () => {
    const [first, second] = ['seen-a', 'seen-c'].map((name) => unique(name).toLowerCase());
    const hidden = unique('seen-b').toLowerCase();
    await deploy(boss, 'const handler = () => 1;', { name: first });
    await deploy(boss, 'const handler = () => 1;', { name: hidden, access: 'admin' });
    await deploy(boss, 'const handler = () => 1;', { name: second });
    for (const [person, expected] of [[boss, [first, hidden, second]], [ada, [first, second]]]) {
        const names = [];
        for (let cursor = 'seen'; cursor !== null && cursor < 'seen-d'; ) {
            const page = (await person.get(`/functions?limit=1&cursor=${cursor}`)).body;
            assert.equal(page.data.length, 1);
            names.push(page.data[0].name);
            cursor = page.next_cursor;
            assert.ok(cursor === null || cursor === page.data[0].name, cursor);
        }
        assert.deepEqual(names.filter((name) => [first, hidden, second].includes(name)), expected);
    }
    assert.equal((await ada.get(`/functions/${hidden}`)).status, 404);
});

test('versions: a new one answers, the old one can come back', options, async () => {
    const name = await deploy(boss, 'const handler = () => "one";');
    const second = await boss.put(`/functions/${name}`, { source: 'const handler = () => "two";', timeout_ms: 2000 });
    assert.equal(second.status, 200, second.text);
    assert.equal(second.body.version, 2);
    assert.equal((await call(ada, name)).body.result, 'two');
    const versions = (await boss.get(`/functions/${name}/versions`)).body.data;
    assert.deepEqual(versions.map((row) => [row.version, row.current]), [[2, true], [1, false]]);
    const back = await boss.post(`/functions/${name}/rollback`, { version: 1 }, { key: new_key() });
    assert.equal(back.status, 200, back.text);
    const now = await call(ada, name);
    assert.deepEqual([now.body.result, now.body.version], ['one', 1]);
    assert.equal((await boss.delete(`/functions/${name}`)).status, 204);
    assert.equal((await call(ada, name)).status, 404);
});

test('a call under a key is answered once', options, async () => {
    const name = await deploy(boss, 'const handler = () => Math.random();');
    const key = new_key();
    const [first, again] = [await call(ada, name, { a: 1 }, { key }), await call(ada, name, { a: 1 }, { key })];
    assert.equal(first.status, 200, first.text);
    assert.equal(again.text, first.text);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal((await call(ada, name, { a: 2 }, { key })).status, 422);
});

test('who has not signed in has the keys of the own address alone', options, async () => {
    const name = await deploy(boss, 'const handler = () => Math.random();', { access: 'public' });
    const key = new_key(), token = null;
    const [eve, mallory] = [new Person(shop), new Person(shop)];
    const first = await call(eve, name, {}, { key, token });
    assert.equal(first.status, 200, first.text);
    assert.equal((await call(eve, name, {}, { key, token })).text, first.text);
    const other = await call(mallory, name, {}, { key, token });
    assert.equal(other.status, 200, other.text);
    assert.equal(other.headers['idempotent-replayed'], undefined);
    assert.notEqual(other.body.result, first.body.result);
});

test('later: 202, then the outcome, for its caller alone', options, async () => {
    const later = { headers: { prefer: 'respond-async' } };
    const name = await deploy(boss, 'function handler(event) { if (event.bad) throw new Error("bad"); return event; }');
    const accepted = await call(ada, name, { a: 1 }, later);
    assert.equal(accepted.status, 202, accepted.text);
    assert.equal(accepted.body.status, 'pending');
    const place = accepted.headers.location.replace('/api/v1', '');
    const done = await until('the call is done', async () => {
        const { body } = await ada.get(place);
        return body.status !== 'pending' && body;
    });
    assert.deepEqual([done.status, done.result, done.error], ['succeeded', { a: 1 }, null]);
    const bob = await register(shop);
    assert.equal((await bob.get(place)).status, 404);
    assert.equal((await boss.get(place)).status, 200);
    const bad = (await call(ada, name, { bad: true }, later)).headers.location.replace('/api/v1', '');
    const failed = await until('the call has failed', async () => {
        const { body } = await ada.get(bad);
        return body.status !== 'pending' && body;
    });
    assert.equal(failed.status, 'failed');
    assert.match(failed.error.message, /bad/);
});

test('later, to functions that are new: whichever instance takes the job knows them', options, async () => {
    const places = [];
    for (let i = 0; i < 12; i += 1) {
        const name = await deploy(boss, `const handler = () => ${i};`);
        const accepted = await call(ada, name, {}, { headers: { prefer: 'respond-async' } });
        assert.equal(accepted.status, 202, accepted.text);
        places.push(accepted.headers.location.replace('/api/v1', ''));
    }
    for (const [i, place] of places.entries()) {
        const done = await until('the call is done', async () => {
            const { body } = await ada.get(place);
            return body.status !== 'pending' && body;
        });
        assert.deepEqual([done.status, done.result, done.error], ['succeeded', i, null]);
    }
});

test('a new order brings a receipt, a doubtful address a question', options, async () => {
    const { sku } = await product(boss);
    const eve = await register(shop, { email: `${unique('eve')}@gmial.com` });
    const order = await eve.paid_order([{ sku, quantity: 2 }]);
    const [receipt] = await notified(eve, 'function.format-order');
    assert.match(receipt.title, new RegExp(order.id.slice(-8)));
    assert.match(receipt.body, /29\.00 EUR/);
    assert.deepEqual(receipt.data, { total: order.total });
    const [question] = await notified(eve, 'function.validate-email');
    assert.match(question.body, /gmail\.com/);
});

test('a function hooked on a topic hears of what happens', options, async () => {
    const name = await deploy(boss, 'const handler = (data, context) => ({ title: context.event.type, body: String(data.order_id ?? context.event.subject) });',
        { triggers: ['purser.order.paid'] });
    const { sku } = await product(boss);
    const eve = await register(shop);
    await eve.paid_order([{ sku, quantity: 1 }]);
    const [heard] = await notified(eve, `function.${name}`);
    assert.equal(heard.title, 'purser.order.paid');
    assert.equal((await boss.delete(`/functions/${name}`)).status, 204);
});

test('logs show what calls said', options, async () => {
    const name = await deploy(boss, 'function handler(event) { console.log("saw", event); if (event === 2) throw new Error("two"); }');
    for (const event of [1, 2]) await call(ada, name, event);
    // Of several instances each writes what it has noted within a second.
    const rows = await until('both calls in the logs', async () => {
        const list = (await boss.get(`/functions/${name}/logs`)).body.data;
        return list.length === 2 && list;
    });
    assert.deepEqual(rows.map((row) => [row.status, row.logs, row.trigger]), [['failed', ['saw 2'], 'http'], ['succeeded', ['saw 1'], 'http']]);
    assert.match(rows[0].error.message, /two/);
});

test('from the command line', { skip: options.skip || (process.env.PURSER_BASE_URL && 'the system runs elsewhere') }, async () => {
    const folder = temporary_folder();
    const name = unique('cli').toLowerCase();
    const file = path.join(folder, `${name}.js`);
    const purser = async (...args) => {
        const done = await run(['function', ...args], shop.settings);
        assert.equal(done.status, 0, done.stderr);
        return done.stdout;
    };
    fs.writeFileSync(file, 'function handler(event) { console.log("ran"); return [event, 1]; }');
    assert.match(await purser('deploy', file, '--trigger', 'purser.payment.*', '--timeout-ms', '500'), /version 1/);
    assert.match(await purser('list'), new RegExp(`${name} .*purser\\.payment`));
    assert.deepEqual(JSON.parse(await purser('invoke', name, '{"a":1}')), [{ a: 1 }, 1]);
    fs.writeFileSync(file, 'function handler(event) { return 2; }');
    assert.match(await purser('deploy', file), /version 2/);
    assert.equal((await call(ada, name)).body.result, 2);
    assert.match(await purser('rollback', name), /version 1/);
    await until('the call in the logs', async () => /ran/.test(await purser('logs', name)));
    fs.writeFileSync(file, 'function handler( {');
    const refused = await run(['function', 'deploy', file], shop.settings);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /line 1/);
    fs.rmSync(folder, { recursive: true });
});

test('a pricing function says what an order costs', { skip: options.skip || (process.env.PURSER_BASE_URL && 'a setting of its own') }, async () => {
    const priced = await system({ settings: { PURSER_FUNCTIONS: 'on', PURSER_PRICING_FUNCTION: 'price' } });
    try {
        const manager = await admin(priced);
        const buyer = await register(priced);
        const { sku } = await product(manager, { unit_price: 1000 });
        const order = () => buyer.post('/orders', { items: [{ sku, quantity: 3 }], payment_method: 'pm_card_visa' }, { key: new_key() });
        assert.equal((await order()).status, 503);
        await deploy(manager, 'const handler = ({ items }) => ({ total: items.reduce((sum, i) => sum + i.unit_price * i.quantity, 0) - 500 });', { name: 'price' });
        const cheap = await order();
        assert.equal(cheap.status, 201, cheap.text);
        assert.equal(cheap.body.total, 2500);
        for (const source of ['const handler = () => ({ total: "2500" });', 'const handler = () => ({ total: -1 });', 'const handler = () => { throw new Error("no"); };']) {
            assert.equal((await manager.put('/functions/price', { source })).status, 200);
            const refused = await order();
            assert.equal(refused.status, 422, refused.text);
            assert.equal(refused.body.type, '/problems/price-invalid');
        }
    } finally {
        await priced.stop();
    }
});
