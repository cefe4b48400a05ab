// Our parser beside Node's llhttp in strict mode, over generated messages: what ours accepts llhttp accepts too, with the same method,
// target, fields and body. The other way round is no rule: ours is stricter on purpose.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { random } from '../support/wait.mjs';

process.noDeprecation = true;
const { HTTPParser, methods } = createRequire(import.meta.url)('node:_http_common');
const here = path.dirname(fileURLToPath(import.meta.url));
const reader = path.resolve(here, '..', process.env.PURSER_READ_MESSAGES ?? '../build/tests/parser/read_messages');
const MESSAGES = Number(process.env.PURSER_MESSAGES ?? 200000);

const dice = random(20_26);
const below = (n) => Math.floor(dice() * n);
const pick = (list) => list[below(list.length)];
const maybe = (chance, make) => (dice() < chance ? make() : '');

// ---- messages ----

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'PROPFIND', 'get', 'BREW', 'M-SEARCH', 'CONNECT', 'TRACE', 'G@T', ''];
const TARGETS = ['/', '/a/b', '/a?b=c', '/a?b=c?d', '/%41%2f', '/%4', '/a#b', '/a b', '*', 'http://x/', 'http://x:80/p?q', 'https://x', 'http://', '//a', '/\u00ff',
    '/"', '/a;b=c', "/!$&'()*+,=:@", '/[a]', '', 'a', '/'.padEnd(3000, 'x')];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/1.1 ', 'http/1.1', 'HTTP/11.1', ''];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', ' \r\n', '\t\r\n'];
const NAMES = ['Host', 'Accept', 'X-A', 'x_b', 'Connection', 'Upgrade', 'Expect', 'Content-Type', 'Cookie', "!#$%&'*+-.^`|~", 'A B', 'A ', ' A', 'A\t', '', 'A\0', 'A\u00e4', 'A(B'];
const VALUES = ['x', 'upgrade', 'websocket', 'a b', '', ' ', '\t', ' a ', 'a\tb', '\u00e4\u00ff', 'a\x01', 'a\x7f', 'a\0b', 'a\rb', 'close', 'keep-alive', 'keep-alive, close', '100-continue', ',', 'a:b', '"q"',
    'x'.repeat(5000), 'x\r\n folded', 'x\r\n\tfolded'];
const LENGTHS = ['0', '5', '5', '5', '05', '+5', '-5', '5 ', ' 5', '5,5', '5, 5', '0x5', '', '5 5', '18446744073709551616', '6', '4'];
const CODINGS = ['chunked', 'chunked', 'chunked', 'Chunked', 'chunked ', 'gzip, chunked', 'chunked, gzip', 'identity', 'chunked, chunked', 'xchunked', '', '\x0bchunked'];
const EXTENSIONS = ['', '', '', '', ';a', ';a=b', ';a="b"', ';a="b;c"', ';a="\\""', ';a="\t"', ';', ';=b', ' ;a', '; a', ';a=', ';a b', ';a="', ' ', ';a="\u00e4"', ';a=b;c=d'];
const TRAILERS = ['', '', '', 'A: b\r\n', 'A:\r\nB: c\r\n', 'A : b\r\n', ' A: b\r\n', 'A: b\n', 'A\r\n', 'A: \x01\r\n', 'Content-Length: 5\r\n'];

const line_end = () => (dice() < 0.97 ? '\r\n' : pick(ENDS));
const field = (name, value) => `${name}:${maybe(0.9, () => ' ')}${value}${line_end()}`;
const usual = (list) => (dice() < 0.85 ? list[0] : pick(list));

function chunk() {
    const data = 'x'.repeat(1 + below(20));
    const size = dice() < 0.95 ? data.length.toString(16) : pick(['0x5', '-1', '+1', '', 'g', '00000000000000005', '5 ', ' 5', 'ffffffffffffffff', '1'.repeat(20)]);
    return `${maybe(0.2, () => '000')}${size}${pick(EXTENSIONS)}${line_end()}${data}${line_end()}`;
}

function body(kind) {
    if (kind === 'length') return 'hello';
    if (kind !== 'chunked') return maybe(0.05, () => 'hello');
    let text = '';
    for (let i = below(4); i > 0; i -= 1) text += chunk();
    return `${text}${usual(['0', '00', '-0', '0x0', ''])}${pick(EXTENSIONS)}${line_end()}${pick(TRAILERS)}${line_end()}`;
}

