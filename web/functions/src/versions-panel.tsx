/** Every version there was, and the way back to one. */
import { useIntentKey } from '@purser/api';
import type { FunctionInfo } from '@purser/api';
import { Button, ErrorState, Group, InlineError, Skeleton, Stack, Text, useMutation, useQueryClient } from '@purser/ui';
import { Badge, notifications, RelativeTime } from '@purser/ui/pages';
import { rollBack, useVersions } from './requests';

export function VersionsPanel({ info }: { info: FunctionInfo }) {
  const query = useVersions(info.name);
  const client = useQueryClient();
  const { keyFor, settle } = useIntentKey();
  const back = useMutation({
    mutationFn: (version: number) => rollBack(info.name, version, keyFor([info.name, version, info.version])),
    onSuccess: async (next) => {
      settle();
      notifications.show({ title: 'Rolled back', message: `${next.name} answers as version ${next.version}.`, color: 'harbor' });
      await client.invalidateQueries({ queryKey: ['functions'] });
    },
  });
  if (query.isPending) return <Stack role="status" aria-label="Loading">{[0, 1].map((n) => <Skeleton key={n} height={44} />)}</Stack>;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <Stack>
      {query.data.data.map((one) => (
        <Group key={one.version} justify="space-between">
          <Group gap="xs"><Text fw={600}>Version {one.version}</Text>{one.version === info.version && <Badge tt="none">Answers now</Badge>}<Text size="sm" c="dimmed"><RelativeTime time={one.created_at} /></Text></Group>
          {one.version !== info.version && <Button size="xs" variant="default" loading={back.isPending && back.variables === one.version} onClick={() => back.mutate(one.version)}>Go back to {one.version}</Button>}
        </Group>
      ))}
      <InlineError error={back.error} />
    </Stack>
  );
}
