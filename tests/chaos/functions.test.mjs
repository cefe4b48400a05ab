// Functions on bad days: an attack beside a neighbour, a crowd, updates under load, a host and workers that are killed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { call, deploy, functions_run } from '../support/functions.mjs';
import { pipelined } from '../support/pipeline.mjs';
import { system } from '../support/system.mjs';
import { admin } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

const options = { skip: !functions_run && 'purser-function-host is not built' };
let shop;
let boss;
before(async () => {
    if (options.skip) return;
    shop = await system({ settings: { PURSER_FUNCTIONS: 'on', PURSER_RATE_LIMIT_USER: 'off', PURSER_RATE_LIMIT_IP: 'off' } });
    boss = await admin(shop);
});
after(() => shop?.stop());

/** Milliseconds of calls one after the other, sorted. */
async function timed(name, count) {
    const times = [];
    for (let i = 0; i < count; i += 1) {
        const began = process.hrtime.bigint();
        const answer = await call(boss, name, { i });
        assert.equal(answer.status, 200, answer.text);
        times.push(Number(process.hrtime.bigint() - began) / 1e6);
    }
    return times.sort((a, b) => a - b);
}

const p99 = (sorted) => sorted[Math.floor(sorted.length * 0.99)];

test('a function that runs wild does not stall its neighbour', options, async () => {
    const neighbour = await deploy(boss, 'const handler = (event) => event;');
    const attacks = [
        await deploy(boss, 'function handler() { while (true); }', { timeout_ms: 500, concurrency: 2 }),
        await deploy(boss, 'function handler() { const a = []; for (;;) a.push("y".repeat(1e5) + a.length); }', { timeout_ms: 500, concurrency: 2 }),
        await deploy(boss, 'function handler() { for (;;) console.log("endless"); }', { timeout_ms: 500, concurrency: 2 }),
    ];
    await timed(neighbour, 200);
    const calm = await timed(neighbour, 400);
    let attacking = true;
    const outcomes = new Set();
    const attackers = attacks.map(async (name) => {
        while (attacking) outcomes.add((await call(boss, name)).body.type);
    });
    let attacked;
    try {
        attacked = await timed(neighbour, 400);
    } finally {
        attacking = false;
        await Promise.all(attackers);
    }
    // What this is worth on a quiet machine is measured by the bench; here, each of its calls is answered.
    console.log(`p99 of the neighbour: ${p99(calm).toFixed(1)} ms calm, ${p99(attacked).toFixed(1)} ms beside the attacks`);
    assert.ok(outcomes.has('/problems/function-timeout'));
    for (const type of outcomes) assert.match(type, /function-timeout|function-out-of-memory/);
});

test('a crowd at one function: an answer for everybody, early refusals, nothing late', options, async () => {
    const slow = await deploy(boss, 'async function handler() { await new Promise((r) => setTimeout(r, 50)); return 1; }', { concurrency: 2 });
    const other = await deploy(boss, 'const handler = () => 2;');
    const crowd = pipelined(shop.base, `/api/v1/functions/${slow}/invocations`,
        { token: boss.token, json: {}, connections: 1000, count: 10 });
    const [answers, beside] = await Promise.all([crowd, call(boss, other)]);
    assert.equal(beside.status, 200);
    assert.equal(answers.length, 10000);
    const statuses = {};
    for (const answer of answers) {
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
        if (answer.status === 429 || answer.status === 503) assert.ok(Number(answer.headers['retry-after']) >= 1);
    }
    console.log(`10,000 calls at once: ${JSON.stringify(statuses)}`);
    assert.ok(statuses[200] > 0, JSON.stringify(statuses));
    assert.deepEqual(Object.keys(statuses).filter((status) => !['200', '429', '503'].includes(status)), [], JSON.stringify(statuses));
    assert.equal((await call(boss, slow)).status, 200);
});

test('a new version takes over between two calls', options, async () => {
    const name = await deploy(boss, 'const handler = () => 1;');
    let updating = true;
    let calls = 0;
    const callers = Array.from({ length: 8 }, async () => {
        let last = 0;
        while (updating) {
            const answer = await call(boss, name);
            assert.equal(answer.status, 200, answer.text);
            assert.equal(answer.body.result, answer.body.version);
            assert.ok(answer.body.version >= last, 'an old version answered after a new one');
            last = answer.body.version;
            calls += 1;
        }
    });
    try {
        for (let version = 2; version <= 15; version += 1) {
            const put = await boss.put(`/functions/${name}`, { source: `const handler = () => ${version};` });
            assert.equal(put.status, 200, put.text);
            const seen = calls;
            await until('calls go on', () => calls > seen + 8, { every_ms: 1 });
        }
    } finally {
        updating = false;
        await Promise.all(callers);
    }
    assert.equal((await call(boss, name)).body.result, 15);
});

const children = (pid) => {
    try {
        return execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).trim().split(/\s+/).filter(Boolean).map(Number);
    } catch {
        return [];
    }
};

test('processes and host killed from outside: calls go on', { skip: options.skip || (process.env.PURSER_BASE_URL && 'the system runs elsewhere') }, async () => {
    const name = await deploy(boss, 'const handler = (event) => event.i;');
    let killing = true;
    let good = 0;
    const callers = Array.from({ length: 4 }, async () => {
        while (killing) {
            const answer = await call(boss, name, { i: 1 });
            if (answer.status === 200) good += 1;
            else assert.ok(answer.status === 503 && Number(answer.headers['retry-after']) >= 1, answer.text);
        }
    });
    try {
        const purser = shop.process.child.pid;
        for (let round = 0; round < 6; round += 1) {
            const [host] = children(purser);
            for (const pid of round % 2 ? [host] : children(host)) {
                try { process.kill(pid, 'SIGKILL'); } catch { /* it has ended by itself */ }
            }
            const seen = good;
            await until('calls are answered again', () => good > seen + 20, { every_ms: 5 });
        }
    } finally {
        killing = false;
        await Promise.all(callers);
    }
    assert.equal((await shop.request('GET', '/health/ready', { unchecked: true })).status, 200);
});