function framing(kind) {
    let text = '';
    if (kind === 'length') text += field(dice() < 0.9 ? 'Content-Length' : 'content-length', usual(['5', ...LENGTHS]));
    if (kind === 'chunked') text += field('Transfer-Encoding', usual(['chunked', ...CODINGS]));
    if (dice() < 0.03) text += field('Content-Length', pick(LENGTHS));
    if (dice() < 0.03) text += field('Transfer-Encoding', pick(CODINGS));
    return text;
}

function message() {
    const kind = pick(['none', 'length', 'chunked']);
    let text = `${maybe(0.05, () => pick(['\r\n', '\n', '\r\n\r\n', ' ']))}${usual(METHODS)}${usual([' ', '  ', '\t', ''])}${usual(TARGETS)} ${usual(VERSIONS)}${line_end()}`;
    text += maybe(0.97, () => field('Host', usual(['x', 'x:80', '[::1]', 'x y', '', 'a@b', 'x/'])));
    for (let i = below(4); i > 0; i -= 1) text += field(dice() < 0.8 ? pick(NAMES.slice(1, 10)) : pick(NAMES), dice() < 0.8 ? pick(VALUES.slice(0, 10)) : pick(VALUES));
    text += `${framing(kind)}${line_end()}${body(kind)}`;
    for (let i = dice() < 0.25 ? 1 + below(3) : 0; i > 0; i -= 1) text = mutate(text);
    return Buffer.from(text, 'latin1');
}

function mutate(text) {
    const at = below(text.length + 1);
    switch (below(4)) {
        case 0: return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
        case 1: return text.slice(0, at) + pick(['\r\n', '\n', '\r', ' ', '\t', ':', '\0', ';', ',', '0']) + text.slice(at);
        case 2: return text.slice(0, at) + text.slice(at + 1 + below(3));
        default: return text.slice(0, at) + text.slice(Math.max(0, at - below(30)), at) + text.slice(at);
    }
}

// ---- the two parsers ----

function ours(messages) {
    const parts = messages.flatMap((m) => { const size = Buffer.alloc(4); size.writeUInt32BE(m.length); return [size, m]; });
    const run = spawnSync(reader, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30, encoding: 'latin1' });
    assert.equal(run.status, 0, `${reader}: ${run.error ?? run.stderr}`);
    return run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

/** What llhttp makes of bytes that are one message; null where it refuses them or wants more. */
function theirs(bytes) {
    const parser = new HTTPParser();
    const seen = { fields: [], body: '', whole: false };
    const add = (list) => { for (let i = 0; i < list.length; i += 2) seen.fields.push([hex(list[i]), hex(list[i + 1])]); };
    parser.initialize(HTTPParser.REQUEST, {}, 64 * 1024, 0);
    parser[HTTPParser.kOnHeaders | 0] = (list, url) => { if (!seen.head) { add(list); seen.target = hex((seen.url ?? '') + url); seen.url = url; } };
    parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, list, method, url) => {
        add(list ?? []);
        seen.head = true;
        seen.method = hex(methods[method] ?? '');
        seen.target = hex(url || seen.url);
        return 0;
    };
    parser[HTTPParser.kOnBody | 0] = (part) => { seen.body += Buffer.from(part).toString('hex'); };
    parser[HTTPParser.kOnMessageComplete | 0] = () => { seen.whole = true; };
    const result = parser.execute(bytes);
    parser.close();
    return typeof result === 'number' && seen.whole ? seen : null;
}

// ---- the rule ----

/** Where the two cannot be compared: llhttp knows a list of methods. */
function is_apart(verdict) {
    return !methods.includes(Buffer.from(verdict.method, 'hex').toString('latin1'));
}

test(`${MESSAGES} messages: what ours accepts llhttp reads alike`, () => {
    const messages = Array.from({ length: MESSAGES }, message);
    const verdicts = ours(messages);
    assert.equal(verdicts.length, messages.length);
    let accepted = 0;
    let compared = 0;
    verdicts.forEach((verdict, i) => {
        if (!verdict.accepted) return;
        accepted += 1;
        if (is_apart(verdict)) return;
        compared += 1;
        const bytes = messages[i].subarray(0, verdict.used);
        const other = theirs(bytes);
        const words = JSON.stringify(bytes.toString('latin1'));
        assert.ok(other, `llhttp refuses ${words}`);
        const { method, target, fields, body: text } = verdict;
        assert.deepEqual({ method: other.method, target: other.target, fields: other.fields, body: other.body }, { method, target, fields, body: text }, words);
    });
    assert.ok(compared > MESSAGES / 10 && accepted < MESSAGES, `${compared} of ${accepted} accepted were compared`);
    console.log(`${MESSAGES} messages, ${accepted} accepted, ${compared} compared`);
});
