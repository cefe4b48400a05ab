// Accounts, tokens and sessions.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { PASSWORD, Person, new_email, register } from '../support/shop.mjs';
import { next_address } from '../support/client.mjs';
import { until } from '../support/wait.mjs';

let shop;
before(async () => { shop = await system(); });
after(() => shop?.stop());

const anyone = () => new Person(shop);
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'));
const refused = (person) => until('the token is refused', async () => (await person.get('/users/me')).status === 401, { seconds: 10 });

test('register gives a user and tokens that work', async () => {
    const email = new_email();
    const answer = await anyone().post('/auth/register', { email, password: PASSWORD, name: 'Ada' });
    assert.equal(answer.status, 201);
    assert.equal(answer.body.user.email, email);
    assert.equal(answer.body.user.role, 'user');
    assert.equal(answer.body.token_type, 'Bearer');
    assert.equal(answer.body.expires_in, 900);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.text.includes(PASSWORD), false);
    const me = await new Person(shop, { answer: answer.body }).get('/users/me');
    assert.equal(me.status, 200);
    assert.deepEqual(me.body, answer.body.user);
});

test('an access token is a JWT with the agreed header and claims', async () => {
    const ada = await register(shop);
    const header = JSON.parse(Buffer.from(ada.token.split('.')[0], 'base64url').toString('utf8'));
    assert.equal(header.alg, 'ES256');
    const keys = (await shop.request('GET', '/.well-known/jwks.json')).body.keys;
    assert.ok(keys.some((key) => key.kid === header.kid));
    const body = claims(ada.token);
    assert.deepEqual(Object.keys(body).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'role', 'sid', 'sub']);
    assert.equal(body.sub, ada.id);
    assert.equal(body.role, 'user');
    assert.equal(body.exp - body.iat, 900);
});

test('emails are compared without case, and a taken one is 409', async () => {
    const ada = await register(shop);
    const again = await anyone().post('/auth/register', { email: ada.email.toUpperCase(), password: PASSWORD, name: 'Eve' });
    assert.equal(again.status, 409);
    const login = await anyone().post('/auth/login', { email: ada.email.toUpperCase(), password: PASSWORD });
    assert.equal(login.status, 200);
    assert.equal(login.body.user.id, ada.id);
});

test('register names every bad field at once', async () => {
    const cases = [
        [{}, ['/email', '/name', '/password']],
        [{ email: 'no', password: 'short', name: '' }, ['/email', '/name', '/password']],
        [{ email: new_email(), password: 'x'.repeat(257), name: 'Ada' }, ['/password']],
        [{ email: new_email(), password: 'x'.repeat(7), name: 'Ada' }, ['/password']],
        [{ email: new_email(), password: 'password1', name: 'Ada' }, ['/password']],
        [{ email: 5, password: null, name: [] }, ['/email', '/name', '/password']],
        [{ email: new_email(), password: PASSWORD, name: 'Ada', role: 'admin' }, ['/role']],
        [{ email: new_email(), password: PASSWORD, name: 'Ada', 'a/b~c': 1 }, ['/a~1b~0c']],
        [[], ['']],
        ['text', ['']],
        [null, ['']],
    ];
    for (const [json, pointers] of cases) {
        const answer = await anyone().post('/auth/register', json);
        assert.equal(answer.status, 422, JSON.stringify(json));
        assert.deepEqual(answer.body.errors.map((e) => e.pointer).sort(), pointers, JSON.stringify(json));
    }
});

test('a password is counted in characters, not in bytes', async () => {
    const long = 'é'.repeat(256);
    const ada = await register(shop, { password: long });
    assert.equal((await anyone().post('/auth/login', { email: ada.email, password: long })).status, 200);
    const short = await anyone().post('/auth/register', { email: new_email(), password: 'é'.repeat(7), name: 'Ada' });
    assert.equal(short.status, 422);
});

test('an unknown email and a wrong password get the same words', async () => {
    const ada = await register(shop);
    const wrong = await anyone().post('/auth/login', { email: ada.email, password: 'not her password' });
    const unknown = await anyone().post('/auth/login', { email: new_email(), password: 'not her password' });
    const text = ({ body }) => ({ ...body, request_id: '' });
    assert.equal(wrong.status, 401);
    assert.equal(unknown.status, 401);
    assert.deepEqual(text(wrong), text(unknown));
});

