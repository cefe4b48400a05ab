/** What the picture shows, in tables. */
import type { ReactNode } from 'react';
import type { OperationsStatus } from '@purser/api';
import { Card, Group, Text, Title } from '@purser/ui';
import { DataTable, formatNumber, SimpleGrid } from '@purser/ui/pages';
import type { Column } from '@purser/ui/pages';
import { STATE_COLOURS } from './diagram';
import { milliseconds, perSecond } from './diagram-layout';

type Service = OperationsStatus['services'][number];
type Route = NonNullable<OperationsStatus['routes']>[number];
type Queue = OperationsStatus['queues'][number];
type Topic = OperationsStatus['topics'][number];
interface Reader { topic: Topic; group: string; lag: number | undefined }
interface Traffic { requests_per_second?: number; errors_per_second?: number; p99_ms?: number }

const TRAFFIC: Column<Traffic>[] = [
  { title: 'Requests', numeric: true, cell: (one) => perSecond(one.requests_per_second) },
  { title: 'Errors', numeric: true, cell: (one) => perSecond(one.errors_per_second) },
  { title: 'p99', numeric: true, cell: (one) => milliseconds(one.p99_ms) },
];
const SERVICES: Column<Service>[] = [
  { title: 'Service', cell: (one) => <Named name={one.name} text={<State state={one.state} text={[one.instances.length > 1 ? `${one.instances.length} instances` : '', (one.missing ?? []).length > 0 ? `without ${one.missing!.join(', ')}` : '']} />} /> },
  ...TRAFFIC,
];
const ROUTES: Column<Route>[] = [{ title: 'Route', cell: (one) => <Named name={one.prefix.replace('/api/v1', '')} /> }, ...TRAFFIC];
const QUEUES: Column<Queue>[] = [
  { title: 'Queue', cell: (one) => <Named name={one.name} text={`${perSecond(one.published_per_second)} in · ${perSecond(one.handled_per_second)} out`} /> },
  { title: 'Waiting', numeric: true, cell: (one) => formatNumber(one.depth) },
  { title: 'In work', numeric: true, cell: (one) => formatNumber(one.in_flight ?? 0) },
  { title: 'Dead', numeric: true, cell: (one) => formatNumber(one.dead ?? 0) },
];
const READERS: Column<Reader>[] = [
  { title: 'Topic', cell: (one) => <Named name={one.topic.name} /> },
  { title: 'Published', numeric: true, cell: (one) => perSecond(one.topic.published_per_second) },
  { title: 'Read by', cell: (one) => one.group },
  { title: 'Lag', numeric: true, cell: (one) => (one.lag === undefined ? '–' : formatNumber(one.lag)) },
];

export function SystemTables({ status }: { status: OperationsStatus }) {
  const routes = [...status.routes ?? []].sort((one, other) => one.prefix.localeCompare(other.prefix));
  const readers = status.topics.flatMap(readersOf);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
      <Panel title="Services"><DataTable label="Services" columns={SERVICES} rows={status.services} rowKey={(one) => one.name} /></Panel>
      <Panel title="Routes of /api/v1"><DataTable label="Routes" columns={ROUTES} rows={routes} rowKey={(one) => one.prefix} /></Panel>
      <Panel title="Queues"><DataTable label="Queues" columns={QUEUES} rows={status.queues} rowKey={(one) => one.name} /></Panel>
      <Panel title="Topics"><DataTable label="Topics" columns={READERS} rows={readers} rowKey={(one) => `${one.topic.name} ${one.group}`} /></Panel>
    </SimpleGrid>
  );
}

export function Engines({ status }: { status: OperationsStatus }) {
  return (
    <Card>
      <Group justify="space-between" gap="lg">
        <Title order={2}>Engines</Title>
        {status.engines.map((one) => <Named key={one.port} name={`${one.port}: ${one.adapter}`} text={<State state={one.state} />} />)}
      </Group>
    </Card>
  );
}

/** A topic has a row for each group that reads it. */
function readersOf(topic: Topic): Reader[] {
  if (topic.consumers.length === 0) return [{ topic, group: '–', lag: undefined }];
  return topic.consumers.map(({ group, lag }) => ({ topic, group, lag }));
}

function Panel({ title, children }: { title: string; children: ReactNode }) {
  return <Card padding={0}><Title order={2} px="lg" pt="lg" pb="xs">{title}</Title>{children}</Card>;
}

function Named({ name, text }: { name: string; text?: ReactNode }) {
  return (
    <div>
      <Text size="sm" fw={550} className="prose-line">{name}</Text>
      {text !== undefined && <Text size="xs" c="dimmed" className="numeric" component="div">{text}</Text>}
    </div>
  );
}

function State({ state, text = [] }: { state: string; text?: string[] }) {
  return <><span className="state-dot" style={{ background: STATE_COLOURS[state] ?? 'gray' }} />{[state, ...text].filter(Boolean).join(' · ')}</>;
}
