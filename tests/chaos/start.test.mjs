// Starts that cannot work: one clear line, exit status 1, and nothing broken for a process that runs.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { System, free_port, run, temporary_folder } from '../support/system.mjs';
import { Person, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

/** Runs a start that must end by itself, with one line that has the words. */
async function refused(settings, words, args = ['run']) {
    const port = await free_port();
    const { status, stdout, stderr } = await run(args, { PURSER_LISTEN: `127.0.0.1:${port}`, PURSER_ADMIN_LISTEN: 'off', PURSER_DATA: temporary_folder(), ...settings }, { seconds: 30 });
    assert.equal(status, 1, `${status}: ${stdout}${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /^purser: [^\n]+\n$/, 'one line');
    for (const word of words) assert.match(stderr, word);
}

test('a taken port', async () => {
    const server = net.createServer();
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address();
    await refused({ PURSER_LISTEN: `127.0.0.1:${port}` }, [new RegExp(String(port)), /another process/i]);
    server.close();
});

test('an address that two doors of one process want is called that', async () => {
    const own = { PURSER_LISTEN: '127.0.0.1:21999', PURSER_ADMIN_LISTEN: '127.0.0.1:21999' };
    await refused(own, [/PURSER_LISTEN and PURSER_ADMIN_LISTEN are both 127\.0\.0\.1:21999/]);
    const apart = { PURSER_USERS_LISTEN: '127.0.0.1:21999', PURSER_ORDERS_LISTEN: '127.0.0.1:21999' };
    await refused(apart, [/PURSER_USERS_LISTEN and PURSER_ORDERS_LISTEN are both 127\.0\.0\.1:21999/], ['run', 'users', 'orders']);
});

test('a service apart that cannot listen beside one that can', async () => {
    const server = net.createServer();
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address();
    await refused({ PURSER_USERS_LISTEN: '127.0.0.1:0', PURSER_ORDERS_LISTEN: `127.0.0.1:${port}` }, [new RegExp(String(port)), /another process/i], ['run', 'users', 'orders']);
    server.close();
});

test('health where nobody may ask for it', async () => {
    const { status, stderr } = await run(['health'], { PURSER_ADMIN_LISTEN: 'off' });
    assert.equal(status, 1);
    assert.match(stderr, /^purser: PURSER_ADMIN_LISTEN is off[^\n]*\n$/);
});

test('a port taken by another Purser, and its data folder in use', async () => {
    const shop = await new System().start();
    await refused({ PURSER_LISTEN: new URL(shop.base).host }, [new RegExp(new URL(shop.base).port), /another process/i]);
    await refused({ PURSER_DATA: shop.data }, [new RegExp(shop.data), /in use|another process/i]);
    await register(shop);
    await shop.stop();
});

test('migrate says that all is done, beside a system that runs and without one', async () => {
    const shop = await new System().start();
    const settings = { PURSER_DATA: shop.data, PURSER_ADMIN_LISTEN: 'off' };
    const beside = await run(['migrate'], settings);
    assert.equal(beside.status, 0, beside.stderr);
    assert.match(beside.stdout, /^The tables are as this version needs them: the system that runs [^\n]*\n$/);
    await register(shop);
    await shop.stop();
    const alone = await run(['migrate'], { PURSER_DATA: temporary_folder(), PURSER_ADMIN_LISTEN: 'off' });
    assert.equal(alone.status, 0, alone.stderr);
    assert.equal(alone.stdout, 'The tables are as this version needs them.\n');
});

test('a data folder that cannot be written or made', async () => {
    const folder = temporary_folder();
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, '');
    await refused({ PURSER_DATA: file }, [new RegExp(file)]);
    await refused({ PURSER_DATA: path.join(file, 'below') }, [new RegExp(file)]);
    await refused({ PURSER_DATA: '/proc/purser' }, [/\/proc\/purser/]);
});

test('what it keeps is readable by its user alone', async () => {
    const shop = await new System({ data: path.join(temporary_folder(), 'data') }).start();
    await register(shop);
    const modes = ['.', ...fs.readdirSync(shop.data)].map((name) => [name, fs.statSync(path.join(shop.data, name)).mode & 0o077]);
    assert.ok(modes.length > 10);
    assert.deepEqual(modes.filter(([, mode]) => mode), []);
    await shop.stop();
});

test('settings that cannot work name themselves', async () => {
    for (const [name, value] of [
        ['PURSER_LISTEN', 'nowhere'], ['PURSER_LISTEN', '127.0.0.1:99999'], ['PURSER_WORKERS', '-1'], ['PURSER_WORKERS', 'many'],
        ['PURSER_RATE_LIMIT_IP', '100'], ['PURSER_RATE_LIMIT_USER', '0/0s'], ['PURSER_ORDER_EXPIRY', 'soon'], ['PURSER_DATABASE_URL', 'mysql://x'],
        ['PURSER_QUEUE_URL', 'carrier-pigeon:'], ['PURSER_STREAM_URL', 'x:'], ['PURSER_CACHE_URL', 'memcached:'], ['PURSER_LOG_LEVEL', 'loud'],
        ['PURSER_CONFIG', '/nonexistent/purser.conf'], ['PURSER_CORS_ORIGINS', 'shop.example'], ['PURSER_TRUSTED_PROXIES', 'x'],
    ]) await refused({ [name]: value }, [new RegExp(`${name}|${name.slice(7).toLowerCase()}|${name.slice(7).toLowerCase().replaceAll('_', '-')}|${value}`)]);
});

test('addresses of services and providers that are none are refused at the start, not when somebody calls', async () => {
    for (const [name, value, word] of [
        ['PURSER_USERS_URL', 'users:3001', /does not begin with http:/], ['PURSER_ORDERS_URL', 'http://orders:99999', /no port/],
        ['PURSER_PAYMENTS_URL', 'http://one:1,,http://two:2', /address 2 is empty/], ['PURSER_NOTIFICATIONS_URL', 'http://one:1,https://two:2', /address 2 does not begin/],
        ['PURSER_FUNCTIONS_URL', 'http://functions:3005/api', /address 1 has a path/], ['PURSER_PAYMENT_PROVIDER_URL', 'http://sandbox:x', /no port/],
        ['PURSER_CALLBACK_URL', 'http:///callbacks', /no host/],
    ]) await refused({ [name]: value }, [new RegExp(name), word]);
});

test('many starts at once that cannot work: each ends with its line', async () => {
    for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 16 }, () => refused({ PURSER_LISTEN: 'nowhere' }, [/nowhere/])));
});

test('unknown settings, services and commands are refused', async () => {
    const unknown = await run(['run', '--listne=x']);
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /^purser: [^\n]*--listne[^\n]*\n$/);
    const teapots = await run(['run', 'teapots']);
    assert.equal(teapots.status, 2);
    assert.match(teapots.stderr, /teapots/);
    const { status, stderr } = await run(['dance']);
    assert.notEqual(status, 0);
    assert.match(stderr, /dance/);
});

test('a variable that is no setting is a warning with the most similar one, and its value is not shown', async () => {
    const shop = await new System({ settings: { PURSER_KEY_SECRETS: 'hush', PURSER_ENGINES_PORT: '15000' } }).start();
    await until('the log says ready', () => shop.process.log().some((line) => line.event === 'ready'));
    const warned = shop.process.log().filter((line) => line.event === 'this variable is no setting');
    assert.deepEqual(warned.map((line) => [line.variable, line.similar]), [['PURSER_KEY_SECRETS', 'PURSER_KEY_SECRET']]);
    assert.ok(!shop.process.lines.some((line) => line.includes('hush')));
    await shop.stop();
});

test('a damaged database is one clear line', async () => {
    const shop = await new System().start();
    await register(shop);
    await shop.process.stop();
    const file = fs.readdirSync(shop.data, { recursive: true }).find((f) => /users.*\.(db|sqlite)$/.test(f));
    assert.ok(file, 'there is a file of the user service');
    fs.writeFileSync(path.join(shop.data, file), Buffer.alloc(8192, 0x5a));
    await refused({ PURSER_DATA: shop.data }, [/users/]);
});

test('help and version', async () => {
    const version = await run(['--version']);
    assert.equal(version.status, 0);
    assert.match(version.stdout, /^purser \d+\.\d+\.\d+\n$/);
    const help = await run(['help']);
    assert.equal(help.status, 0);
    for (const word of ['run', 'migrate', 'admin create', 'keys rotate', 'help [settings']) assert.ok(help.stdout.includes(word), word);
    const settings = await run(['help', 'settings']);
    for (const word of ['PURSER_LISTEN', 'PURSER_DATA', 'PURSER_RATE_LIMIT_IP', '127.0.0.1:3000']) assert.ok(settings.stdout.includes(word), word);
});

test('a demo has a catalogue and says its admin\'s password once', async () => {
    const shop = await new System({ settings: { PURSER_DEMO: 'on' } }).start();
    const text = () => shop.process.lines.join('\n');
    const [, email, password] = await until('the password is printed', () => /admin[^\n]*?(\S+@\S+)[^\n]*?password[: ]+(\S+)/i.exec(text()));
    const person = new Person(shop, { email, password: password.replace(/["',.]+$/, '') });
    assert.equal((await (await person.login()).get('/operations/status')).status, 200);
    const products = (await person.get('/products', { token: null })).body.data;
    assert.ok(products.length >= 3);
    await shop.process.stop();
    await shop.start();
    assert.equal(text().includes(password), false);
    assert.deepEqual((await person.get('/products', { token: null })).body.data, products);
    await shop.stop();
});
