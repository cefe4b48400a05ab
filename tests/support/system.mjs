// Starts real Purser processes on free ports with a data folder of their own, and ends them.

import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { request, next_address } from './client.mjs';
import { until } from './wait.mjs';

const tests = new URL('../', import.meta.url).pathname;
export const binary = path.resolve(tests, process.env.PURSER_BINARY ?? '../build/purser');
const logs = path.resolve(tests, '../build/test-logs/systems');

// Ports below the range from which the kernel takes those of outgoing connections, in blocks. A test process owns a block as long as it
// listens at its first port, so that no other one takes a port of a system that is being started again.
const BLOCK_SIZE = 200;
const BLOCKS = 80;
const BLOCK_FIRST = 16000; // to 32000; the engines and clusters of the tests are below
let block; // a promise of its first port
let port_next = 0;

/** A server that listens at the port, or null where somebody else does. */
function listen(port) {
    return new Promise((resolve) => {
        const server = net.createServer();
        server.once('error', () => resolve(null));
        server.listen(port, '127.0.0.1', () => resolve(server));
    });
}

async function own_block() {
    for (let i = 0; i < BLOCKS; i += 1) {
        const first = BLOCK_FIRST + ((process.pid + i) % BLOCKS) * BLOCK_SIZE;
        const server = await listen(first);
        if (server) {
            server.unref();
            return first;
        }
    }
    throw new Error('no block of ports is free');
}

export async function free_port() {
    const first = await (block ??= own_block());
    for (;;) {
        port_next = 1 + (port_next % (BLOCK_SIZE - 1));
        const port = first + port_next;
        const server = await listen(port);
        if (!server) continue;
        await new Promise((resolve) => server.close(resolve));
        return port;
    }
}

export function temporary_folder() {
    return fs.mkdtempSync(path.join(os.tmpdir(), 'purser-test-'));
}

/**
 * The environment without settings of whoever runs the tests. No order is refused because a machine is slow, and no balancer has to notice an
 * end: tests of either ask for it.
 */
export function clean_environment(settings) {
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PURSER_')));
    return { ...own, ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99', UBSAN_OPTIONS: 'halt_on_error=1:exitcode=99', PURSER_ADMISSION_DELAY: '0s', PURSER_DRAIN_ACCEPT: '0s', ...settings };
}

/** Runs a command to its end: `{status, stdout, stderr}`. */
export function run(args, settings = {}, { seconds = 60, input } = {}) {
    return new Promise((resolve) => {
        const child = execFile(binary, args, { env: clean_environment(settings), timeout: seconds * 1000 }, (error, stdout, stderr) => {
            resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr });
        });
        child.stdin.end(input);
    });
}

