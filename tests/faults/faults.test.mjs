// The n-th allocation, read, write or connect fails, once, somewhere in "start, register, order, pay, be notified": the process does not
// crash, what it acknowledged stays, and the next try works; a failed sync ends the process, and a restart has all. A sanitized process that
// ends in order has leaked nothing, libraries included. The numbers are spread over the whole of it by a fixed seed; with PURSER_FAULT_RUNS=all
// they are all numbers, and of memory, which is asked for a thousand times, the first call at every place, which is a call with all its callers.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { System, binary, temporary_folder } from '../support/system.mjs';
import { shop_and_sandbox } from '../support/sandbox.mjs';
import { PASSWORD, Person, admin, new_email, new_key, product } from '../support/shop.mjs';
import { random, sleep, until, within } from '../support/wait.mjs';

const RUNS = process.env.PURSER_FAULT_RUNS ?? 8; // of each kind
const sanitized = binary.includes('sanitized'); // whose heap is its own
const library = path.join(path.dirname(binary), 'tests/faults', sanitized ? 'faults_sockets.so' : 'faults.so');
const KINDS = ['memory', 'read', 'write', 'connect', 'accept', 'file', 'sync'];
const dice = random(11);
let shop;
let sandbox;
let sku;
let prepared; // a data folder with an admin and a product
let totals;
let places;

function preload(fault, log) {
    const settings = { LD_PRELOAD: library, PURSER_FAULT: fault };
    if (log) settings.PURSER_FAULT_LOG = log;
    if (sanitized) settings.ASAN_OPTIONS = 'detect_leaks=1:abort_on_error=0:exitcode=99:verify_asan_link_order=0';
    return settings;
}

/** A system on a copy of the prepared data, with faults. */
function faulty(extra) {
    const data = temporary_folder();
    fs.cpSync(prepared, data, { recursive: true });
    const copy = new System({ data });
    copy.base = shop.base;
    copy.admin_base = shop.admin_base;
    copy.plain = { ...shop.settings, PURSER_DATA: data };
    copy.settings = { ...copy.plain, ...extra };
    return copy;
}

/** Does it until it is answered with one of the statuses: a fault makes one try fail, no more. */
async function persistently(what, system, act, statuses) {
    let last;
    for (let tries = 0; tries < 20 && !system.process.exit; tries += 1) {
        try {
            last = await act();
            if (statuses.includes(last.status)) return last;
            assert.ok(last.status >= 500 || last.status === 409, `${what}: ${last.status} ${last.text}`);
        } catch (error) {
            if (error.code === 'ERR_ASSERTION') throw error;
            last = error;
        }
        await sleep(50);
    }
    throw Object.assign(new Error(`${what}: ${last?.text ?? last?.stack}`), { ended: system.process.exit });
}

async function scenario(system, acknowledged) {
    const person = new Person(system, { email: new_email(), password: PASSWORD });
    const register = () => person.post('/auth/register', { email: person.email, password: PASSWORD, name: 'Ada' }, { token: null, unchecked: true });
    const made = await persistently('register', system, register, [201, 409]);
    if (made.status === 201) person.take(made.body);
    else { // it was made, and its answer was lost
        const login = () => person.post('/auth/login', { email: person.email, password: PASSWORD }, { token: null, unchecked: true });
        person.take((await persistently('log in', system, login, [200])).body);
    }
    acknowledged.person = person;
    const key = new_key();
    const order = () => person.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key, unchecked: true });
    const { body } = await persistently('order', system, order, [201]);
    acknowledged.id = body.id;
    await until('it is paid', async () => (await get(person, `/orders/${body.id}`))?.status === 'paid' || system.process.exit);
    await until('they were told', async () => {
        const list = await get(person, '/notifications');
        return system.process.exit || ['order.created', 'order.paid'].every((type) => list?.data?.some((n) => n.type === type));
    });
}

