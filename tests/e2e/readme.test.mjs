// The walk in the README works when it is pasted.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { System, temporary_folder } from '../support/system.mjs';

const readme = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

function shell(script) {
    return new Promise((resolve) => {
        execFile('bash', ['-c', script], { timeout: 60000 }, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    });
}

test('the walk through the API', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const shop = await new System({ settings: { PURSER_DEMO: 'on' } }).start();
    const folder = temporary_folder();
    const walk = /<!-- walk -->\n```sh\n([^]*?)```/.exec(readme)[1]
        .replaceAll('http://127.0.0.1:3000', shop.base).replaceAll('/tmp/purser-', path.join(folder, 'walk-'))
        // Where a reader takes a moment, the script waits until the order is paid.
        .replace('# It is paid', 'until curl -s $API/orders/$ORDER -H "Authorization: Bearer $TOKEN" | grep -q \'"status":"paid"\'; do sleep 0.2; done\n# It is paid')
        .replaceAll(/^curl .*$/gm, (line) => `${line}${line.includes('>') ? '' : '; echo'}`);
    const { error, stdout, stderr } = await shell(walk);
    assert.equal(error, null, stderr);
    const answers = stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const [products, me, paid, notifications, cancelled, payments, declined, wrong] = answers;
    assert.ok(products.data.length > 0);
    assert.equal(me.email, 'ada@example.com');
    assert.equal(paid.status, 'paid');
    assert.ok(notifications.data.length >= 2);
    assert.equal(cancelled.status, 'cancelled');
    assert.equal(payments.data.length, 1);
    assert.equal(declined.status, 'pending_payment');
    assert.deepEqual(wrong.errors.map((e) => e.pointer).sort(), ['/items/0/quantity', '/items/0/sku']);
    await shop.stop();
});
