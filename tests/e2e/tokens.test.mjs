// Tokens that are bad in every way people have thought of: all are 401, and a good one is still good.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, register } from '../support/shop.mjs';

let shop;
let ada;
let keys;
before(async () => {
    shop = await system();
    ada = await register(shop);
    keys = (await shop.request('GET', '/.well-known/jwks.json')).body.keys;
});
after(() => shop?.stop());

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const parts = () => ada.token.split('.');
const header = () => JSON.parse(Buffer.from(parts()[0], 'base64url').toString());
const claims = () => JSON.parse(Buffer.from(parts()[1], 'base64url').toString());

const own = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });

function es256(head, body, key = own.privateKey, dsaEncoding = 'ieee-p1363') {
    const input = `${encode(head)}.${encode(body)}`;
    return `${input}.${crypto.sign('sha256', Buffer.from(input), { key, dsaEncoding }).toString('base64url')}`;
}

function hs256(head, body, secret) {
    const input = `${encode(head)}.${encode(body)}`;
    return `${input}.${crypto.createHmac('sha256', secret).update(input).digest('base64url')}`;
}

async function refused(what, token) {
    const person = new Person(shop);
    const answer = await person.get('/users/me', { token });
    assert.equal(answer.status, 401, `${what} → ${answer.status} ${answer.text}`);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="purser", error="invalid_token"', what);
}

test('signatures that are not the key\'s are refused', async () => {
    const [h, c, s] = parts();
    const bytes = Buffer.from(s, 'base64url');
    const public_pem = crypto.createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const der = crypto.createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'der' });
    const flipped = Buffer.from(bytes);
    flipped[10] ^= 1;
    for (const [what, token] of [
        ['no signature', `${h}.${c}.`],
        ['two parts', `${h}.${c}`],
        ['four parts', `${ada.token}.x`],
        ['none', `${encode({ ...header(), alg: 'none' })}.${c}.`],
        ['None with a signature', `${encode({ ...header(), alg: 'None' })}.${c}.${s}`],
        ['one bit other', `${h}.${c}.${flipped.toString('base64url')}`],
        ['zeros', `${h}.${c}.${Buffer.alloc(64).toString('base64url')}`],
        ['short', `${h}.${c}.${bytes.subarray(0, 63).toString('base64url')}`],
        ['long', `${h}.${c}.${Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64url')}`],
        ['padded', `${h}.${c}.${s}==`],
        ['HS256 with the public key', hs256({ ...header(), alg: 'HS256' }, claims(), public_pem)],
        ['HS256 with the key\'s bytes', hs256({ ...header(), alg: 'HS256' }, claims(), der)],
        ['HS256 with x', hs256({ ...header(), alg: 'HS256' }, claims(), Buffer.from(keys[0].x, 'base64url'))],
        ['HS256 with nothing', hs256({ ...header(), alg: 'HS256' }, claims(), '')],
        ['another key', es256(header(), claims())],
        ['another key, DER', es256(header(), claims(), own.privateKey, 'der')],
        ['our signature under other claims', `${h}.${encode({ ...claims(), role: 'admin' })}.${s}`],
        ['our signature under another header', `${encode({ ...header(), typ: 'x' })}.${c}.${s}`],
    ]) await refused(what, token);
});

test('a header cannot bring its own key', async () => {
    const jwk = own.publicKey.export({ format: 'jwk' });
    for (const [what, extra] of [
        ['jwk', { jwk }], ['jku', { jku: 'http://127.0.0.1:1/keys' }], ['x5u', { x5u: 'http://127.0.0.1:1/x' }], ['x5c', { x5c: ['AAAA'] }],
        ['crit', { crit: ['exp'] }], ['crit with b64', { crit: ['b64'], b64: false }],
        ['unknown kid', { kid: 'nobody' }], ['empty kid', { kid: '' }], ['long kid', { kid: 'k'.repeat(2000) }], ['kid as path', { kid: '../../../../dev/null' }],
        ['kid as SQL', { kid: "' OR 1=1 --" }], ['kid as number', { kid: 5 }], ['kid as list', { kid: [header().kid] }], ['kid null', { kid: null }],
    ]) await refused(what, es256({ ...header(), ...extra }, claims()));
    const { kid, ...without } = header();
    await refused('no kid', es256(without, claims()));
});

test('what is no token at all is refused', async () => {
    for (const token of ['x', '.', '..', '...', 'a.b.c', `${'a'.repeat(4000)}.${'b'.repeat(3000)}.c`, encode('{}'), `${encode('{}')}.${encode('{}')}.`,
        `${encode('[]')}.${encode('[]')}.${encode('[]')}`, `${encode('{"alg":"ES256"')}.${encode('{}')}.x`, ada.refresh_token, `${encode('['.repeat(1000))}.${encode('{}')}.x`]) {
        await refused(token.slice(0, 30), token);
    }
});

test('who brings no token is told of none', async () => {
    for (const path of ['/users/me', '/orders', '/notifications/unread-count', '/operations/status']) {
        const answer = await new Person(shop).get(path);
        assert.equal(answer.status, 401);
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="purser"', path);
    }
});

test('the scheme is Bearer, once', async () => {
    const status = async (headers) => (await new Person(shop).get('/users/me', { headers })).status;
    assert.equal(await status({}), 401);
    assert.equal(await status({ authorization: ada.token }), 401);
    assert.equal(await status({ authorization: `Basic ${ada.token}` }), 401);
    assert.equal(await status({ authorization: 'Bearer' }), 401);
    assert.equal(await status({ authorization: 'Bearer ' }), 401);
    assert.equal(await status({ authorization: `Bearer ${ada.token} x` }), 401);
    assert.equal(await status({ authorization: `bearer ${ada.token}` }), 200);
    assert.equal((await new Person(shop).get(`/users/me?access_token=${ada.token}`)).status, 401);
});

test('a token over 8 KB is refused', async () => {
    const answer = await new Person(shop).get('/users/me', { token: 'a'.repeat(8200) });
    assert.ok([401, 431].includes(answer.status));
});

test('after all this the good token is good, and unknown kids have not emptied the key set', async () => {
    assert.equal((await ada.get('/users/me')).status, 200);
    assert.equal((await shop.request('GET', '/.well-known/jwks.json')).body.keys.length, keys.length);
});
