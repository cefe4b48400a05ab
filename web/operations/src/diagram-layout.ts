/** Where the boxes and lines of the system's picture are. No React here: a picture is a function of a status. */
import type { OperationsStatus } from '@purser/api';
import { formatNumber } from '@purser/ui/pages';

export interface Box { id: string; column: number; title: string; text: string; state: string; x: number; y: number; width: number; height: number }
export interface Line { from: Box; to: Box; busy: boolean }

const COLUMN_X = [0, 245, 540, 880];
const WIDTHS = [170, 200, 245, 180];
const HEIGHT = 54;
const GAP = 14;

/** Which service takes from which queue, and whose events a topic carries. */
const READERS: Record<string, string> = {
  'user.created': 'functions', 'order.created': 'functions', 'payment.request': 'payments',
  'order.payment.processed': 'orders', notifications: 'notifications', 'functions.invocations': 'functions',
};
const WRITERS: Record<string, string> = {
  'user.created': 'users', 'order.created': 'orders', 'payment.request': 'orders', 'order.payment.processed': 'payments',
  notifications: 'functions', 'user-events': 'users', 'order-events': 'orders', 'payment-events': 'payments',
};

export function layOut(status: OperationsStatus): { boxes: Box[]; lines: Line[]; height: number } {
  const services = status.services.filter((one) => one.name !== 'gateway');
  const gateway = status.services.find((one) => one.name === 'gateway');
  const rate = gateway?.requests_per_second ?? status.rates.requests_per_second;
  const columns = [
    [box('gateway', 0, 'gateway', perSecond(rate), gateway?.state ?? 'up')],
    services.map((one) => box(`service ${one.name}`, 1, one.name, serviceText(one), one.state)),
    [
      ...status.queues.map((one) => box(`queue ${one.name}`, 2, one.name, `${formatNumber(one.depth)} waiting · ${perSecond(one.handled_per_second)}`, (one.dead ?? 0) > 0 ? 'degraded' : 'up')),
      ...status.topics.map((one) => box(`topic ${one.name}`, 2, one.name, `${perSecond(one.published_per_second)} · lag ${formatNumber(lagOf(one))}`, 'up')),
    ],
    status.engines.map((one) => box(`engine ${one.port}`, 3, one.adapter, one.port, one.state)),
  ];
  const height = Math.max(...columns.map((column) => column.length * (HEIGHT + GAP) - GAP));
  for (const column of columns) place(column, height);
  const boxes = columns.flat();
  return { boxes, lines: connect(boxes, status), height };
}

export function lagOf(topic: OperationsStatus['topics'][number]): number {
  return topic.consumers.reduce((sum, consumer) => sum + consumer.lag, 0);
}

function serviceText(service: OperationsStatus['services'][number]): string {
  if (service.requests_per_second === undefined) return service.state;
  const errors = service.errors_per_second ?? 0;
  const instances = service.instances.length;
  return [perSecond(service.requests_per_second), errors > 0 ? `${perSecond(errors)} failing` : '', instances > 1 ? `${instances} instances` : ''].filter(Boolean).join(' · ');
}

/** A dash where nothing is known, since nothing is not nought. */
export function perSecond(rate: number | undefined): string {
  return rate === undefined ? '–' : `${formatNumber(rate, rate >= 10 ? 0 : 1)}/s`;
}

export function milliseconds(time: number | undefined): string {
  if (time === undefined) return '–';
  return time >= 1000 ? `${formatNumber(time / 1000, 1)} s` : `${formatNumber(time, time >= 10 ? 0 : 1)} ms`;
}

function box(id: string, column: number, title: string, text: string, state: string): Box {
  return { id, column, title, text, state, x: COLUMN_X[column]!, y: 0, width: WIDTHS[column]!, height: HEIGHT };
}

function place(column: Box[], height: number): void {
  const used = column.length * (HEIGHT + GAP) - GAP;
  column.forEach((one, index) => {
    one.y = (height - used) / 2 + index * (HEIGHT + GAP);
  });
}

function connect(boxes: Box[], status: OperationsStatus): Line[] {
  const find = (id: string) => boxes.find((one) => one.id === id);
  const lines: Line[] = [];
  const add = (from: Box | undefined, to: Box | undefined, busy: boolean) => {
    if (from && to) lines.push({ from, to, busy });
  };
  for (const service of status.services) add(find('gateway'), find(`service ${service.name}`), (service.requests_per_second ?? 0) > 0);
  for (const queue of status.queues) {
    const busy = (queue.handled_per_second ?? queue.published_per_second ?? 0) > 0 || queue.depth > 0;
    for (const service of new Set([WRITERS[queue.name], READERS[queue.name]])) add(find(`service ${service}`), find(`queue ${queue.name}`), busy);
    add(find(`queue ${queue.name}`), find('engine queue'), busy);
  }
  for (const topic of status.topics) {
    const busy = (topic.published_per_second ?? 0) > 0 || lagOf(topic) > 0;
    for (const service of new Set([WRITERS[topic.name], ...topic.consumers.map((one) => one.group)])) add(find(`service ${service}`), find(`topic ${topic.name}`), busy);
    add(find(`topic ${topic.name}`), find('engine stream'), busy);
  }
  return lines;
}
