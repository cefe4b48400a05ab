/** Rates, the picture, and the same in tables. */
import type { OperationsStatus } from '@purser/api';
import { Card, ErrorState, Skeleton, Stack, Text } from '@purser/ui';
import { formatNumber, SimpleGrid } from '@purser/ui/pages';
import { Diagram } from './diagram';
import { milliseconds, perSecond } from './diagram-layout';
import { useStatus } from './requests';
import { Engines, SystemTables } from './system-tables';

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
      <Engines status={status} />
      <SystemTables status={status} />
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

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