async function get(person, where) {
    const answer = await person.get(where, { unchecked: true }).catch(() => null);
    return answer?.status === 200 ? answer.body : null;
}

/** Ended by itself: with words, not by a signal or a sanitizer. After a failed sync it did not go on. */
function check_end(system, fault) {
    const { exit, lines } = system.process;
    const said = lines.slice(lines.findIndex((line) => line.includes('ERROR: '))).slice(0, 60).join('\n'); // by a sanitizer, or all
    assert.ok(exit.signal === null && [0, 1].includes(exit.code), `${fault}: ${JSON.stringify(exit)}\n${said}\n${system.process.tail()}`);
    if (lines.some((line) => line.startsWith('fault: sync'))) assert.equal(exit.code, 1, `${fault}: passed over\n${system.process.tail()}`);
    if (exit.code === 1) assert.match(system.process.tail(), /memory|purser: |fatal/i, fault);
}

async function run(fault, log) {
    const system = faulty(preload(fault, log));
    const acknowledged = {};
    try {
        await system.start().catch((error) => { if (!system.process.exit) throw error; });
        if (!system.process.exit) await scenario(system, acknowledged).catch((error) => { if (!system.process.exit) throw error; });
        if (!system.process.exit) await within(`${fault}: it ends`, system.process.kill('SIGTERM'));
        check_end(system, fault);
        system.settings = system.plain;
        await system.start();
        const person = await acknowledged.person?.login();
        if (acknowledged.id) await person.order_in(acknowledged.id, 'paid');
    } finally {
        await system.process.kill();
        fs.rmSync(system.data, { recursive: true, force: true });
    }
}

before(async () => {
    ({ shop, sandbox } = await shop_and_sandbox());
    await shop.start();
    sku = (await product(await admin(shop), { stock: 100000 })).sku;
    await shop.process.stop();
    prepared = shop.data;
    const log = path.join(temporary_folder(), 'counts');
    await run('none:0', log);
    const lines = fs.readFileSync(log, 'utf8').trim().split('\n');
    totals = Object.fromEntries(lines.filter((line) => line.includes(' ')).map((line) => line.split(' ')).map(([kind, n]) => [kind, Number(n)]));
    places = lines.filter((line) => line.includes('@')).sort();
});
after(async () => {
    await sandbox?.process.stop();
    for (const folder of [prepared, sandbox?.data]) if (folder) fs.rmSync(folder, { recursive: true, force: true });
});

/** The faults to be seen of a kind. */
function faults(kind) {
    const total = totals[kind];
    assert.ok(total > 0, `no ${kind} was seen`);
    if (RUNS === 'all' && kind === 'memory') return places.filter((place) => place.startsWith('memory@'));
    if (RUNS === 'all') return Array.from({ length: total }, (_, i) => `${kind}:${i + 1}`);
    const runs = Math.min(Number(RUNS), total);
    return Array.from({ length: runs }, (_, i) => `${kind}:${1 + Math.floor(((i + dice()) * total) / runs)}`);
}

/** Each has its run, whatever became of those before it. */
async function run_each(list) {
    const failed = [];
    for (const fault of list) await run(fault).catch((error) => failed.push(`${fault}: ${error.stack}`));
    assert.deepEqual(failed, []);
}

if (sanitized) {
    test('memory that is lost is seen', async () => {
        await assert.rejects(run('leak:1'), /detected memory leaks/);
    });
}

// Some again: PURSER_FAULT=memory:17, or memory:17,sync:3
const again = process.env.PURSER_FAULT?.split(',') ?? [];
for (const fault of again) test(fault, () => run(fault));

for (const kind of again.length > 0 ? [] : KINDS) {
    test(`the n-th ${kind} fails`, async () => {
        const list = faults(kind);
        console.log(`${kind}: ${totals[kind]} calls; one fails in each of ${list.length} runs`);
        await run_each(list);
    });
}