/** One process of Purser. */
export class Process {
    constructor(args, settings, wrapper = []) {
        this.args = args;
        this.settings = settings;
        this.lines = [];
        this.exit = null;
        fs.mkdirSync(logs, { recursive: true });
        this.log_path = path.join(logs, `${process.pid}-${args.join('-')}-${Process.started += 1}.log`);
        const log = fs.createWriteStream(this.log_path);
        const command = [...wrapper, binary, ...args];
        this.child = spawn(command[0], command.slice(1), { env: clean_environment(settings), stdio: ['ignore', 'pipe', 'pipe'] });
        for (const stream of [this.child.stdout, this.child.stderr]) {
            let rest = '';
            stream.on('data', (data) => {
                log.write(data);
                const parts = (rest + data).split('\n');
                rest = parts.pop();
                this.lines.push(...parts);
            });
        }
        this.child.on('error', (error) => {
            this.lines.push(String(error));
            this.exit = { code: null, signal: null };
        });
        this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => {
            this.exit = { code, signal };
            log.end();
            resolve(this.exit);
        }));
    }

    static started = 0;

    /** The log's lines as objects. */
    log() {
        return this.lines.filter((line) => line.startsWith('{')).map((line) => {
            try { return JSON.parse(line); } catch { return { raw: line }; }
        });
    }

    /** Waits until `base` says that it is ready; fails at once if the process has ended. */
    async ready(base, seconds = 60) {
        await until(`${this.args.join(' ')} is ready at ${base}`, async () => {
            if (this.exit) return true;
            const answer = await request(base, 'GET', '/health/ready', { unchecked: true, from: next_address() });
            return answer.status === 200;
        }, { seconds, every_ms: 10 });
        assert.equal(this.exit, null, `ended instead of starting: ${JSON.stringify(this.exit)}\n${this.tail()}`);
    }

    tail() {
        return this.lines.slice(-15).join('\n');
    }

    kill(signal = 'SIGKILL') {
        if (!this.exit) this.child.kill(signal);
        return this.ended;
    }

    /** Ends it as an operator would, and holds it to that: status 0, nothing found by the sanitizers. */
    async stop() {
        if (this.exit) return;
        this.child.kill('SIGTERM');
        const timer = setTimeout(() => this.child.kill('SIGKILL'), 60000);
        await this.ended;
        clearTimeout(timer);
        assert.deepEqual(this.exit, { code: 0, signal: null }, `did not end well (${this.log_path}):\n${this.tail()}`);
    }
}

const SERVICES = ['USERS', 'ORDERS', 'NOTIFICATIONS', 'PAYMENTS', 'FUNCTIONS', 'SANDBOX'];

/** A whole system on the embedded engine: one process, a data folder, an admin. */
export class System {
    constructor({ settings = {}, services = [], wrapper = [], data = temporary_folder() } = {}) {
        this.given = settings;
        this.services = services;
        this.wrapper = wrapper;
        this.data = data;
    }

    /** Starts it. Where no gateway is among the services, `at_admin`: it is ready when its admin address says so. */
    async start({ at_admin = false } = {}) {
        if (!this.settings) {
            const [port, admin_port] = [await free_port(), await free_port()];
            this.base = this.base_given ?? `http://127.0.0.1:${port}`;
            this.admin_base = `http://127.0.0.1:${admin_port}`;
            this.settings = {
                PURSER_LISTEN: `127.0.0.1:${port}`, PURSER_ADMIN_LISTEN: `127.0.0.1:${admin_port}`, PURSER_DATA: this.data,
                PURSER_FUNCTIONS: 'off', PURSER_WEB: 'off', ...this.given,
            };
            // Some services run apart have doors of their own, which another suite's may have at this moment.
            for (const name of this.services.length > 0 ? SERVICES : []) this.settings[`PURSER_${name}_LISTEN`] ??= `127.0.0.1:${await free_port()}`;
        }
        this.process = new Process(['run', ...this.services], this.settings, this.wrapper);
        await this.process.ready(at_admin ? this.admin_base : this.base);
        return this;
    }

    request(method, path, options) {
        return request(this.base, method, path, options);
    }

    async restart() {
        await this.process.stop();
        return this.start();
    }

    async stop() {
        await this.process?.stop();
        fs.rmSync(this.data, { recursive: true, force: true });
    }

    /** Makes an admin by the command line, as an operator does. */
    async create_admin(email, password) {
        const made = await run(['admin', 'create', '--email', email, '--password', password], this.settings);
        assert.equal(made.status, 0, made.stderr + made.stdout);
    }
}

/** A system that runs already, by PURSER_BASE_URL; its admin is PURSER_ADMIN_EMAIL with PURSER_ADMIN_PASSWORD. */
class Outside {
    constructor(base) {
        this.base = base;
        this.outside = true;
    }

    request(method, path, options) {
        return request(this.base, method, path, options);
    }

    async stop() {}
}

/** The system under test: the one outside if there is one, else a fresh one. */
export async function system(options = {}) {
    if (process.env.PURSER_BASE_URL) return new Outside(process.env.PURSER_BASE_URL);
    return new System(options).start();
}
