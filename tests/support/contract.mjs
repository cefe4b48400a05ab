// Holds answers against api/openapi.yaml and events against api/events/*.schema.json.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import YAML from 'yaml';

const api = new URL('../../api/', import.meta.url);
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

export const openapi = YAML.parse(fs.readFileSync(new URL('openapi.yaml', api), 'utf8'));

export const asyncapi = YAML.parse(fs.readFileSync(new URL('asyncapi.yaml', api), 'utf8'));

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
formats(ajv);
ajv.addFormat('int64', true);
ajv.addFormat('password', true);
ajv.addSchema(openapi, 'openapi');

/** Every `METHOD /path` of the description. */
export function operations() {
    return Object.entries(openapi.paths).flatMap(([path, item]) =>
        METHODS.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`));
}

const patterns = Object.keys(openapi.paths)
    .sort((a, b) => (a.match(/{/g) ?? []).length - (b.match(/{/g) ?? []).length)
    .map((path) => ({ path, test: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/{[^}]+}/g, '[^/]+')}$`) }));

/** The description's path for an actual one, or undefined. */
export function path_of(url) {
    return patterns.find(({ test }) => test.test(url.split('?')[0]))?.path;
}

const pointer = (...parts) => parts.map((p) => p.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent).join('/');

function validator(...parts) {
    const ref = `openapi#/${pointer(...parts)}`;
    return ajv.getSchema(ref) ?? ajv.compile({ $ref: ref });
}

function explain(validate) {
    return (validate.errors ?? []).slice(0, 5).map((e) => `${e.instancePath || '/'} ${e.message}`).join('; ');
}

/** Where the schema of an answer's body stands in the description: a list of keys. */
function answer_at(path, method, status) {
    const answers = openapi.paths[path][method].responses;
    const key = [String(status), `${String(status)[0]}XX`, 'default'].find((k) => answers[k]);
    if (!key) return null;
    const at = ['paths', path, method, 'responses', key];
    return answers[key].$ref ? answers[key].$ref.split('/').slice(1) : at;
}

function at(parts) {
    return parts.reduce((node, key) => node?.[key], openapi);
}

/** Fails unless the answer is one that the description allows for this request. */
export function check_answer(method, url, answer) {
    const where = `${method} ${url} → ${answer.status}`;
    assert.ok(answer.headers['x-request-id'], `${where}: no X-Request-Id`);
    if (answer.status >= 400) check_problem(where, answer);
    const path = path_of(url);
    const name = method === 'HEAD' ? 'get' : method.toLowerCase();
    if (!path || !openapi.paths[path][name] || [404, 405].includes(answer.status)) return;
    const place = answer_at(path, name, answer.status);
    assert.ok(place, `${where}: the description has no such answer: ${answer.text}`);
    check_headers(where, [...place, 'headers'], answer.headers);
    const content = at(place).content;
    if (!content || method === 'HEAD') return;
    const type = (answer.headers['content-type'] ?? '').split(';')[0];
    assert.ok(content[type], `${where}: the description has no ${type} here`);
    if (!type.endsWith('json')) return;
    check_place([...place, 'content', type, 'schema'], answer.body, where);
}

/** What belongs to one connection does not come through a proxy (RFC 9110, section 7.6.1). */
const is_of_connection = (name) => process.env.PURSER_BASE_URL && /^(upgrade|connection)$/i.test(name);

/** Headers that are described as required are there; those that are there are what their schema says. */
function check_headers(where, place_of_all, headers) {
    for (const [name, { $ref }] of Object.entries(at(place_of_all) ?? {})) {
        const place = $ref ? $ref.split('/').slice(1) : [...place_of_all, name];
        const { required, schema } = at(place);
        const value = headers[name.toLowerCase()];
        assert.ok(value !== undefined || !required || is_of_connection(name), `${where}: no ${name}`);
        if (value === undefined || Array.isArray(value)) continue;
        check_place([...place, 'schema'], schema.type === 'integer' ? Number(value) : value, `${where}: ${name}`);
    }
}

function check_problem(where, answer) {
    assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, `${where}: not a problem: ${answer.text}`);
    if (answer.body === undefined) return;
    const { body } = answer;
    assert.match(body.type, /^\/problems\/[a-z0-9-]+$/, where);
    assert.equal(body.status, answer.status, where);
    assert.equal(body.request_id, answer.headers['x-request-id'], where);
    if (answer.status === 401) assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/, `${where}: WWW-Authenticate`);
    if ([429, 503].includes(answer.status)) assert.match(answer.headers['retry-after'] ?? '', /^\d+$/, `${where}: Retry-After`);
    if (answer.status === 405) assert.ok(answer.headers.allow, `${where}: Allow`);
}

/** Fails unless `value` is what the schema at this place of the description says. */
export function check_place(place, value, where = place.join('/')) {
    const validate = validator(...place);
    assert.ok(validate(value), `${where}: ${explain(validate)} in ${JSON.stringify(value)}`);
}

const events = new Map();
for (const file of fs.readdirSync(new URL('events/', api)).filter((f) => f.endsWith('.schema.json'))) {
    const schema = JSON.parse(fs.readFileSync(new URL(`events/${file}`, api), 'utf8'));
    ajv.addSchema(schema, file);
    events.set(file.replace('.schema.json', ''), file);
}

/** The event types that have a schema. */
export const event_types = () => [...events.keys()].filter((name) => name !== 'envelope');

/** Fails unless the CloudEvent is what its type's schema says. */
export function check_event(event) {
    const file = events.get(event.type?.replace(/^purser\./, ''));
    assert.ok(file, `no schema for events of type ${event.type}`);
    const validate = ajv.getSchema(file);
    assert.ok(validate(event), `${event.type}: ${explain(validate)} in ${JSON.stringify(event)}`);
}
