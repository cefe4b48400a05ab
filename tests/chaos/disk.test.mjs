// A disk that is full or fails: nothing that was acknowledged is lost, and the process says what happened.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { System, binary, temporary_folder } from '../support/system.mjs';
import { admin, new_key, product, register } from '../support/shop.mjs';
import { sleep, until } from '../support/wait.mjs';

/** A file system of 24 MB of our own, or null where that is not allowed. */
function small_disk() {
    const folder = temporary_folder();
    try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder], { stdio: 'ignore' });
        return folder;
    } catch {
        return null;
    }
}

function unmount(folder) {
    execFileSync('umount', ['-l', folder]);
}

test('a full disk: what cannot be kept is refused, reads go on, and it recovers by itself', async (context) => {
    const data = small_disk();
    if (!data) return context.skip('mounting a small file system needs root');
    try {
        const shop = await new System({ data }).start();
        const boss = await admin(shop);
        const { sku } = await product(boss);
        const ada = await register(shop);
        const acknowledged = [(await ada.order([{ sku, quantity: 1 }])).id];
        await ada.order_in(acknowledged[0], 'paid');
        const filler = path.join(data, 'filler');
        fill(filler);
        const refused = await until('an order is refused', async () => {
            const answer = await ada.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key() });
            if (answer.status === 201) acknowledged.push(answer.body.id);
            return answer.status >= 500 && answer;
        });
        assert.ok([500, 503].includes(refused.status), refused.text);
        assert.equal((await ada.get(`/orders/${acknowledged[0]}`)).status, 200);
        assert.equal(shop.process.exit, null);
        fs.rmSync(filler);
        const later = await until('orders are taken again', async () => {
            const answer = await ada.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key() });
            return answer.status === 201 && answer.body.id;
        });
        for (const id of [...acknowledged, later]) await ada.order_in(id, 'paid');
        assert.equal((await boss.get('/operations/ledger')).body.balanced, true);
        await shop.process.stop();
    } finally {
        unmount(data);
    }
});

/** Takes all space that is left. */
function fill(file) {
    const chunk = Buffer.alloc(65536);
    const descriptor = fs.openSync(file, 'w');
    try {
        for (;;) fs.writeSync(descriptor, chunk);
    } catch (error) {
        assert.equal(error.code, 'ENOSPC');
    } finally {
        fs.closeSync(descriptor);
    }
}

function may_trace() {
    try {
        execFileSync('strace', ['-f', '-o', '/dev/null', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

test('a sync that fails ends the process with one fatal line, and a restart finds everything acknowledged', async (context) => {
    if (!may_trace() || /sanitized/.test(binary)) return context.skip('needs strace');
    const shop = await new System().start();
    const boss = await admin(shop);
    const { sku } = await product(boss);
    const ada = await register(shop);
    await shop.process.stop();
    // The syncs of the start succeed; later ones fail.
    shop.wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync,fsync', '-e', 'inject=fdatasync,fsync:error=EIO:when=40+'];
    await shop.start();
    const acknowledged = [];
    await until('the process has ended', async () => {
        if (shop.process.exit) return true;
        try {
            const answer = await ada.post('/orders', { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key(), seconds: 10 });
            if (answer.status === 201) acknowledged.push(answer.body.id);
        } catch {
            await sleep(10);
        }
        return Boolean(shop.process.exit);
    }, { every_ms: 1 });
    assert.notEqual(shop.process.exit.code, 0);
    assert.ok(shop.process.log().some((line) => line.level === 'fatal') || shop.process.lines.some((l) => /sync/i.test(l)), shop.process.tail());
    shop.wrapper = [];
    await shop.start();
    for (const id of acknowledged) await ada.order_in(id, 'paid');
    assert.equal((await boss.get('/operations/ledger')).body.balanced, true);
    await shop.stop();
});
