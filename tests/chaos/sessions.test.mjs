// Sessions that end, keys that change, and what a log may not say.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { System, run } from '../support/system.mjs';
import { PASSWORD, Person, admin, new_email, register } from '../support/shop.mjs';
import { request, next_address } from '../support/client.mjs';
import { sleep, until } from '../support/wait.mjs';

let shop;
let boss;
before(async () => {
    shop = await new System({ settings: { PURSER_LOG_LEVEL: 'debug', PURSER_KEY_LEAD: '2s' } }).start();
    boss = await admin(shop);
});
after(() => shop?.stop());

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'));
const header = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString('utf8'));
const refresh = (person, token) => person.post('/auth/refresh', { refresh_token: token }, { token: null });
const kids = async () => (await shop.request('GET', '/.well-known/jwks.json', { from: next_address() })).body.keys.map((k) => k.kid);

async function metric(name) {
    const { text } = await request(shop.admin_base, 'GET', '/metrics', { unchecked: true });
    return Number(text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0);
}

test('however a session ends, its tokens are refused and its sockets closed', async () => {
    const endings = {
        'by another device': ({ ada, phone }) => ada.delete(`/auth/sessions/${claims(phone.token).sid}`),
        'by a new password': ({ ada }) => ada.put('/auth/password', { current_password: PASSWORD, new_password: 'another good password' }),
        'by another role': ({ ada }) => boss.patch(`/users/${ada.id}`, { role: 'admin' }),
        'with the account': ({ ada }) => ada.delete('/users/me'),
        'by a used refresh token': async ({ phone }) => {
            const first = phone.refresh_token;
            const second = (await refresh(phone, first)).body.refresh_token;
            await refresh(phone, second);
            return refresh(phone, first);
        },
    };
    for (const [how, end] of Object.entries(endings)) {
        const ada = await register(shop);
        const phone = await ada.login();
        const socket = phone.socket();
        await socket.next('hello');
        const answer = await end({ ada, phone });
        assert.ok([200, 204, 401].includes(answer.status), `${how}: ${answer.status} ${answer.text}`);
        await until(`tokens are refused: ${how}`, async () => (await phone.get('/users/me')).status === 401, { every_ms: 10 });
        assert.equal(await socket.close_code(), 4401, how);
        assert.equal((await refresh(phone, phone.refresh_token)).status, 401, how);
    }
});

test('the token just replaced is good for ten seconds; then it ends the session and is noted', async () => {
    const ada = await register(shop);
    const before_count = await metric('purser_users_refresh_reused_total');
    const second = (await refresh(ada, ada.refresh_token)).body.refresh_token;
    await sleep(10500); // the grace
    assert.equal((await refresh(ada, ada.refresh_token)).status, 401);
    assert.equal((await refresh(ada, second)).status, 401);
    assert.equal(await metric('purser_users_refresh_reused_total'), before_count + 1);
    const { sid } = claims(ada.token);
    await until('the log says so', () => shop.process.log().some((l) => l.level === 'warn' && l.session_id === sid));
});

test('keys change under load without a single refusal', async () => {
    const people = [];
    for (let i = 0; i < 5; i += 1) people.push(await register(shop));
    let going = true;
    let served = 0;
    const traffic = people.map(async (person) => {
        while (going) {
            const answer = await person.get('/users/me', { token: person.token });
            assert.equal(answer.status, 200, answer.text);
            served += 1;
            await sleep(100); // within a user's limit
        }
    });
    const old = await kids();
    const rotated = await run(['keys', 'rotate'], shop.settings);
    assert.equal(rotated.status, 0, rotated.stderr);
    const fresh = (await kids()).find((kid) => !old.includes(kid));
    assert.ok(fresh, 'published at once');
    const [ada] = people;
    await until('tokens are signed with the new key', async () => {
        const answer = await refresh(ada, ada.refresh_token);
        assert.equal(answer.status, 200);
        ada.take(answer.body);
        return header(ada.token).kid === fresh;
    }, { every_ms: 500 });
    assert.equal((await ada.get('/users/me')).status, 200);
    const still = await kids();
    assert.ok(old.every((kid) => still.includes(kid)), 'the old keys stay while tokens of theirs live');
    going = false;
    await Promise.all(traffic);
    assert.ok(served > 0);
});

test('unknown key ids do not flood the key set', async () => {
    const ada = await register(shop);
    const [, body, signature] = ada.token.split('.');
    const before_count = await metric('purser_key_set_fetches_total');
    const began = Date.now();
    for (let round = 0; round < 10; round += 1) {
        const answers = await Promise.all(Array.from({ length: 30 }, () => {
            const forged = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: crypto.randomUUID() })).toString('base64url');
            return new Person(shop).get('/users/me', { token: `${forged}.${body}.${signature}` });
        }));
        assert.ok(answers.every((a) => a.status === 401));
        assert.equal((await ada.get('/users/me')).status, 200);
    }
    const fetched = await metric('purser_key_set_fetches_total') - before_count;
    const allowed = 4 * (2 + (Date.now() - began) / 2000); // a cool-down of 2 s, a few workers, and the usual looks
    assert.ok(fetched <= allowed, `${fetched} fetches for 300 forgeries`);
});

test('neither log nor address says a token or password', async () => {
    const secrets = [];
    const note = (answer) => secrets.push(answer.body.access_token.split('.')[2], answer.body.refresh_token);
    const email = new_email();
    const made = await new Person(shop).post('/auth/register', { email, password: 'a secret that nobody logs', name: 'Ada' });
    note(made);
    const ada = new Person(shop, { answer: made.body });
    note(await new Person(shop).post('/auth/login', { email, password: 'a secret that nobody logs' }));
    note(await refresh(ada, ada.refresh_token));
    await new Person(shop).post('/auth/login', { email, password: 'a wrong secret that nobody logs' });
    await refresh(ada, `${ada.refresh_token}x`);
    await ada.get('/users/me', { token: `${ada.token}x` });
    await new Person(shop).get(`/users/me?access_token=${ada.token}`);
    const socket = ada.socket({ browser: true });
    await socket.next('hello');
    await ada.put('/auth/password', { current_password: 'a secret that nobody logs', new_password: 'a newer secret that nobody logs' });
    await socket.close();
    secrets.push('secret that nobody logs');
    const said = shop.process.lines.join('\n');
    assert.ok(said.includes('/api/v1/auth/login'), 'requests are logged');
    for (const secret of secrets) assert.equal(said.includes(secret), false, `the log says ${secret}`);
});
