// Users' functions in tests: whether they can run here, and deploying and calling them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { binary } from './system.mjs';
import { new_key, unique } from './shop.mjs';
import { until } from './wait.mjs';

/** False where purser-function-host could not be built: tests of functions are skipped then. A system outside has it. */
export const functions_run = Boolean(process.env.PURSER_BASE_URL) || fs.existsSync(path.join(path.dirname(binary), 'purser-function-host'));

/** Deploys a new function under a name of its own; gives the name. */
export async function deploy(boss, source, more = {}) {
    const name = more.name ?? unique('f').toLowerCase();
    const answer = await boss.post('/functions', { source, timeout_ms: 20000, ...more, name }, { key: new_key() });
    assert.equal(answer.status, 201, answer.text);
    return name;
}

export const call = (person, name, event = {}, options = {}) => person.post(`/functions/${name}/invocations`, event, options);

/** The notifications of one type, once there are `count`. */
export async function notified(person, type, count = 1) {
    return until(`${person.email} has ${count} × ${type}`, async () => {
        const rows = (await person.get('/notifications?after=0&limit=100')).body.data.filter((row) => row.type === type);
        assert.ok(rows.length <= count, `${rows.length} × ${type}`);
        return rows.length === count && rows;
    });
}
