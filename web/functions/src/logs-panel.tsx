/** The latest calls and what they said. */
import { EmptyState, ErrorState, Group, Skeleton, Stack, Text } from '@purser/ui';
import { formatNumber, RelativeTime, StatusBadge } from '@purser/ui/pages';
import { useLogs } from './requests';
import { errorText, logText } from './rules';

export function LogsPanel({ name }: { name: string }) {
  const query = useLogs(name);
  if (query.isPending) return <Stack role="status" aria-label="Loading">{[0, 1, 2].map((n) => <Skeleton key={n} height={60} />)}</Stack>;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data.data.length === 0) return <EmptyState icon="receipt" title="Not called yet" text="What its calls print and how they end shows up here." />;
  return (
    <Stack>
      {query.data.data.map((entry, index) => {
        const text = [...(entry.logs ?? []).map(logText), errorText(entry.error)].filter((line) => line !== '').join('\n');
        return (
          <Stack key={entry.id ?? index} gap={6}>
            <Group gap="xs">
              <StatusBadge size="md" color={entry.status === 'succeeded' ? 'harbor' : 'red'} label={entry.status === 'succeeded' ? 'Succeeded' : 'Failed'} />
              <Text size="sm" c="dimmed">v{entry.version}{entry.trigger ? ` · ${entry.trigger}` : ''}{entry.duration_ms === undefined ? '' : ` · ${formatNumber(entry.duration_ms, 2)} ms`} · <RelativeTime time={entry.at} /></Text>
            </Group>
            {text !== '' && <pre className="mono-block">{text}</pre>}
          </Stack>
        );
      })}
    </Stack>
  );
}
