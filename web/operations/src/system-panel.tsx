/** Rates, the picture, and the same in tables. */
import type { ReactNode } from 'react';
import type { OperationsStatus } from '@purser/api';
import { Card, ErrorState, formatNumber, SimpleGrid, Skeleton, Stack, Table, Text, Title } from '@purser/ui';
import { Diagram, STATE_COLOURS } from './diagram';
import { lagOf, milliseconds, perSecond } from './diagram-layout';
import { useStatus } from './requests';

const TILES = { base: 2, sm: 3, lg: 6 };

export function SystemPanel() {
  const query = useStatus();
  if (query.isPending) return <Stack gap="lg" role="status" aria-label="Loading"><SimpleGrid cols={TILES}>{[0, 1, 2, 3, 4, 5].map((n) => <Skeleton key={n} height={102} radius="lg" />)}</SimpleGrid><Skeleton height={700} radius="lg" /></Stack>;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const status = query.data;
  return (
    <Stack gap="lg">
      {query.isError && <Text role="status" c="dimmed">Could not be refreshed; this is how it was.</Text>}
      <Tiles status={status} />
      <Card visibleFrom="md"><Diagram status={status} /></Card>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg"><Services status={status} /><Groups status={status} /><Queues status={status} /><Stack gap="lg"><Topics status={status} /><Engines status={status} /></Stack></SimpleGrid>
    </Stack>
  );
}

function Tiles({ status }: { status: OperationsStatus }) {
  const { rates, queues, outbox, dead_letters: dead = 0 } = status;
  const backlog = sum(outbox.map((one) => one.backlog));
  const tiles: [string, string, string][] = [
    ['Requests', perSecond(rates.requests_per_second), `${perSecond(rates.errors_per_second)} with errors`],
    ['99 of 100 within', milliseconds(status.services.find((one) => one.name === 'gateway')?.p99_ms), 'at the gateway'],
    ['In queues', formatNumber(sum(queues.map((one) => one.depth))), `${formatNumber(sum(queues.map((one) => one.in_flight ?? 0)))} in work`],
    ['Outbox', formatNumber(backlog), backlog === 0 ? 'all is on its way' : 'waiting to be sent'],
    ['Dead letters', formatNumber(dead), dead === 0 ? 'nothing is stuck' : 'waiting for you'],
    ['Live connections', formatNumber(rates.websockets ?? 0), 'open now'],
  ];
  return (
    <SimpleGrid cols={TILES}>
      {tiles.map(([title, value, text]) => (
        <Card key={title} padding="md"><Text size="sm" c="dimmed">{title}</Text><Text fz={26} fw={700} className="numeric" lh={1.3}>{value}</Text><Text size="xs" c="dimmed" className="numeric">{text}</Text></Card>
      ))}
    </SimpleGrid>
  );
}

function Panel({ title, heads, children }: { title: string; heads: string[]; children: ReactNode }) {
  return (
    <Card>
      <Title order={2} mb="sm">{title}</Title>
      <Table.ScrollContainer minWidth={280} type="native" tabIndex={0} role="region" aria-label={title}>
        <Table horizontalSpacing="xs">
          <Table.Thead><Table.Tr>{heads.map((head, index) => <Table.Th key={head} style={{ whiteSpace: 'nowrap' }} ta={index === 0 ? 'left' : 'right'}>{head}</Table.Th>)}</Table.Tr></Table.Thead>
          <Table.Tbody>{children}</Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

interface Line { name: string; text?: string; state?: string; values: string[] }

function Cells({ name, text, state, values }: Line) {
  const words = [state, text].filter(Boolean).join(' · ');
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={550}>{name}</Text>
        {words !== '' && <Text size="xs" c="dimmed" className="numeric">{state !== undefined && <span className="state-dot" style={{ background: STATE_COLOURS[state] ?? 'gray' }} />}{words}</Text>}
      </Table.Td>
      {values.map((value, index) => <Table.Td key={index} ta="right" className="numeric" style={{ whiteSpace: 'nowrap' }}>{value}</Table.Td>)}
    </Table.Tr>
  );
}

function Services({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Services" heads={['Service', 'Requests', 'Errors', 'p99']}>
      {status.services.map((one) => {
        const missing = one.missing ?? [];
        const text = [one.instances.length > 1 ? `${one.instances.length} instances` : '', missing.length > 0 ? `without ${missing.join(', ')}` : ''].filter(Boolean).join(' · ');
        return <Cells key={one.name} name={one.name} state={one.state} text={text} values={[perSecond(one.requests_per_second), perSecond(one.errors_per_second), milliseconds(one.p99_ms)]} />;
      })}
    </Panel>
  );
}

function Groups({ status }: { status: OperationsStatus }) {
  const groups = [...status.routes ?? []].sort((one, other) => one.prefix.localeCompare(other.prefix));
  return (
    <Panel title="Routes of /api/v1" heads={['Route', 'Requests', 'Errors', 'p99']}>
      {groups.map((one) => <Cells key={one.prefix} name={one.prefix.replace('/api/v1', '')} values={[perSecond(one.requests_per_second), perSecond(one.errors_per_second), milliseconds(one.p99_ms)]} />)}
    </Panel>
  );
}

function Queues({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Queues" heads={['Queue', 'Waiting', 'In work', 'Dead']}>
      {status.queues.map((one) => (
        <Cells key={one.name} name={one.name} text={`${perSecond(one.published_per_second)} in · ${perSecond(one.handled_per_second)} out`}
          values={[formatNumber(one.depth), formatNumber(one.in_flight ?? 0), formatNumber(one.dead ?? 0)]} />
      ))}
    </Panel>
  );
}

function Topics({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Topics" heads={['Topic', 'Published', 'Lag']}>
      {status.topics.map((one) => <Cells key={one.name} name={one.name} text={one.consumers.map((consumer) => `${consumer.group} ${formatNumber(consumer.lag)}`).join(', ')} values={[perSecond(one.published_per_second), formatNumber(lagOf(one))]} />)}
    </Panel>
  );
}

function Engines({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Engines" heads={['Port', 'Adapter']}>
      {status.engines.map((one) => <Cells key={one.port} name={one.port} state={one.state} values={[one.adapter]} />)}
    </Panel>
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
