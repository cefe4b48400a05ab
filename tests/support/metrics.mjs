// What a process says of itself at its admin address.

import assert from 'node:assert/strict';
import { next_address, request } from './client.mjs';

/** The Prometheus text as an object: `name{labels}` → number. */
export async function metrics(admin_base) {
    const { status, text } = await request(admin_base, 'GET', '/metrics', { unchecked: true, from: next_address(), seconds: 20 });
    assert.equal(status, 200, text);
    const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** The outbox of a service that runs there: `{rows, oldest_ms}`. */
export async function outbox(admin_base, service) {
    const all = await metrics(admin_base);
    const [rows, oldest_ms] = ['rows', 'oldest_milliseconds'].map((name) => all[`purser_outbox_${name}{service="${service}"}`]);
    assert.notEqual(rows, undefined, `no gauge of ${service}'s outbox at ${admin_base}`);
    return { rows, oldest_ms };
}