test('wrong passwords from elsewhere do not lock the owner out', async () => {
    const ada = await register(shop);
    const statuses = [];
    for (let i = 0; i < 12; i += 1) {
        statuses.push((await anyone().post('/auth/login', { email: ada.email, password: `wrong number ${i}` })).status);
    }
    assert.ok(statuses.every((s) => s === 401 || s === 429), statuses.join());
    const owner = await until('the owner gets in', async () => {
        const answer = await anyone().post('/auth/login', { email: ada.email, password: PASSWORD });
        return answer.status === 200 && answer;
    }, { every_ms: 500 });
    assert.equal(owner.body.user.id, ada.id);
    assert.equal((await ada.get('/users/me')).status, 200);
});

test('more than ten logins a minute from one address are 429', async () => {
    const from = next_address();
    const statuses = [];
    for (let i = 0; i < 14; i += 1) {
        const person = new Person(shop, { from });
        statuses.push((await person.post('/auth/login', { email: new_email(), password: PASSWORD })).status);
    }
    assert.ok(statuses.filter((s) => s === 401).length >= 10, statuses.join());
    assert.ok(statuses.includes(429), statuses.join());
});

test('refresh gives a new pair; the token just replaced gives the same successor again', async () => {
    const ada = await register(shop);
    const first = ada.refresh_token;
    const answers = [];
    for (let i = 0; i < 3; i += 1) answers.push(await ada.post('/auth/refresh', { refresh_token: first }, { token: null }));
    assert.deepEqual(answers.map((a) => a.status), [200, 200, 200]);
    assert.equal(new Set(answers.map((a) => a.body.refresh_token)).size, 1);
    assert.notEqual(answers[0].body.refresh_token, first);
    assert.equal(claims(answers[0].body.access_token).sid, claims(ada.token).sid);
    assert.equal(answers[0].headers['cache-control'], 'no-store');
    assert.equal((await ada.get('/users/me', { token: answers[2].body.access_token })).status, 200);
});

test('many tabs refreshing at once stay signed in', async () => {
    const ada = await register(shop);
    const answers = await Promise.all(Array.from({ length: 10 }, () =>
        ada.post('/auth/refresh', { refresh_token: ada.refresh_token }, { token: null })));
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
    assert.equal(new Set(answers.map((a) => a.body.refresh_token)).size, 1);
    const next = await ada.post('/auth/refresh', { refresh_token: answers[0].body.refresh_token }, { token: null });
    assert.equal(next.status, 200);
});

test('a refresh token older than the one just replaced ends the session', async () => {
    const ada = await register(shop);
    const first = ada.refresh_token;
    const second = (await ada.post('/auth/refresh', { refresh_token: first }, { token: null })).body;
    const third = (await ada.post('/auth/refresh', { refresh_token: second.refresh_token }, { token: null })).body;
    assert.equal((await ada.post('/auth/refresh', { refresh_token: first }, { token: null })).status, 401);
    assert.equal((await ada.post('/auth/refresh', { refresh_token: third.refresh_token }, { token: null })).status, 401);
    await refused(ada);
});

test('what is no refresh token is 401, what is no text 422', async () => {
    const ada = await register(shop);
    const broken = ada.refresh_token.slice(0, -2) + (ada.refresh_token.endsWith('AA') ? 'BB' : 'AA');
    for (const token of ['', 'x', broken, ada.token, 'a'.repeat(5000)]) {
        assert.equal((await ada.post('/auth/refresh', { refresh_token: token }, { token: null })).status, 401, token);
    }
    assert.equal((await ada.post('/auth/refresh', { refresh_token: 5 }, { token: null })).status, 422);
    assert.equal((await ada.post('/auth/refresh', {}, { token: null })).status, 422);
    assert.equal((await ada.post('/auth/refresh', { refresh_token: ada.refresh_token }, { token: null })).status, 200);
});

test('logout ends the session at once', async () => {
    const ada = await register(shop);
    const other = await ada.login();
    const answer = await ada.post('/auth/logout');
    assert.equal(answer.status, 204);
    assert.equal(answer.text, '');
    assert.equal((await ada.get('/users/me')).status, 401);
    assert.equal((await ada.post('/auth/refresh', { refresh_token: ada.refresh_token }, { token: null })).status, 401);
    assert.equal((await other.get('/users/me')).status, 200);
});

