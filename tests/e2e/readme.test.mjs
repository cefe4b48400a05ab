// What the README and docs/functions.md say to paste works when it is pasted, and prints what they say.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { functions_run } from '../support/functions.mjs';
import { binary, clean_environment, System, temporary_folder } from '../support/system.mjs';

const text_of = (name) => fs.readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const readme = text_of('README.md');
const outside = process.env.PURSER_BASE_URL && 'the system runs elsewhere';
const block = (name) => new RegExp(`<!-- ${name} -->\n\`\`\`sh\n([^]*?)\`\`\``).exec(readme)[1];

/** Runs a script in a folder of its own, as in a terminal beside that system. */
function shell(shop, folder, script) {
    const env = { ...clean_environment(shop.settings), PATH: `${path.dirname(binary)}:${process.env.PATH}` };
    return new Promise((resolve) => {
        execFile('bash', ['-c', script], { cwd: folder, env, timeout: 600000 }, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    });
}

const adapted = (shop, folder, script) => script
    .replaceAll('http://127.0.0.1:3000', shop.base).replaceAll('/tmp/purser-', path.join(folder, 'walk-')).replaceAll('build/purser ', 'purser ')
    // Where a reader takes a moment, the script waits until the order is paid.
    .replace('# It is paid', 'until curl -s $API/orders/$ORDER -H "Authorization: Bearer $TOKEN" | grep -q \'"status":"paid"\'; do sleep 0.2; done\n# It is paid')
    .replaceAll(/^curl .*$/gm, (line) => `${line}${line.includes('>') ? '' : '; echo'}`);

const answers_in = (stdout) => stdout.trim().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

test('the walk through the API', { skip: outside }, async (t) => {
    const shop = await new System({ settings: { PURSER_DEMO: 'on' } }).start();
    t.after(() => shop.stop());
    const folder = temporary_folder();
    const { error, stdout, stderr } = await shell(shop, folder, adapted(shop, folder, block('walk')));
    assert.equal(error, null, stderr);
    const [products, me, paid, notifications, cancelled, payments, declined, wrong] = answers_in(stdout);
    assert.ok(products.data.length > 0);
    assert.equal(me.email, 'ada@example.com');
    assert.equal(paid.status, 'paid');
    assert.ok(notifications.data.length >= 2);
    assert.equal(cancelled.status, 'cancelled');
    assert.equal(payments.data.length, 1);
    assert.equal(declined.status, 'pending_payment');
    assert.deepEqual(wrong.errors.map((e) => e.pointer).sort(), ['/items/0/quantity', '/items/0/sku']);
});

test('a function in place of a built-in, and back', { skip: outside || (!functions_run && 'purser-function-host is not built') }, async (t) => {
    const shop = await new System({ settings: { PURSER_DEMO: 'on', PURSER_FUNCTIONS: 'on' } }).start();
    t.after(() => shop.stop());
    const folder = temporary_folder();
    const told = (words) => `until curl -s "$API/notifications?after=0" -H "Authorization: Bearer $TOKEN" | grep -q '${words}'; do sleep 0.2; done\n`;
    const script = `{\n${block('walk')}${told('Receipt for order')}} > walk.txt\n${block('function')}${told('Thanks')}${block('back')}`;
    const { error, stdout, stderr } = await shell(shop, folder, adapted(shop, folder, script));
    assert.equal(error, null, stderr);
    const [notifications] = answers_in(stdout);
    const receipts = notifications.data.filter((row) => row.type === 'function.format-order');
    assert.ok(receipts.some((row) => row.title === 'Thanks!' && /^You pay \d+ cents for 1 thing/.test(row.body)), stdout);
    assert.ok(receipts.some((row) => row.title.startsWith('Receipt for order')), stdout);
    assert.match(stdout, /^format-order is at version 2\.$/m);
    assert.match(stdout, /^format-order is back at version 1\.$/m);
});

test('docs/functions.md, from its top to its end', { skip: outside || (!functions_run && 'purser-function-host is not built') }, async (t) => {
    const shop = await new System({ settings: { PURSER_FUNCTIONS: 'on' } }).start();
    t.after(() => shop.stop());
    const folder = temporary_folder();
    const pieces = [...text_of('docs/functions.md').matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind, text]) => ({ kind, text }));
    assert.ok(pieces.length >= 10 && pieces.every((piece) => ['sh', 'text'].includes(piece.kind)));
    const mark = '--- what comes next ---';
    // What a block prints is what the next one says, if that is text; what goes to standard error is read with it, as in a terminal.
    const script = pieces.filter((piece) => piece.kind === 'sh').map((piece) => `${piece.text}echo '${mark}'\n`).join('').replaceAll('http://127.0.0.1:3000', shop.base)
        // By the clock, on a machine that does other work as well.
        .replace(/deploy (greet|price|thanks)\.js(?= --access)/g, '$& --timeout-ms 20000');
    const { error, stdout } = await shell(shop, folder, `exec 2>&1\n${script}`);
    assert.equal(error, null, stdout);
    const printed = stdout.split(`${mark}\n`);
    pieces.forEach((piece, at) => {
        if (piece.kind === 'sh') assert.equal(printed.shift(), pieces[at + 1]?.kind === 'text' ? pieces[at + 1].text : '', piece.text);
    });
});
