// A real Nginx with the files of deploy/nginx on a free port, in front of whatever a test puts behind it.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { free_port, temporary_folder } from './system.mjs';
import { until } from './wait.mjs';

const deploy = new URL('../../deploy/nginx/', import.meta.url).pathname;

const whole = (inside, port) => (typeof inside === 'function' ? inside(port) : `listen 127.0.0.1:${port}; ${inside}`);

export class Nginx {
    /**
     * `http`: what comes before http.conf (upstreams); `origin`: the one that may call from a browser; `servers`: the inside of each
     * server's block, without its `listen`, or a function of a port that gives all of it. `bases` has an address for each.
     */
    constructor({ http = '', origin = '', servers }) {
        Object.assign(this, { http, origin, servers, folder: temporary_folder() });
    }

    async start() {
        const ports = [];
        for (let i = 0; i < this.servers.length; i += 1) ports.push(await free_port());
        this.bases = ports.map((port) => `http://127.0.0.1:${port}`);
        fs.chmodSync(this.folder, 0o755);
        fs.cpSync(deploy, this.folder, { recursive: true });
        const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${this.folder}/${name};`).join('\n');
        fs.writeFileSync(path.join(this.folder, 'nginx.conf'), `daemon off; pid ${this.folder}/pid; error_log ${this.folder}/error.log;
            ${process.getuid() ? '' : 'user root;'}
            events {}
            http { include /etc/nginx/mime.types; ${temp} ${this.http}
                map $http_origin $cors_origin { default ""; ${this.origin && `"${this.origin}" $http_origin;`} }
                include http.conf; access_log ${this.folder}/access.log purser;
                ${this.servers.map((inside, i) => `server { ${whole(inside, ports[i])} location = /started { return 204; } }`).join('\n')} }`);
        this.process = spawn('nginx', ['-c', path.join(this.folder, 'nginx.conf'), '-p', this.folder, '-e', path.join(this.folder, 'error.log')],
            { stdio: ['ignore', 'inherit', 'inherit'] });
        await until('nginx answers', () => {
            if (this.process.exitCode !== null) throw new Error(fs.readFileSync(path.join(this.folder, 'error.log'), 'utf8'));
            return fetch(`${this.bases[0]}/started`).then((answer) => answer.status === 204, () => false);
        });
        return this;
    }

    /** The lines of its log as objects. */
    log() {
        return fs.readFileSync(path.join(this.folder, 'access.log'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    }

    async stop() {
        const ended = new Promise((resolve) => { this.process.on('exit', resolve); });
        this.process.kill();
        await ended;
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}
