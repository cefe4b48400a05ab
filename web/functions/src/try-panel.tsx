/** Call a function with an input and see what it says. */
import { useState } from 'react';
import { newKey } from '@purser/api';
import { Button, Group, Icon, InlineError, Stack, Text, useFirstWrong, useMutation } from '@purser/ui';
import { formatNumber, StatusBadge, Textarea } from '@purser/ui/pages';
import { invoke } from './requests';
import { errorText, logText, parseInput } from './rules';

export function TryPanel({ name }: { name: string }) {
  const [input, setInput] = useState('{\n  "name": "Ada"\n}');
  const [problem, setProblem] = useState<string | null>(null);
  const task = useMutation({ mutationFn: (value: unknown) => invoke(name, value, newKey()) });
  const [form, refused] = useFirstWrong<HTMLDivElement>(null);
  const run = () => {
    const parsed = parseInput(input);
    setProblem('problem' in parsed ? parsed.problem : null);
    if ('problem' in parsed) refused();
    else if (!task.isPending) task.mutate(parsed.value);
  };
  return (
    <Stack ref={form} className="fields">
      <Textarea label="Input, as JSON" autosize minRows={5} maxRows={16} value={input} error={problem} spellCheck={false} onChange={(event) => setInput(event.currentTarget.value)} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} />
      <Group><Button leftSection={<Icon name="play" />} loading={task.isPending} onClick={run}>Call it</Button></Group>
      <InlineError error={task.error} />
      <div aria-live="polite">{task.data !== undefined && <Outcome outcome={task.data} />}</div>
    </Stack>
  );
}

function Outcome({ outcome }: { outcome: Awaited<ReturnType<typeof invoke>> }) {
  const logs = (outcome.ok ? outcome.answer.logs : outcome.problem?.logs) ?? [];
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <StatusBadge size="md" color={outcome.ok ? 'harbor' : 'red'} label={outcome.ok ? 'Succeeded' : outcome.problem?.title ?? 'Failed'} />
        {outcome.ok && <Text size="sm" c="dimmed">version {outcome.answer.version} · {formatNumber(outcome.answer.duration_ms, 2)} ms</Text>}
      </Group>
      <pre className="mono-block" data-testid="outcome">{outcome.ok ? JSON.stringify(outcome.answer.result, null, 2) : errorText(outcome.problem?.error ?? outcome.problem?.detail)}</pre>
      {logs.length > 0 && <><Text size="sm" fw={600}>Logs</Text><pre className="mono-block">{logs.map(logText).join('\n')}</pre></>}
    </Stack>
  );
}
