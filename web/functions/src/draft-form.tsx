/** Source and settings of a function. The server's complaints stand at their fields. */
import { useId } from 'react';
import { fieldErrors } from '@purser/api';
import { Stack, Text, TextInput } from '@purser/ui';
import { NativeSelect, SimpleGrid, Textarea } from '@purser/ui/pages';
import { Editor } from './editor';
import { parseTriggers } from './rules';
import type { Draft } from './requests';

export function DraftForm({ draft, triggers, error, onChange, onTriggers }: {
  draft: Draft; triggers: string; error: unknown; onChange: (draft: Draft) => void; onTriggers: (text: string) => void;
}) {
  const note = useId();
  const errors = fieldErrors(error);
  const triggerError = Object.entries(errors).find(([path]) => path.startsWith('triggers'))?.[1];
  return (
    <Stack className="fields">
      <Stack gap={6}>
        <Text component="span" fw={550} size="sm">Source</Text>
        <Editor label="Source" value={draft.source} wrong={errors['source'] !== undefined} describedBy={note} onChange={(source) => onChange({ ...draft, source })} />
        <Text id={note} size="sm" mb={6} className="prose-line" {...(errors['source'] === undefined ? { c: 'dimmed' } : { c: 'var(--mantine-color-error)', role: 'alert' })}>
          {errors['source'] ?? 'Tab indents; Escape, then Tab, leaves.'}
        </Text>
      </Stack>
      <SimpleGrid cols={{ base: 1, xs: 3 }} verticalSpacing={4}>
        <TextInput size="sm" label="Time limit, ms" inputMode="numeric" value={String(draft.timeout_ms)} error={errors['timeout_ms']} onChange={(event) => onChange({ ...draft, timeout_ms: digits(event.currentTarget.value) })} />
        <TextInput size="sm" label="Memory, MB" inputMode="numeric" value={String(draft.memory_mb)} error={errors['memory_mb']} onChange={(event) => onChange({ ...draft, memory_mb: digits(event.currentTarget.value) })} />
        <NativeSelect label="Who may call it" data={['admin', 'user', 'public']} value={draft.access} error={errors['access']} onChange={(event) => onChange({ ...draft, access: event.currentTarget.value as Draft['access'] })} />
      </SimpleGrid>
      <Textarea label="Triggers" description="One a line: user.created, order.created, purser.payment.*, or cron: 0 6 * * *" autosize minRows={2} value={triggers} error={triggerError}
        onChange={(event) => { onTriggers(event.currentTarget.value); onChange({ ...draft, triggers: parseTriggers(event.currentTarget.value) }); }} />
    </Stack>
  );
}

function digits(text: string): number {
  return Number(text.replace(/\D/g, '').slice(0, 9));
}