test('sessions are listed, and one can be ended from another', async () => {
    const ada = await register(shop);
    const phone = await ada.login();
    const list = await ada.get('/auth/sessions');
    assert.equal(list.status, 200);
    assert.equal(list.body.data.length, 2);
    const current = list.body.data.filter((s) => s.current);
    assert.deepEqual(current.map((s) => s.id), [claims(ada.token).sid]);
    const other = list.body.data.find((s) => !s.current);
    assert.equal((await ada.delete(`/auth/sessions/${other.id}`)).status, 204);
    await refused(phone);
    assert.equal((await ada.get('/auth/sessions')).body.data.length, 1);
    assert.equal((await ada.delete(`/auth/sessions/${other.id}`)).status, 404);
});

test("somebody else's session is 404", async () => {
    const [ada, eve] = [await register(shop), await register(shop)];
    assert.equal((await eve.delete(`/auth/sessions/${claims(ada.token).sid}`)).status, 404);
    assert.equal((await eve.delete('/auth/sessions/not-an-id')).status, 404);
    assert.equal((await ada.get('/users/me')).status, 200);
});

test('a changed password ends the other sessions and lets the new one in', async () => {
    const ada = await register(shop);
    const phone = await ada.login();
    const wrong = await ada.put('/auth/password', { current_password: 'not her password', new_password: 'another good password' });
    assert.equal(wrong.status, 403);
    const weak = await ada.put('/auth/password', { current_password: PASSWORD, new_password: 'short' });
    assert.equal(weak.status, 422);
    assert.deepEqual(weak.body.errors.map((e) => e.pointer), ['/new_password']);
    const done = await ada.put('/auth/password', { current_password: PASSWORD, new_password: 'another good password' });
    assert.equal(done.status, 204);
    await refused(phone);
    assert.equal((await ada.get('/users/me')).status, 200);
    assert.equal((await anyone().post('/auth/login', { email: ada.email, password: PASSWORD })).status, 401);
    assert.equal((await anyone().post('/auth/login', { email: ada.email, password: 'another good password' })).status, 200);
});

test('in cookie mode the refresh token travels as a cookie alone', async () => {
    const headers = { 'x-session-mode': 'cookie', origin: shop.base };
    const person = anyone();
    const email = new_email();
    const made = await person.post('/auth/register', { email, password: PASSWORD, name: 'Ada' }, { headers });
    assert.equal(made.status, 201);
    assert.equal('refresh_token' in made.body, false);
    const cookie = made.headers['set-cookie'][0];
    for (const part of [/^__Secure-purser=[^;]+/, /HttpOnly/i, /Secure/i, /SameSite=Strict/i, /Path=\/api\/v1\/auth/i]) assert.match(cookie, part);
    const sent = { ...headers, cookie: cookie.split(';')[0] };
    const next = await person.post('/auth/refresh', {}, { headers: sent });
    assert.equal(next.status, 200);
    assert.equal('refresh_token' in next.body, false);
    assert.ok(next.headers['set-cookie'][0].startsWith('__Secure-purser='));
    const out = await person.post('/auth/logout', undefined,
        { token: next.body.access_token, headers: { ...headers, cookie: next.headers['set-cookie'][0].split(';')[0] } });
    assert.equal(out.status, 204);
    assert.match(out.headers['set-cookie'][0], /^__Secure-purser=;|Max-Age=0|Expires=Thu, 01 Jan 1970/i);
});

test('a cookie from a foreign origin, without origin or without the header is refused', async () => {
    const headers = { 'x-session-mode': 'cookie', origin: shop.base };
    const person = anyone();
    const made = await person.post('/auth/register', { email: new_email(), password: PASSWORD, name: 'Ada' }, { headers });
    const cookie = made.headers['set-cookie'][0].split(';')[0];
    const tries = [
        { cookie, 'x-session-mode': 'cookie', origin: 'https://evil.example' },
        { cookie, 'x-session-mode': 'cookie', origin: 'null' },
        { cookie, 'x-session-mode': 'cookie' },
        { cookie, origin: shop.base },
    ];
    for (const sent of tries) {
        const answer = await person.post('/auth/refresh', {}, { headers: sent });
        assert.equal(answer.status, 403, JSON.stringify(sent));
        assert.equal(answer.headers['set-cookie'], undefined);
    }
    // Where the cookie is not what is used, it is no matter.
    const bearer = await register(shop);
    assert.equal((await person.post('/auth/refresh', { refresh_token: bearer.refresh_token }, { headers: { cookie } })).status, 200);
    assert.equal((await person.post('/auth/refresh', {}, { headers: { ...headers, cookie } })).status, 200);
});
