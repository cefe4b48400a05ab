/** What could not be handled: read it, send it again, or drop it. */
import { describeError } from '@purser/api';
import type { DeadLetter } from '@purser/api';
import { Button, Card, EmptyState, ErrorState, Group, Skeleton, Stack, Text, useDisclosure, useMutation, useQueryClient } from '@purser/ui';
import { ConfirmButton, LoadMore, RelativeTime } from '@purser/ui/pages';
import { dropDeadLetter, retryDeadLetter, useDeadLetters } from './requests';

export function DeadLettersPanel() {
  const pages = useDeadLetters();
  if (pages.isPending) return <Stack role="status" aria-label="Loading">{[0, 1, 2].map((n) => <Skeleton key={n} height={120} radius="lg" />)}</Stack>;
  if (pages.data === undefined) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const letters = pages.data.pages.flatMap((page) => page.data);
  if (letters.length === 0) return <Card><EmptyState icon="check" title="Nothing is stuck" text="Messages that fail again and again would wait here." /></Card>;
  return <Stack>{letters.map((letter) => <Letter key={letter.id} letter={letter} />)}<LoadMore pages={pages} /></Stack>;
}

function Letter({ letter }: { letter: DeadLetter }) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: ['operations'] });
  const retry = useMutation({ mutationFn: () => retryDeadLetter(letter.id), onSettled: refresh });
  const [shown, { toggle }] = useDisclosure(false);
  const drop = async () => {
    await dropDeadLetter(letter.id);
    await refresh();
  };
  return (
    <Card>
      <Stack gap="sm">
        <Group justify="space-between">
          <Stack gap={0}>
            <Text fw={650}>{letter.type ?? letter.source ?? 'Message'}</Text>
            {retry.isError ? <Text size="sm" c="var(--mantine-color-error)" role="alert">Not sent: {describeError(retry.error).title}</Text>
              : <Text size="sm" c="dimmed">{[letter.service, letter.source].filter(Boolean).join(' · ')} · {letter.attempts} attempts · <RelativeTime time={letter.created_at} /></Text>}
          </Stack>
          <Group gap="xs">
            <Button size="xs" variant="subtle" aria-expanded={shown} onClick={toggle}>{shown ? 'Hide the message' : 'Show the message'}</Button>
            <Button size="xs" loading={retry.isPending} onClick={() => retry.mutate()}>Send again</Button>
            <ConfirmButton size="xs" variant="default" label="Drop" question="Drop this message?" text="It is gone for good, and what it should have done will not happen." confirm="Drop it" action={drop} />
          </Group>
        </Group>
        <Text size="sm" className="prose-line" c="var(--mantine-color-error)">{letter.error}</Text>
        {shown && <pre className="mono-block">{JSON.stringify(letter.event ?? null, null, 2)}</pre>}
      </Stack>
    </Card>
  );
}
