// Thousands of broken byte streams: what was answered is what was logged, each request once, and nobody else is harmed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { System } from '../support/system.mjs';
import { next_address, raw } from '../support/client.mjs';
import { mutated_streams } from '../support/streams.mjs';
import { until } from '../support/wait.mjs';

const STREAMS = Number(process.env.PURSER_STREAMS ?? 4000);
const SEED = 7;
const AT_ONCE = 16;
let shop;
before(async () => { shop = await new System({ settings: { PURSER_HEAD_TIMEOUT: '2s' } }).start(); });
after(() => shop?.stop());

/** The names of the requests that answers name, in order; a HEAD's answer has no body, which no length can tell here. */
const answered = (came) => [...came.matchAll(/^x-request-id: (\S+)\r$/gim)].map((m) => m[1]);

test(`${STREAMS} mutated streams: answered = logged`, async () => {
    const streams = mutated_streams(SEED, STREAMS);
    const answers = [];
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (next < streams.length) {
            const mine = streams[next];
            next += 1;
            const came = await raw(shop.base, Buffer.from(mine, 'latin1'), { from: next_address(), end: true });
            answers.push(...answered(came));
            assert.equal(answered(came).length, (came.match(/HTTP\/1\.1 (?!100)\d\d\d /g) ?? []).length, `an answer without its id: ${came}`);
        }
    }));
    assert.equal((await shop.request('GET', '/health/live', { from: next_address() })).status, 200);
    assert.ok(answers.length > STREAMS / 2);
    const count = (ids) => ids.reduce((map, id) => map.set(id, (map.get(id) ?? 0) + 1), new Map());
    const wanted = count(answers);
    await until('every answered request is in the log once', () => {
        const logged = count(shop.process.log().map((line) => line.request_id).filter((id) => wanted.has(id)));
        return [...wanted].every(([id, n]) => logged.get(id) === n);
    }, { seconds: 20, every_ms: 300 });
    const extra = shop.process.log().filter((line) => /^s\d+-\d/.test(line.request_id ?? '') && !wanted.has(line.request_id));
    assert.deepEqual(extra, [], 'logged, but not answered');
});
