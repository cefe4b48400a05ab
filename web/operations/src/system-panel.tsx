/** Rates, the picture, and the same in tables. */
import type { ReactNode } from 'react';
import type { OperationsStatus } from '@purser/api';
import { Box, Card, ErrorState, formatNumber, SimpleGrid, Skeleton, Stack, StatusBadge, Table, Text, Title } from '@purser/ui';
import { Diagram } from './diagram';
import { lagOf } from './diagram-layout';
import { useStatus } from './requests';

const COLOURS: Record<string, string> = { up: 'harbor', degraded: 'brass', draining: 'blue', down: 'red' };

export function SystemPanel() {
  const query = useStatus();
  if (query.isPending) return <Stack role="status" aria-label="Loading"><SimpleGrid cols={{ base: 2, md: 4 }}>{[0, 1, 2, 3].map((n) => <Skeleton key={n} height={96} radius="lg" />)}</SimpleGrid><Skeleton height={560} radius="lg" /></Stack>;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const status = query.data;
  return (
    <Stack gap="lg">
      {query.isError && <Text role="status" c="dimmed">Could not be refreshed; this is how it was.</Text>}
      <Rates status={status} />
      <Card visibleFrom="md"><Diagram status={status} /></Card>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg"><Services status={status} /><Queues status={status} /><Topics status={status} /><Engines status={status} /></SimpleGrid>
    </Stack>
  );
}

function Rates({ status }: { status: OperationsStatus }) {
  const { rates } = status;
  const backlog = sum(status.outbox.map((one) => one.backlog));
  const tiles: [string, string, string][] = [
    ['Requests', `${formatNumber(rates.requests_per_second, 1)}/s`, `${formatNumber(rates.errors_per_second, 2)}/s with errors`],
    ['Queues', formatNumber(sum(status.queues.map((one) => one.depth))), `waiting, ${formatNumber(sum(status.queues.map((one) => one.in_flight ?? 0)))} in work`],
    ['Outbox', formatNumber(backlog), backlog === 0 ? 'everything is on its way' : 'waiting to be sent'],
    ['Live connections', formatNumber(rates.websockets ?? 0), `${formatNumber(status.dead_letters ?? 0)} dead letters`],
  ];
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }}>
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
      <Table.ScrollContainer minWidth={300} type="native" tabIndex={0} role="region" aria-label={title}>
        <Table>
          <Table.Thead><Table.Tr>{heads.map((head, index) => <Table.Th key={head} style={{ whiteSpace: 'nowrap' }} ta={index === 0 ? 'left' : 'right'}>{head}</Table.Th>)}</Table.Tr></Table.Thead>
          <Table.Tbody>{children}</Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

function Cells({ name, values }: { name: ReactNode; values: ReactNode[] }) {
  return <Table.Tr><Table.Td>{name}</Table.Td>{values.map((value, index) => <Table.Td key={index} ta="right" className="numeric">{value}</Table.Td>)}</Table.Tr>;
}

function State({ state }: { state: string }) {
  return <StatusBadge size="md" color={COLOURS[state] ?? 'gray'} label={state} />;
}

function Services({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Services" heads={['Service', 'State', 'Requests', 'Errors', 'p99']}>
      {status.services.map((one) => (
        <Cells key={one.name} name={<Box>{one.name}{(one.missing?.length ?? 0) > 0 && <Text size="xs" c="dimmed">without {one.missing!.join(', ')}</Text>}</Box>}
          values={[<State key="s" state={one.state} />, rate(one.requests_per_second), rate(one.errors_per_second), one.p99_ms === undefined ? '–' : `${formatNumber(one.p99_ms, 1)} ms`]} />
      ))}
    </Panel>
  );
}

function Queues({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Queues" heads={['Queue', 'Waiting', 'In work', 'Dead']}>
      {status.queues.map((one) => <Cells key={one.name} name={one.name} values={[formatNumber(one.depth), formatNumber(one.in_flight ?? 0), formatNumber(one.dead ?? 0)]} />)}
    </Panel>
  );
}

function Topics({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Topics" heads={['Topic', 'Published', 'Lag']}>
      {status.topics.map((one) => <Cells key={one.name} name={<Box>{one.name}<Text size="xs" c="dimmed">{one.consumers.map((consumer) => `${consumer.group} ${consumer.lag}`).join(', ')}</Text></Box>} values={[rate(one.published_per_second), formatNumber(lagOf(one))]} />)}
    </Panel>
  );
}

function Engines({ status }: { status: OperationsStatus }) {
  return (
    <Panel title="Engines" heads={['Port', 'Adapter', 'State']}>
      {status.engines.map((one) => <Cells key={one.port} name={one.port} values={[one.adapter, <State key="s" state={one.state} />]} />)}
    </Panel>
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function rate(value: number | undefined): string {
  return value === undefined ? '–' : `${formatNumber(value, 1)}/s`;
}
