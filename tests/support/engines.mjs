// The engines and processes of the cluster under test, by the scripts that started them.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
const scripts = new URL('../../scripts/', import.meta.url).pathname;

/** `scripts/engines` with these words: `kill kafka`. */
export const engines = (...args) => run(`${scripts}engines`, args, { maxBuffer: 1 << 24 });
/** `scripts/cluster` with these words: `up orders-1`. */
export const cluster = (...args) => cluster_with({}, ...args);
/** The same with these settings for the processes that it starts. */
export const cluster_with = (settings, ...args) => run(`${scripts}cluster`, args, { env: { ...process.env, ...settings }, maxBuffer: 1 << 24 });
/** Sends a signal to a process of the cluster. */
export const signal = (name, which) => process.kill(parseInt(fs.readFileSync(`${process.env.PURSER_CLUSTER_FOLDER}/pid/${name}`, 'utf8'), 10), which);
/** The admin addresses of all processes: name → URL. */
export const admins = () => Object.fromEntries(process.env.PURSER_ADMINS.split(',').map((pair) => pair.split('=')));
