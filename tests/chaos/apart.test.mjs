// A gateway in a process of its own, in front of the services in another one, and no cache that both of them have.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { next_address, request } from '../support/client.mjs';
import { metrics } from '../support/metrics.mjs';
import { PASSWORD, admin, product, register } from '../support/shop.mjs';
import { System } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const SERVICES = ['users', 'orders', 'notifications', 'payments'];
let services, gateway, boss;

const setting = (name, what) => `PURSER_${name.toUpperCase()}_${what}`;

/** A gateway of those services, with some of its own in its process. */
function gateway_with(...own) {
    const urls = SERVICES.filter((name) => !own.includes(name)).map((name) => [setting(name, 'URL'), `http://${services.settings[setting(name, 'LISTEN')]}`]);
    return new System({ services: ['gateway', ...own], settings: Object.fromEntries(urls) }).start();
}

before(async () => {
    services = await new System({ services: [...SERVICES, 'sandbox'] }).start({ at_admin: true });
    gateway = await gateway_with();
    gateway.create_admin = (...args) => services.create_admin(...args);
    boss = await admin(gateway);
});
after(async () => {
    await gateway?.stop();
    await services?.stop();
});

const session_of = (person) => JSON.parse(Buffer.from(person.token.split('.')[1], 'base64url').toString()).sid;
const endings = {
    'by a new password': ({ ada }) => ada.put('/auth/password', { current_password: PASSWORD, new_password: 'another good password' }),
    'by another device': ({ ada, phone }) => ada.delete(`/auth/sessions/${session_of(phone)}`),
    'by another role': ({ ada }) => boss.patch(`/users/${ada.id}`, { role: 'admin' }),
    'with the account': ({ ada }) => ada.delete('/users/me'),
};

/** Its tokens are refused for all that is asked, also where the user service has no part in it, and its sockets closed. */
async function ends_everywhere(system, how) {
    const ada = await register(system), phone = await ada.login(), socket = phone.socket();
    await socket.next('hello');
    assert.equal((await phone.get('/orders')).status, 200);
    const answer = await endings[how]({ ada, phone });
    assert.ok([200, 204].includes(answer.status), `${how}: ${answer.status} ${answer.text}`);
    await until(`tokens are refused: ${how}`, async () => (await phone.get('/orders')).status === 401, { every_ms: 50 });
    assert.equal(await socket.close_code(), 4401, how);
}

test('however a session ends, a gateway that shares no cache with the services refuses its tokens and closes its sockets', async () => {
    for (const how of Object.keys(endings)) await ends_everywhere(gateway, how);
    const { body } = await request(gateway.base, 'GET', '/health/ready', { unchecked: true, from: next_address() });
    assert.deepEqual([body.status, body.missing], ['ok', []]); // this is how it is meant to be: nothing is away
});

test('sockets that the gateway serves itself are closed as well when the user service is elsewhere', async (t) => {
    const mixed = await gateway_with('notifications');
    t.after(() => mixed.stop());
    for (const how of ['by a new password', 'by another device']) await ends_everywhere(mixed, how);
});

test('endings are heard of again after the user service was away, and that it was is counted', async () => {
    const ada = await register(gateway), phone = await ada.login();
    assert.equal((await phone.get('/orders')).status, 200);
    await services.process.kill();
    await until('it says that it hears of nothing', async () => (await metrics(gateway.admin_base)).purser_revocations_blind_total > 0);
    await services.start({ at_admin: true });
    await until('the password is changed', async () => (await endings['by a new password']({ ada })).status === 204);
    await until('the token is refused', async () => (await phone.get('/orders')).status === 401, { every_ms: 50 });
});

test('notifications come through live', async () => {
    const { sku } = await product(boss), ada = await register(gateway), socket = ada.socket({ after: 0 });
    await ada.paid_order([{ sku, quantity: 1 }]);
    await socket.count(3);
    await socket.close();
});

test('who asks for the WebSocket without an upgrade is told what to ask for', async () => {
    const ada = await register(gateway);
    const { status, headers } = await ada.get('/notifications/ws');
    assert.equal(status, 426);
    assert.equal(headers.upgrade, 'websocket');
    assert.match(headers.connection, /upgrade/i);
    assert.equal(headers['sec-websocket-version'], '13');
});
