// A WebSocket client of the notifications that keeps all that came.

import WebSocket from 'ws';
import { until } from './wait.mjs';

export class Socket {
    /** Options: `token`, `after`, `from`, `browser` (the token as a sub-protocol), `headers`, `auto_pong`. */
    constructor(base, { token, after, from, browser = false, headers = {}, protocols } = {}) {
        const url = new URL(`/api/v1/notifications/ws${after === undefined ? '' : `?after=${after}`}`, base);
        url.protocol = url.protocol.replace('http', 'ws');
        const chosen = protocols ?? (browser ? ['purser.v1', `bearer.${token}`] : ['purser.v1']);
        const authorization = browser || !token ? {} : { authorization: `Bearer ${token}` };
        this.messages = [];
        this.closed = null;
        this.refused = null;
        this.error = null;
        this.socket = new WebSocket(url, chosen, {
            localAddress: from, headers: { ...authorization, ...headers }, perMessageDeflate: false,
        });
        this.socket.on('message', (data) => this.messages.push(JSON.parse(data.toString('utf8'))));
        this.socket.on('close', (code, reason) => { this.closed = { code, reason: reason.toString('utf8') }; });
        this.socket.on('error', (error) => { this.error = error; });
        this.socket.on('unexpected-response', (call, response) => {
            let text = '';
            response.on('data', (chunk) => { text += chunk; });
            response.on('end', () => {
                this.refused = { status: response.statusCode, headers: response.headers, body: text ? JSON.parse(text) : null };
                call.destroy();
            });
        });
    }

    /** Waits for the first message for which `test` is true; a string tests the type. */
    async next(test, what = String(test)) {
        const matches = typeof test === 'string' ? (m) => m.type === test : test;
        return until(`a message ${what} on the socket`, () => {
            const found = this.messages.find(matches);
            if (!found && this.refused) throw new Error(`refused: ${JSON.stringify(this.refused)}`);
            if (!found && this.closed) throw new Error(`closed: ${JSON.stringify(this.closed)} after ${JSON.stringify(this.messages)}`);
            return found;
        }, { every_ms: 5 });
    }

    /** The notifications that came, in order. */
    notifications() {
        return this.messages.filter((m) => m.type === 'notification').map((m) => m.notification);
    }

    /** Waits until `count` notifications are there. */
    async count(count) {
        await until(`${count} notifications on the socket (has ${JSON.stringify(this.messages)})`,
            () => this.notifications().length >= count, { every_ms: 5 });
        return this.notifications();
    }

    async close_code() {
        await until('the socket is closed', () => this.closed, { every_ms: 5 });
        return this.closed.code;
    }

    async refusal() {
        await until('the upgrade is refused', () => this.refused ?? (this.closed && this.error));
        return this.refused;
    }

    send(message) {
        this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
    }

    async close() {
        this.socket.close();
        await until('the socket is closed', () => this.closed);
    }
}
