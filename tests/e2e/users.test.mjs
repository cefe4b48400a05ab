// Profiles, and what admins do with them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { PASSWORD, Person, admin, all_pages, new_email, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
before(async () => {
    shop = await system();
    boss = await admin(shop);
});
after(() => shop?.stop());

const refused = (person) => until('the token is refused', async () => (await person.get('/users/me')).status === 401, { seconds: 10 });

test('a profile can be changed, and the change is seen at once', async () => {
    const ada = await register(shop);
    await ada.get('/users/me');
    const changed = await ada.patch('/users/me', { name: 'Countess Lovelace' });
    assert.equal(changed.status, 200);
    assert.equal(changed.body.name, 'Countess Lovelace');
    assert.deepEqual((await ada.get('/users/me')).body, changed.body);
    const email = new_email();
    assert.equal((await ada.patch('/users/me', { email })).body.email, email);
    assert.equal((await new Person(shop).post('/auth/login', { email, password: PASSWORD })).status, 200);
});

test('fields that are not the user\'s to set are refused with their pointers', async () => {
    const ada = await register(shop);
    for (const [json, pointers] of [
        [{ role: 'admin' }, ['/role']],
        [{ id: ada.id, created_at: 'x', name: 'Ada' }, ['/created_at', '/id']],
        [{ name: 5 }, ['/name']],
        [{ name: 'x'.repeat(201), email: 'no' }, ['/email', '/name']],
    ]) {
        const answer = await ada.patch('/users/me', json);
        assert.equal(answer.status, 422, JSON.stringify(json));
        assert.deepEqual(answer.body.errors.map((e) => e.pointer).sort(), pointers);
    }
    assert.equal((await ada.get('/users/me')).body.role, 'user');
});

test("another's email cannot be taken", async () => {
    const [ada, eve] = [await register(shop), await register(shop)];
    assert.equal((await eve.patch('/users/me', { email: ada.email.toUpperCase() })).status, 409);
    assert.equal((await ada.patch('/users/me', { email: ada.email.toUpperCase() })).status, 200);
});

test('a deleted user is gone, and the email is free again', async () => {
    const ada = await register(shop);
    const phone = await ada.login();
    const socket = phone.socket();
    await socket.next('hello');
    assert.equal((await ada.delete('/users/me')).status, 204);
    await refused(ada);
    await refused(phone);
    assert.equal(await socket.close_code(), 4401);
    assert.equal((await new Person(shop).post('/auth/login', { email: ada.email, password: PASSWORD })).status, 401);
    const again = await register(shop, { email: ada.email });
    assert.notEqual(again.id, ada.id);
});

test('admins list users newest first, page by page', async () => {
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push((await register(shop)).id);
    const page = await boss.get('/users?limit=2');
    assert.equal(page.status, 200);
    assert.deepEqual(page.body.data.map((u) => u.id), [made[4], made[3]]);
    const rest = await boss.get(`/users?limit=2&cursor=${encodeURIComponent(page.body.next_cursor)}`);
    assert.deepEqual(rest.body.data.map((u) => u.id), [made[2], made[1]]);
    const everybody = (await all_pages(boss, '/users', 3)).map((u) => u.id);
    assert.equal(new Set(everybody).size, everybody.length);
    assert.ok(made.every((id) => everybody.includes(id)));
});

test('bad list parameters are 422 with their pointer', async () => {
    for (const [query, pointer] of [
        ['limit=0', '/limit'], ['limit=101', '/limit'], ['limit=x', '/limit'], ['limit=', '/limit'], ['limit=1e1', '/limit'],
        ['cursor=%00', '/cursor'], ['cursor=nonsense', '/cursor'],
    ]) {
        const answer = await boss.get(`/users?${query}`);
        assert.equal(answer.status, 422, query);
        assert.deepEqual(answer.body.errors.map((e) => e.pointer), [pointer], query);
    }
});

test('admins look a user up; others may not', async () => {
    const ada = await register(shop);
    assert.equal((await boss.get(`/users/${ada.id}`)).body.email, ada.email);
    assert.equal((await boss.get('/users/01932f4e-7b1c-7d2a-9c55-3f1f6a0b7c11')).status, 404);
    assert.equal((await boss.get('/users/no-id')).status, 404);
    assert.equal((await ada.get('/users')).status, 403);
    assert.equal((await ada.get(`/users/${ada.id}`)).status, 403);
    assert.equal((await ada.patch(`/users/${ada.id}`, { role: 'admin' })).status, 403);
    assert.equal((await ada.get('/users', { token: null })).status, 401);
});

test("a changed role ends the user's sessions", async () => {
    const ada = await register(shop);
    assert.equal((await boss.patch(`/users/${ada.id}`, { role: 'king' })).status, 422);
    const changed = await boss.patch(`/users/${ada.id}`, { role: 'admin' });
    assert.equal(changed.status, 200);
    assert.equal(changed.body.role, 'admin');
    await refused(ada);
    const again = await ada.login();
    assert.equal((await again.get('/users')).status, 200);
    await boss.patch(`/users/${ada.id}`, { role: 'user' });
    await refused(again);
});

test('one registration wins when the same email comes many times at once', async () => {
    const email = new_email();
    const answers = await Promise.all(Array.from({ length: 8 }, () =>
        new Person(shop).post('/auth/register', { email, password: PASSWORD, name: 'Ada' })));
    assert.deepEqual(answers.map((a) => a.status).sort(), [201, 409, 409, 409, 409, 409, 409, 409]);
});
