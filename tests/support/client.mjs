// An HTTP client that holds every answer against the API's description, and can come from any local address: the
// system's limits count addresses and stay on, so that every user of the tests has one of his own.

import http from 'node:http';
import net from 'node:net';
import { check_answer } from './contract.mjs';

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
let addresses = 0;

/** A loopback address that no other client of this process has. */
export function next_address() {
    addresses += 1;
    return `127.${1 + (process.pid % 200)}.${(addresses >> 8) & 255}.${addresses & 255}`.replace(/\.0$/, '.254');
}

function is_local(base) {
    return ['127.0.0.1', 'localhost'].includes(new URL(base).hostname);
}

/**
 * One request. Options: `token`, `json` (a value), `body` (text or bytes), `headers`, `key` (Idempotency-Key), `from` (local
 * address), `unchecked` (do not hold it against the description), `seconds`.
 */
export function request(base, method, path, options = {}) {
    const { token, json, key, from, unchecked = false, seconds = 60 } = options;
    const body = json === undefined ? options.body : JSON.stringify(json);
    const headers = { ...options.headers };
    if (token) headers.authorization = `Bearer ${token}`;
    if (json !== undefined) headers['content-type'] ??= 'application/json';
    if (key) headers['idempotency-key'] = key;
    if (body !== undefined) headers['content-length'] = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
        const url = new URL(path, base);
        const call = http.request(url, {
            method, headers, agent: options.agent ?? agent, timeout: seconds * 1000,
            localAddress: from && is_local(base) ? from : undefined,
        });
        call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within ${seconds} s`)));
        call.on('error', reject);
        call.on('response', (response) => collect(response).then((answer) => {
            if (!unchecked) check_answer(method, path, answer);
            resolve(answer);
        }).catch(reject));
        call.end(body);
    });
}

async function collect(response) {
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const answer = { status: response.statusCode, headers: response.headers, text };
    if (text && /json/.test(response.headers['content-type'] ?? '')) answer.body = JSON.parse(text);
    return answer;
}

/** Sends bytes as they are on a connection of their own; gives everything that came until the server closed it. */
export function raw(base, bytes, { from, seconds = 30, end = false, until_whole = false } = {}) {
    const { hostname, port } = new URL(base);
    return new Promise((resolve, reject) => {
        const socket = net.connect({ host: hostname, port, localAddress: from && is_local(base) ? from : undefined });
        let text = '';
        const timer = setTimeout(() => socket.destroy(new Error(`not closed within ${seconds} s; came: ${text}`)), seconds * 1000);
        socket.on('connect', () => (end ? socket.end(bytes) : socket.write(bytes)));
        socket.on('data', (data) => {
            text += data.toString('latin1');
            const head = text.indexOf('\r\n\r\n'), length = /content-length: (\d+)/i.exec(text);
            if (until_whole && head > 0 && length && text.length >= head + 4 + Number(length[1])) socket.destroy();
        });
        socket.on('error', (error) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
        socket.on('close', () => { clearTimeout(timer); resolve(text); });
    });
}
