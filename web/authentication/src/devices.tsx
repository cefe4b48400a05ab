/** The live sessions, and how to end one. */
import { api, call, describeError } from '@purser/api';
import type { DeviceSession } from '@purser/api';
import { Button, ErrorState, Group, Icon, Skeleton, Stack, Text, ThemeIcon, useMutation, useQuery, useQueryClient } from '@purser/ui';
import { Badge, RelativeTime } from '@purser/ui/pages';
import { deviceName } from './rules';

export function Devices() {
  const sessions = useQuery({
    queryKey: ['sessions'],
    queryFn: () => call(api.GET('/api/v1/auth/sessions', { params: { query: { limit: 100 } } })),
  });
  if (sessions.isPending) return <Stack>{[0, 1].map((n) => <Skeleton key={n} height={44} />)}</Stack>;
  if (sessions.isError) return <ErrorState error={sessions.error} onRetry={() => void sessions.refetch()} />;
  return <Stack component="ul" p={0} m={0} style={{ listStyle: 'none' }}>{sessions.data.data.map((item) => <Device key={item.id} session={item} />)}</Stack>;
}

function Device({ session }: { session: DeviceSession }) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () => call(api.DELETE('/api/v1/auth/sessions/{id}', { params: { path: { id: session.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['sessions'] }),
  });
  return (
    <li>
      <Group justify="space-between" wrap="nowrap">
        <Group gap="sm" wrap="nowrap" miw={0}>
          <ThemeIcon variant="light" size="lg"><Icon name="devices" /></ThemeIcon>
          <Stack gap={0} miw={0}>
            <Group gap={8}><Text fw={550}>{deviceName(session.user_agent)}</Text>{session.current && <Badge tt="none">This device</Badge>}</Group>
            {end.isError ? <Text size="sm" c="var(--mantine-color-error)" role="alert">Not ended: {describeError(end.error).title}</Text>
              : <Text size="sm" c="dimmed">{session.ip_address ? `${session.ip_address} · ` : ''}<RelativeTime time={session.last_used_at ?? session.created_at} /></Text>}
          </Stack>
        </Group>
        {!session.current && <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>End</Button>}
      </Group>
    </li>
  );
}
